// Character devices: what open(), read(), write(), ioctl() and mmap() do on a T_DEVICE inode. Each
// driver defines a struct device. device.c has the table, by major number (inode_types.h).

#ifndef RINGFENCE_DEVICE_H
#define RINGFENCE_DEVICE_H

#include "kernel/abi.h"
#include "kernel/lib.h"

// A member may be NULL: then open succeeds, and the others return -EINVAL (read, write), -ENOTTY
// (ioctl) or -ENODEV (mmap). Addresses belong to the current process. All may sleep. They return a
// negative E number if they fail.
struct device {
    int (*open)(int minor);
    long (*read)(int minor, uint64_t user_dst, uint64_t n, uint64_t offset);
    long (*write)(int minor, uint64_t user_src, uint64_t n, uint64_t offset);
    long (*ioctl)(int minor, uint64_t request, uint64_t user_argument);
    // Maps `length` bytes of the device, from `offset` on, and returns their address.
    long (*mmap)(int minor, uint64_t length, uint64_t offset);
};

extern const struct device *const devices[DEV_MAX]; // NULL: no such device

#endif
