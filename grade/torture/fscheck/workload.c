// Random system calls on a small set of names, so that they often meet; and a hash of the whole
// visible tree.

#include "fscheck.h"

#define OPEN_FILES 6
#define DIRECTORIES 4
#define NAMES 8

int workload_max_write = 20000;
unsigned workload_sync_rate = 4;
static long fds[OPEN_FILES];
static char junk[1 << 17];

void workload_start(void)
{
    for (unsigned i = 0; i < OPEN_FILES; i++)
        fds[i] = -1;
}

static void random_name(char *path)
{
    unsigned directory = random_below(DIRECTORIES + 1);
    if (directory == DIRECTORIES)
        sprintf(path, "/n%u", random_below(NAMES));
    else
        sprintf(path, "/d%u/n%u", directory, random_below(NAMES));
}

static void random_write(long fd)
{
    int n = 1 + random_below(random_below(2) ? 300 : workload_max_write);
    for (int i = 0; i < n; i += 7)
        junk[i] = random_below(256);
    k_write(fd, junk, n);
}

static void random_open(unsigned slot, const char *path)
{
    int flags = O_CREATE | O_RDWR;
    flags |= random_below(2) ? O_TRUNC : 0;
    flags |= random_below(3) ? 0 : O_APPEND;
    if (fds[slot] < 0)
        fds[slot] = k_open(path, flags);
}

static void random_read(const char *path)
{
    long fd = k_open(path, O_RDONLY);
    if (fd < 0)
        return;
    k_read(fd, junk, sizeof(junk));
    k_close(fd);
}

bool workload_step(void)
{
    char a[64], b[64], directory[64];
    unsigned slot = random_below(OPEN_FILES);
    random_name(a);
    random_name(b);
    sprintf(directory, "/d%u", random_below(DIRECTORIES));
    switch (random_below(16)) {
    case 0:
        k_mkdir(directory);
        break;
    case 1:
        k_unlink(directory);
        break;
    case 2 ... 3:
        random_open(slot, a);
        break;
    case 4 ... 7:
        if (fds[slot] >= 0)
            random_write(fds[slot]);
        break;
    case 8:
        if (fds[slot] >= 0)
            k_seek(fds[slot], random_below(random_below(20) ? 60000 : 6000000));
        break;
    case 9 ... 10:
        if (fds[slot] >= 0)
            k_close(fds[slot]);
        fds[slot] = -1;
        break;
    case 11 ... 12:
        k_unlink(a);
        break;
    case 13:
        k_link(a, b);
        break;
    case 14:
        random_read(a);
        break;
    case 15:
        return random_below(workload_sync_rate) == 0 && log_sync(log_sequence()) == 0;
    }
    return false;
}

// ---- the hash ----

static uint64_t mix(uint64_t hash, const void *data, size_t n)
{
    const unsigned char *byte = data;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ byte[i]) * 1099511628211ull; // FNV-1a
    return hash;
}

static uint64_t hash_path(const char *path);

// A sum over the entries, so that their order does not matter.
static uint64_t hash_entries(long fd, const char *path)
{
    struct dir_entry entry;
    uint64_t sum = 0;
    while (k_read(fd, &entry, sizeof(entry)) == sizeof(entry)) {
        char name[NAME_SIZE + 1] = {0}, child[MAXPATH];
        memcpy(name, entry.name, NAME_SIZE);
        if (entry.inode == 0 || name_is_dot(name))
            continue;
        snprintf(child, sizeof(child), "%s/%s", path, name);
        sum += mix(hash_path(child), name, NAME_SIZE);
    }
    return sum;
}

static uint64_t hash_path(const char *path)
{
    static char contents[1 << 16];
    struct stat stat;
    long fd = k_open(path, O_RDONLY), n;
    if (fd < 0)
        panic("open %s: %ld", path, fd);
    EXPECT(k_fstat(fd, &stat), 0);
    uint64_t hash = mix(14695981039346656037ull, &stat.type, sizeof(stat.type));
    hash = mix(hash, &stat.nlink, sizeof(stat.nlink));
    if (stat.type == T_DIR) {
        uint64_t sum = hash_entries(fd, path);
        hash = mix(hash, &sum, sizeof(sum));
    } else {
        hash = mix(hash, &stat.size, sizeof(stat.size));
        while ((n = k_read(fd, contents, sizeof(contents))) > 0)
            hash = mix(hash, contents, n);
        EXPECT(n, 0);
    }
    k_close(fd);
    return hash;
}

uint64_t tree_hash(void)
{
    return hash_path("/");
}
