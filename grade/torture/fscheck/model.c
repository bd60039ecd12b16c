// A model of a small tree: four directories inside one directory, a dozen names in each, files with
// hard links and holes, some of them open. The test compares every call's result and every byte it
// reads with this model.

#include "fscheck.h"

#define DIRECTORIES 4
#define HERE DIRECTORIES // the directory that holds the four
#define NAMES 12
#define OPEN_FILES 5
#define MAX_SIZE 5000000 // bytes; well into the double-indirect blocks
#define MAX_IO 200000

struct node {
    int links, opens;
    long size;
    char *data;
};

static __thread char base[32];
static __thread struct node *names[DIRECTORIES + 1][NAMES];
static __thread bool exists[DIRECTORIES + 1];
static __thread struct {
    long fd;
    struct node *node;
    bool append;
} files[OPEN_FILES];
static __thread char *io;

void model_start(const char *directory)
{
    snprintf(base, sizeof(base), "%s", directory);
    exists[HERE] = true;
    io = malloc(MAX_IO);
}

static void name_path(char *path, unsigned directory, unsigned name)
{
    if (directory == HERE)
        sprintf(path, "%sn%u", base, name);
    else
        sprintf(path, "%sd%u/n%u", base, directory, name);
}

// Did a call fail for lack of space? Then hardly any may be free: one block and its tables. With
// many processes, another one may have freed some since then.
static bool out_of_space(bool failed)
{
    if (failed && !ram_disk_async && fs_free_blocks() > 3)
        panic("no space, with %u blocks free", fs_free_blocks());
    return failed;
}

static void node_drop(struct node *node)
{
    if (node->links == 0 && node->opens == 0) {
        free(node->data);
        free(node);
    }
}

// Reads the whole file in pieces and compares it. Leaves the offset at the end.
static void verify(long fd, const struct node *node)
{
    struct stat stat;
    EXPECT(k_fstat(fd, &stat), 0);
    EXPECT(stat.size, node->size);
    EXPECT(stat.nlink, node->links);
    EXPECT(k_seek(fd, 0), 0);
    for (long at = 0, n; at < node->size; at += n) {
        n = min_u64(1 + random_below(MAX_IO), node->size - at);
        EXPECT(k_read(fd, io, n), n);
        CHECK(memcmp(io, node->data + at, n) == 0);
    }
    EXPECT(k_read(fd, io, 10), 0);
}

static void verify_path(const char *path, const struct node *node)
{
    long fd = k_open(path, O_RDONLY);
    CHECK(fd >= 0);
    verify(fd, node);
    EXPECT(k_close(fd), 0);
}

// ---- one function for each call ----

static void try_mkdir(unsigned directory)
{
    char path[64];
    sprintf(path, "%sd%u", base, directory);
    long result = k_mkdir(path);
    if (out_of_space(result == -ENOSPC))
        return;
    EXPECT(result, exists[directory] ? -EEXIST : 0);
    exists[directory] = true;
}

static void try_rmdir(unsigned directory)
{
    char path[64];
    bool empty = true;
    for (unsigned i = 0; i < NAMES; i++)
        empty = empty && !names[directory][i];
    sprintf(path, "%sd%u", base, directory);
    EXPECT(k_unlink(path), !exists[directory] ? -ENOENT : empty ? 0 : -ENOTEMPTY);
    if (empty)
        exists[directory] = false;
}

static void try_close(unsigned slot)
{
    struct node *node = files[slot].node;
    if (!node)
        return;
    if (random_below(2))
        verify(files[slot].fd, node);
    EXPECT(k_close(files[slot].fd), 0);
    files[slot].node = NULL;
    node->opens--;
    node_drop(node);
}

static void try_open(unsigned slot, unsigned directory, unsigned name)
{
    char path[64];
    unsigned choice = random_below(8);
    int flags = O_RDWR | (choice & 1 ? O_CREATE : 0) | (choice & 2 ? O_TRUNC : 0) |
                (choice & 4 ? O_APPEND : 0);
    struct node **node = &names[directory][name];
    try_close(slot);
    name_path(path, directory, name);
    long fd = k_open(path, flags);
    if (out_of_space(fd == -ENOSPC))
        return;
    if (!exists[directory] || (!*node && !(flags & O_CREATE))) {
        EXPECT(fd, -ENOENT);
        return;
    }
    CHECK(fd >= 0);
    if (!*node) {
        *node = calloc(1, sizeof(**node));
        (*node)->links = 1;
    }
    if (flags & O_TRUNC)
        (*node)->size = 0;
    (*node)->opens++;
    files[slot].fd = fd;
    files[slot].node = *node;
    files[slot].append = flags & O_APPEND;
}

