// diskread: reads stretches of the raw disk, bypassing every cache, and writes them to standard
// output. A stretch is a number of blocks that follow each other. A test on the host computes the
// expected output from the disk image.
//
//   diskread [-n TIMES] [-c COUNT] [-b BLOCKS] [-s SEED]
//   -n  repeats everything TIMES times (1)
//   -c  submits COUNT stretches together (1; at most 32)
//   -b  makes each stretch BLOCKS blocks of 4 KiB long (1; COUNT x BLOCKS is at most 1024)
//   -s  chooses where the stretches begin (0): at the numbers of SplitMix64 (user/lib/random.c),
//       modulo the number of possible places
//
//   diskread -c 32 -b 32 | sha256sum      fills any queue

#include "user/lib/user.h"

#define BLOCK 4096
#define MAX_BLOCKS 1024 // in one DISK_READV

static struct {
    uint64_t times, count, blocks, seed;
} options = {.times = 1, .count = 1, .blocks = 1};

static void parse(char *argv[])
{
    static const char letters[] = "ncbs";
    uint64_t *const values[] = {&options.times, &options.count, &options.blocks, &options.seed};
    for (argv++; *argv; argv += 2) {
        const char *at = argv[0][0] == '-' && argv[0][1] ? strchr(letters, argv[0][1]) : NULL;
        if (!at || argv[0][2] || !argv[1] || !parse_number(argv[1], values[at - letters]))
            usage("diskread [-n TIMES] [-c COUNT] [-b BLOCKS] [-s SEED]");
    }
    if (options.count < 1 || options.count > DISK_MAX_BATCH || options.blocks < 1 ||
        options.blocks > MAX_BLOCKS / options.count) {
        fprintf(2, "diskread: at most %d stretches, and %d blocks together\n", DISK_MAX_BATCH,
                MAX_BLOCKS);
        exit(2);
    }
}

// Allocates memory whose pages are not contiguous in physical memory: it touches every other page
// first. The driver must then pass each block to the device separately.
static char *scattered_pages(size_t bytes)
{
    uintptr_t top = (uintptr_t)sbrk(0);
    sbrk(-top % BLOCK);
    char *memory = sbrk_lazy(bytes);
    if (memory == (char *)-1)
        die("memory");
    for (size_t first = 0; first < 2; first++)
        for (size_t at = first * BLOCK; at < bytes; at += 2 * BLOCK)
            memory[at] = 1;
    return memory;
}

int main(int argc, char *argv[])
{
    struct disk_readv call = {0};
    struct disk_info info;
    (void)argc;
    parse(argv);
    int disk = open("/dev/disk0", O_RDWR);
    if (disk < 0 || ioctl(disk, DISK_GET_INFO, &info) < 0)
        die("/dev/disk0");
    if (info.blocks < options.blocks) {
        fprintf(2, "diskread: the disk has only %lu blocks\n", info.blocks);
        return 1;
    }
    size_t bytes = options.count * options.blocks * BLOCK;
    char *memory = scattered_pages(bytes);
    call.count = options.count;
    for (; options.times > 0; options.times--) {
        for (uint32_t i = 0; i < call.count; i++) {
            call.entry[i].block = random_below(&options.seed, info.blocks - options.blocks + 1);
            call.entry[i].blocks = options.blocks;
            call.entry[i].buffer = (uintptr_t)memory + i * options.blocks * BLOCK;
        }
        if (ioctl(disk, DISK_READV, &call) < 0)
            die("/dev/disk0");
        if (write_all(1, memory, bytes) < 0)
            die("standard output");
    }
    return 0;
}
