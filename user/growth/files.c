// Growth of a directory, and of a file.

#include "user/growth/growth.h"

#define DIRECTORY "growth.dir"
#define FILE_NAME "growth.tmp"
#define CALL 65536 // bytes of one read() or write()
#define PAGE 4096
#define MIB (1ul << 20)

// ---- files in a directory ----

static uint64_t files; // how many exist now
static uint64_t state; // for random_below()

static void name_of(uint64_t number, char *name, size_t size)
{
    snprintf(name, size, "f%lu", number);
}

static void make_file(uint64_t number)
{
    char name[15];
    name_of(number, name, sizeof(name));
    int fd = open(name, O_WRONLY | O_CREATE);
    if (fd < 0)
        die(name);
    close(fd);
}

static void remove_file(uint64_t number)
{
    char name[15];
    name_of(number, name, sizeof(name));
    if (unlink(name) < 0)
        die(name);
}

static void open_any(void)
{
    char name[15];
    name_of(random_below(&state, files), name, sizeof(name));
    int fd = open(name, O_RDONLY);
    if (fd < 0)
        die(name);
    close(fd);
}

static void open_missing(void)
{
    if (open("missing", O_RDONLY) >= 0)
        die("missing");
}

static void make_and_remove(void)
{
    make_file(files);
    remove_file(files);
}

void grow_directory(uint64_t limit)
{
    if (mkdir(DIRECTORY) < 0 || chdir(DIRECTORY) < 0)
        die(DIRECTORY);
    printf("files open open_missing create_and_unlink\n");
    for (uint64_t next = 10; files < limit; next += next / 2) {
        while (files < next && files < limit)
            make_file(files++);
        row4(files, cost_of(open_any), cost_of(open_missing), cost_of(make_and_remove));
    }
    while (files > 0)
        remove_file(--files);
    if (chdir("..") < 0 || unlink(DIRECTORY) < 0)
        die(DIRECTORY);
}

// ---- the size of a file ----

static char buffer[CALL];
static int fd;
static uint64_t size; // bytes written so far

static void go_to(uint64_t offset)
{
    if (lseek(fd, offset, SEEK_SET) != (int64_t)offset)
        die(FILE_NAME);
}

// Reads or writes the bytes from `from` to `to`. Returns the nanoseconds per page, on average.
static uint64_t sweep(uint64_t from, uint64_t to, bool writing)
{
    uint64_t start = clock_gettime();
    go_to(from);
    for (uint64_t at = from; at < to; at += CALL)
        if ((writing ? write(fd, buffer, CALL) : read(fd, buffer, CALL)) != CALL)
            die(FILE_NAME);
    return (clock_gettime() - start) / ((to - from) / PAGE);
}

static void read_anywhere(void)
{
    go_to(random_below(&state, size / PAGE) * PAGE);
    if (read(fd, buffer, PAGE) != PAGE)
        die(FILE_NAME);
}

void grow_file(uint64_t limit)
{
    fd = open(FILE_NAME, O_RDWR | O_CREATE | O_TRUNC);
    if (fd < 0)
        die(FILE_NAME);
    printf("MiB append_4k read_4k_in_order read_4k_anywhere\n");
    for (uint64_t next = MIB; size < limit * MIB; next *= 2) {
        if (next > limit * MIB)
            next = limit * MIB;
        uint64_t append = sweep(size, next, true);
        size = next;
        sweep(0, size, false); // fill the cache
        row4(size / MIB, append, sweep(0, size, false), cost_of(read_anywhere));
    }
    close(fd);
    unlink(FILE_NAME);
}
