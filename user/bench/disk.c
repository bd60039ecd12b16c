// Benchmarks of the raw disk. They bypass every cache of the kernel, but not the host's.

#include "user/bench/bench.h"

#define BLOCK 4096
#define LARGE_BLOCKS 256 // 1 MiB

static int disk = -1;
static struct disk_info info;
static struct disk_readv request;
static char *memory;
static size_t memory_bytes;
static uint64_t next_block;

static const char *begin(uint32_t count, uint64_t blocks)
{
    disk = open("/dev/disk0", O_RDWR);
    if (disk < 0)
        return strerror(errno);
    if (ioctl(disk, DISK_GET_INFO, &info) < 0 || info.blocks < count * blocks) {
        close(disk);
        return "there is no disk, or it is too small";
    }
    memory_bytes = count * blocks * BLOCK;
    memory = get_pages(memory_bytes);
    request.count = count;
    for (uint32_t i = 0; i < count; i++) {
        request.entry[i].buffer = (uintptr_t)memory + i * blocks * BLOCK;
        request.entry[i].blocks = blocks;
    }
    next_block = 0;
    return NULL;
}

static void end(void)
{
    return_pages(memory_bytes);
    close(disk);
}

// Each operation reads `count` stretches. They are at random places, so no one can merge them.
static void read_disk(uint64_t n)
{
    static uint64_t state;
    uint64_t places = info.blocks - request.entry[0].blocks + 1;
    while (n-- > 0) {
        for (uint32_t i = 0; i < request.count; i++)
            request.entry[i].block = random_below(&state, places);
        if (ioctl(disk, DISK_READV, &request) < 0)
            die("/dev/disk0");
    }
}

static const char *begin_one(void)
{
    return begin(1, 1);
}
static const char *begin_many(void)
{
    return begin(DISK_MAX_BATCH, 1);
}
static const char *begin_large(void)
{
    return begin(1, LARGE_BLOCKS);
}

static const char *begin_write(void)
{
    const char *missing = begin(1, 1);
    if (missing)
        return missing;
    next_block = info.fs_blocks;
    if (!info.read_only && info.blocks > info.fs_blocks)
        return NULL;
    end();
    return info.read_only ? "the disk is read-only" : "the disk has no block after the file system";
}

static void write_disk(uint64_t n)
{
    while (n-- > 0) {
        if (next_block == info.blocks)
            next_block = info.fs_blocks;
        request.entry[0].block = next_block++;
        if (ioctl(disk, DISK_WRITE, &request) < 0 || ioctl(disk, DISK_FLUSH, NULL) < 0)
            die("/dev/disk0");
    }
}

const struct benchmark disk_benchmarks[] = {
    {"disk-4k", "4 KiB reads, one in flight", "IO/s", PER_OPERATION, begin_one, read_disk, end},
    {"disk-4k-32", "4 KiB reads, 32 in flight", "IO/s", DISK_MAX_BATCH *PER_OPERATION, begin_many,
     read_disk, end},
    {"disk-1m", "1 MiB reads, one in flight", "MB/s", MEGABYTES(LARGE_BLOCKS *BLOCK), begin_large,
     read_disk, end},
    {"disk-flush", "4 KiB write + flush", "/s", PER_OPERATION, begin_write, write_disk, end},
    {0},
};
