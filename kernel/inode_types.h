// The types of inodes, on the disk and in struct stat. Host programs include this file. They cannot
// include abi.h: its struct stat and O_ flags would clash with the host's.

#ifndef RINGFENCE_INODE_TYPES_H
#define RINGFENCE_INODE_TYPES_H

#define T_DIR 1
#define T_FILE 2
#define T_DEVICE 3

// Device numbers (majors). The minor number distinguishes devices of the same kind.
#define DEV_CONSOLE 1 // /dev/console
#define DEV_FB 2      // /dev/fb0
#define DEV_DISK 3    // /dev/disk0: the raw disk
#define DEV_RANDOM 4  // /dev/random: bytes from virtio-rng
#define DEV_VQSTAT 5  // /dev/vqstat: an array of struct vqstat, one for each queue
#define DEV_NULL 6    // /dev/null
#define DEV_KSTAT 7   // /dev/kstat: one struct kstat
#define DEV_MAX 8

#endif