// Does to the model what a write of `n` bytes must have done.
static void model_write(struct node *node, long offset, long n)
{
    if (!node->data)
        node->data = calloc(1, MAX_SIZE);
    if (n > 0 && offset > node->size)
        memset(node->data + node->size, 0, offset - node->size);
    memcpy(node->data + offset, io, n);
    if (n > 0 && offset + n > node->size)
        node->size = offset + n;
}

static void try_write(unsigned slot)
{
    struct node *node = files[slot].node;
    if (!node)
        return;
    long offset = random_below(8) == 0 ? random_below(MAX_SIZE - MAX_IO)
                  : node->size         ? random_below(node->size)
                                       : 0;
    if (random_below(2))
        offset = ALIGN_DOWN(offset, BLOCK_SIZE);
    long n = random_below(3) == 0   ? BLOCK_SIZE * (1 + random_below(20))
             : random_below(2) == 0 ? random_below(5000)
                                    : random_below(MAX_IO);
    if (files[slot].append)
        offset = node->size;
    if (offset + n > MAX_SIZE)
        return;
    for (long i = 0; i < n; i++)
        io[i] = random_below(256);
    EXPECT(k_seek(files[slot].fd, offset), offset);
    long put = k_write(files[slot].fd, io, n);
    CHECK(put >= 0 || put == -ENOSPC);
    out_of_space(put < n);
    model_write(node, offset, put < 0 ? 0 : put);
}

static void try_unlink(unsigned directory, unsigned name)
{
    char path[64];
    struct node *node = names[directory][name];
    name_path(path, directory, name);
    EXPECT(k_unlink(path), exists[directory] && node ? 0 : -ENOENT);
    if (!node)
        return;
    names[directory][name] = NULL;
    node->links--;
    node_drop(node);
}

static void try_link(unsigned directory, unsigned name, unsigned to_directory, unsigned to_name)
{
    char from[64], to[64];
    struct node *node = names[directory][name];
    name_path(from, directory, name);
    name_path(to, to_directory, to_name);
    long result = k_link(from, to);
    if (out_of_space(result == -ENOSPC))
        return;
    if (!exists[directory] || !node || !exists[to_directory]) {
        EXPECT(result, -ENOENT);
    } else if (names[to_directory][to_name]) {
        EXPECT(result, -EEXIST);
    } else {
        EXPECT(result, 0);
        names[to_directory][to_name] = node;
        node->links++;
    }
}

static void try_read(unsigned directory, unsigned name)
{
    char path[64];
    name_path(path, directory, name);
    if (exists[directory] && names[directory][name])
        verify_path(path, names[directory][name]);
}

void model_step(void)
{
    unsigned directory = random_below(DIRECTORIES + 1), name = random_below(NAMES);
    unsigned slot = random_below(OPEN_FILES);
    switch (random_below(13)) {
    case 0:
        try_mkdir(random_below(DIRECTORIES));
        break;
    case 1:
        try_rmdir(random_below(DIRECTORIES));
        break;
    case 2 ... 4:
        try_open(slot, directory, name);
        break;
    case 5 ... 8:
        try_write(slot);
        break;
    case 9 ... 10:
        try_unlink(directory, name);
        break;
    case 11:
        try_link(directory, name, random_below(DIRECTORIES + 1), random_below(NAMES));
        break;
    case 12:
        try_read(directory, name);
        if (files[slot].node && random_below(8) == 0)
            EXPECT(k_fsync(files[slot].fd), 0);
        break;
    }
}

void model_finish(void)
{
    for (unsigned slot = 0; slot < OPEN_FILES; slot++)
        try_close(slot);
    for (unsigned directory = 0; directory <= DIRECTORIES; directory++) {
        for (unsigned name = 0; name < NAMES; name++) {
            try_read(directory, name);
            if (names[directory][name])
                try_unlink(directory, name);
        }
        if (directory != HERE)
            try_rmdir(directory);
    }
    free(io);
}

bool test_model(unsigned first_seed, unsigned count)
{
    seed = first_seed;
    mount_image();
    uint32_t blocks = fs_free_blocks(), inodes = fs_free_inodes();
    model_start("/");
    for (unsigned i = 0; i < count; i++) {
        model_step();
        if (random_below(200) == 0)
            EXPECT(log_sync(log_sequence()), 0);
    }
    model_finish();
    EXPECT(fs_free_blocks(), blocks);
    EXPECT(fs_free_inodes(), inodes);
    EXPECT(file_count(), 0);
    EXPECT(inode_count(), 1); // this process's current directory
    shut_down("after the model");
    return true;
}
