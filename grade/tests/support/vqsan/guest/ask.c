// ask: sends many requests to a device, continues after errors, and prints how many succeeded.
//
//   ask blk 10000        reads of 4 KiB from /dev/disk0, 32 at a time
//   ask rng 10000        reads of 16 bytes from /dev/random
//   ask gpu 10000        presents of one small rectangle
//
// test_vqsan_kernel.py uses it with a device that breaks its promises. Other programs would stop at
// the first error.

#include "lib/fb.h"
#include "lib/user.h"

#define DEPTH 32

// Each function makes `n` requests. If they fail, it returns -1 and sets errno.

static int ask_blk(unsigned n)
{
    static char memory[DEPTH][4096] __attribute__((aligned(4096)));
    static struct disk_readv request;
    static int disk = -1;
    static uint64_t block;
    if (disk < 0)
        disk = open("/dev/disk0", O_RDWR);
    request.count = n;
    for (unsigned i = 0; i < n; i++) {
        request.entry[i].buffer = (uintptr_t)memory[i];
        request.entry[i].blocks = 1;
        request.entry[i].block = (block += 7) % 4096; // apart, so that they are not merged
    }
    return ioctl(disk, DISK_READV, &request);
}

static int ask_rng(unsigned n)
{
    static char bytes[16];
    static int rng = -1;
    if (rng < 0)
        rng = open("/dev/random", O_RDONLY);
    while (n-- > 0)
        if (read(rng, bytes, sizeof(bytes)) != sizeof(bytes))
            return -1;
    return 0;
}

static int ask_gpu(unsigned n)
{
    static struct fb_present picture = {.nrects = 1, .rects = {{0, 0, 16, 16}}};
    static int fb = -1;
    if (fb < 0)
        fb = open("/dev/fb0", O_RDWR);
    while (n-- > 0)
        if (ioctl(fb, FB_PRESENT, &picture) < 0)
            return -1;
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*ask)(unsigned n);
        unsigned depth;
    } devices[] = {{"blk", ask_blk, DEPTH}, {"rng", ask_rng, 1}, {"gpu", ask_gpu, 1}};
    unsigned good = 0, failed = 0, strange = 0;
    for (unsigned d = 0; argc == 3 && d < ARRAY_SIZE(devices); d++) {
        if (strcmp(argv[1], devices[d].name) != 0)
            continue;
        for (unsigned i = 0; i < (unsigned)atoi(argv[2]); i += devices[d].depth) {
            if (devices[d].ask(devices[d].depth) == 0)
                good += devices[d].depth;
            else if (errno == EIO || errno == ETIMEDOUT)
                failed += devices[d].depth;
            else
                strange += devices[d].depth;
        }
        printf("%s: %u good, %u failed, %u strange\n", argv[1], good, failed, strange);
        return 0;
    }
    fprintf(2, "usage: ask blk|rng|gpu NUMBER\n");
    return 2;
}
