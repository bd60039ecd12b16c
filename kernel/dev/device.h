// Character devices: what open(), read(), write(), ioctl() and mmap() do on a T_DEVICE inode. Each driver file fills
// one of these; device.c holds the table, by major number (abi.h).

#ifndef RINGFENCE_DEVICE_H
#define RINGFENCE_DEVICE_H

#include "kernel/abi.h"
#include "kernel/lib.h"

// Members may be NULL: open then succeeds, the others fail with -EINVAL (read, write), -ENOTTY
// (ioctl), -ENODEV (mmap). Addresses are the current process's. All may sleep. Negative E on failure.
struct device {
    int (*open)(int minor);
    long (*read)(int minor, uint64_t user_dst, uint64_t n, uint64_t offset);
    long (*write)(int minor, uint64_t user_src, uint64_t n, uint64_t offset);
    long (*ioctl)(int minor, uint64_t request, uint64_t user_argument);
    // Maps `length` bytes of the device from `offset` on into the current process; its address.
    long (*mmap)(int minor, uint64_t length, uint64_t offset);
};

extern const struct device *const devices[DEV_MAX]; // NULL: no such device

#endif
