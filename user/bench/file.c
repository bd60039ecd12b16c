// Benchmarks of the file system. They use a file of their own in the current directory.

#include "user/bench/bench.h"

#define NAME "bench.tmp"
#define CALL 4096               // bytes of one read() or write()
#define WRITE_FILE (16ul << 20) // at this size, the written file starts again from nothing
#define READ_FILE (2ul << 20)   // fits in the cache of the smallest machine
#define SYNC_FILE (1ul << 20)

static char buffer[CALL];
static int file = -1;
static uint64_t position, limit;

static const char *open_file(void)
{
    file = open(NAME, O_RDWR | O_CREATE | O_TRUNC);
    position = 0;
    return file < 0 ? strerror(errno) : NULL;
}

static void end_file(void)
{
    close(file);
    unlink(NAME);
}

static void write_once(void)
{
    if (write(file, buffer, CALL) != CALL)
        die(NAME);
    position += CALL;
}

static void rewind(void)
{
    if (lseek(file, 0, SEEK_SET) != 0)
        die(NAME);
    position = 0;
}

// ---- buffered writes: the file grows from nothing to `limit` again and again ----

static const char *begin_write(void)
{
    struct kstat k;
    int fd = open("/dev/kstat", O_RDONLY);
    if (fd < 0 || read(fd, &k, sizeof(k)) != sizeof(k))
        die("/dev/kstat");
    close(fd);
    limit = k.fs_free_blocks * 4096 / 2;
    if (limit > WRITE_FILE)
        limit = WRITE_FILE;
    limit -= limit % CALL;
    return limit < 16 * CALL ? "the disk is full" : open_file();
}

static void run_write(uint64_t n)
{
    while (n-- > 0) {
        if (position == limit) {
            close(file);
            if (open_file() != NULL)
                die(NAME);
        }
        write_once();
    }
}

// ---- reads from the cache ----

static const char *begin_read(void)
{
    const char *missing = open_file();
    if (missing)
        return missing;
    while (position < READ_FILE)
        write_once();
    return NULL;
}

static void run_read(uint64_t n)
{
    while (n-- > 0) {
        if (position == READ_FILE)
            rewind();
        if (read(file, buffer, CALL) != CALL)
            die(NAME);
        position += CALL;
    }
}

// ---- durable writes ----

static void run_fsync(uint64_t n)
{
    while (n-- > 0) {
        if (position == SYNC_FILE)
            rewind();
        write_once();
        if (fsync(file) < 0)
            die(NAME);
    }
}

// ---- small files ----

static void small_files(uint64_t n, bool durable)
{
    while (n-- > 0) {
        int fd = open(NAME, O_WRONLY | O_CREATE);
        if (fd < 0 || write(fd, buffer, 100) != 100 || (durable && fsync(fd) < 0))
            die(NAME);
        close(fd);
        if (unlink(NAME) < 0)
            die(NAME);
    }
}

static void run_create(uint64_t n)
{
    small_files(n, false);
}
static void run_create_sync(uint64_t n)
{
    small_files(n, true);
}

const struct benchmark file_benchmarks[] = {
    {"write", "4 KiB writes to a growing file", "MB/s", MEGABYTES(CALL), begin_write, run_write,
     end_file},
    {"read", "4 KiB reads of a cached file", "MB/s", MEGABYTES(CALL), begin_read, run_read,
     end_file},
    {"fsync", "4 KiB write + fsync", "/s", PER_OPERATION, open_file, run_fsync, end_file},
    {"create", "create, write 100 B, close, unlink", "/s", PER_OPERATION, NULL, run_create, NULL},
    {"create-sync", "the same with fsync before close", "/s", PER_OPERATION, NULL, run_create_sync,
     NULL},
    {0},
};
