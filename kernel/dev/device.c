// The table of character devices, and the one that swallows everything.

#include "kernel/dev/device.h"

static long null_read(int minor, uint64_t user_dst, uint64_t n, uint64_t offset)
{
    (void)minor, (void)user_dst, (void)n, (void)offset;
    return 0;
}

static long null_write(int minor, uint64_t user_src, uint64_t n, uint64_t offset)
{
    (void)minor, (void)user_src, (void)offset;
    return n;
}

static const struct device null_device = {.read = null_read, .write = null_write};

extern const struct device console_device; // console.c
extern const struct device fb_device;      // fb.c
extern const struct device disk_device;    // disk.c
extern const struct device random_device;  // virtio/rng.c
extern const struct device vqstat_device;  // virtio/vqstat.c
extern const struct device kstat_device;   // fs/kstat.c

const struct device *const devices[DEV_MAX] = {
    [DEV_CONSOLE] = &console_device, [DEV_FB] = &fb_device,         [DEV_DISK] = &disk_device,
    [DEV_RANDOM] = &random_device,   [DEV_VQSTAT] = &vqstat_device, [DEV_NULL] = &null_device,
    [DEV_KSTAT] = &kstat_device,
};
