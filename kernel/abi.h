// The contract between the kernel and user programs: system calls, flags, structures, error
// numbers.
//
// Calls 1 to 21 have the numbers, arguments, results and limits of xv6-riscv, so xv6's binaries run
// unchanged. A program puts the number of the call in a7 and the arguments in a0 to a5. The result
// comes back in a0: -1 for every failure, as in xv6. Then a1 contains the reason, one of the E
// numbers below; after a success it contains 0. Programs of xv6 ignore a1, ours find it in `errno`.
//
// The kernel and user programs include this file. It declares no functions. Host programs include
// inode_types.h instead.

#ifndef RINGFENCE_ABI_H
#define RINGFENCE_ABI_H

#include "kernel/inode_types.h" // T_DIR ..., DEV_CONSOLE ...

#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

// System call numbers.
#define SYS_fork 1
#define SYS_exit 2
#define SYS_wait 3
#define SYS_pipe 4
#define SYS_read 5
#define SYS_kill 6
#define SYS_exec 7
#define SYS_fstat 8
#define SYS_chdir 9
#define SYS_dup 10
#define SYS_getpid 11
#define SYS_sbrk 12   // sbrk(n), or sbrk(n, SBRK_LAZY); any other second argument means "now"
#define SYS_pause 13  // pause(n): sleep n ticks of 100 ms (xv6 called it sleep until 2025)
#define SYS_uptime 14 // ticks of 100 ms since boot
#define SYS_open 15
#define SYS_write 16
#define SYS_mknod 17
#define SYS_unlink 18
#define SYS_link 19
#define SYS_mkdir 20
#define SYS_close 21
// Ringfence's own.
#define SYS_ioctl 64     // ioctl(fd, request, pointer)
#define SYS_mmap 65      // mmap(length, fd, offset) -> address; devices only (/dev/fb0)
#define SYS_munmap 66    // munmap(address, length)
#define SYS_lseek 67     // lseek(fd, offset, whence) -> new offset
#define SYS_fsync 68     // fsync(fd): returns when the file and its name are on the disk for good
#define SYS_nanosleep 69 // nanosleep(nanoseconds)
#define SYS_clock_gettime 70 // clock_gettime() -> nanoseconds since boot
#define SYS_reboot 71        // reboot(REBOOT_*): sync, then SBI system reset
#define SYS_MAX 71

// Limits that programs can see, the same as in xv6.
#define NOFILE 16   // open files of one process
#define MAXARG 32   // arguments of exec
#define MAXPATH 128 // bytes of a path, with its zero
#define TICK_MS 100 // one tick of pause() and uptime()

#define SBRK_EAGER 1
#define SBRK_LAZY 2

// open()
#define O_RDONLY 0x000
#define O_WRONLY 0x001
#define O_RDWR 0x002
#define O_CREATE 0x200
#define O_TRUNC 0x400
#define O_APPEND 0x800

// lseek()
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

// reboot()
#define REBOOT_POWEROFF 0
#define REBOOT_RESTART 1

// Errors, with Linux's numbers.
#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EIO 5
#define E2BIG 7
#define ENOEXEC 8
#define EBADF 9
#define ECHILD 10
#define EAGAIN 11
#define ENOMEM 12
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define EXDEV 18
#define ENODEV 19
#define ENOTDIR 20
#define EISDIR 21
#define EINVAL 22
#define ENFILE 23
#define EMFILE 24
#define ENOTTY 25
#define EFBIG 27
#define ENOSPC 28
#define ESPIPE 29
#define EROFS 30
#define EMLINK 31
#define EPIPE 32
#define ENAMETOOLONG 36
#define ENOSYS 38
#define ENOTEMPTY 39
#define ETIMEDOUT 110

#ifndef __ASSEMBLER__

// fstat(), with xv6's layout.
struct stat {
    int32_t dev;   // file system's disk device
    uint32_t ino;  // inode number
    int16_t type;  // T_DIR, T_FILE, T_DEVICE
    int16_t nlink; // number of links to the file
    uint64_t size; // bytes
};

// ---- /dev/console ----

// ioctl(): pass a pointer to a uint32_t. In raw mode, read() returns bytes as they arrive, without
// an echo. In cooked mode (the default), it returns lines, and you can erase a byte (backspace),
// erase the line (^U) or end the file (^D). ^C kills the foreground process and its descendants.
#define CONSOLE_SET_RAW 0x101        // in: 1 raw, 0 cooked
#define CONSOLE_SET_FOREGROUND 0x102 // in: the pid that ^C kills, 0 for none
#define CONSOLE_GET_PENDING 0x103    // out: bytes that a raw read() would return at once

// ---- /dev/fb0 ----
//
// Two buffers of width x height pixels, 32 bits each (0x00RRGGBB), rows `stride` bytes apart.
// mmap(fd) with offset 0 and length FB_BUFFERS * buffer_bytes maps both, buffer 0 first. A mapping
// stays valid after a change of mode, but the display does not show what you draw into it.

#define FB_GET_INFO 0x201 // out: struct fb_info
#define FB_SET_MODE 0x202 // in: struct fb_mode; EINVAL for a size of 0 or above FB_MAX_*, ENOMEM
#define FB_PRESENT 0x203  // in: struct fb_present
#define FB_WAIT 0x204     // no argument; returns when every present so far is done

#define FB_BUFFERS 2
#define FB_MAX_WIDTH 3840
#define FB_MAX_HEIGHT 2160
#define FB_MAX_RECTS 15 // what fits into one batch of commands (gpu_batch.h)

struct fb_info {
    uint32_t width, height;                 // pixels
    uint32_t stride;                        // bytes from one row to the next
    uint32_t buffer_bytes;                  // size of one buffer, a multiple of 4096
    uint32_t display_width, display_height; // what the device says it prefers
    uint64_t presents;                      // completed since boot
};

struct fb_mode {
    uint32_t width, height;
};

struct fb_rect {
    uint32_t x, y, width, height;
};

// Transfers the damaged rectangles of `buffer` to the host, shows that buffer, and flushes them,
// all with one kick. With FB_ASYNC the call does not wait for the device. Then do not draw into the
// buffer until a later FB_WAIT, or a later present of the other buffer without FB_ASYNC, has
// returned.
struct fb_present {
    uint32_t buffer; // 0 or 1
    uint32_t flags;  // FB_ASYNC
    uint32_t nrects; // 0 means the whole picture
    uint32_t reserved;
    struct fb_rect rects[FB_MAX_RECTS];
};
#define FB_ASYNC 1

// ---- /dev/disk0 ----

#define DISK_GET_INFO 0x301 // out: struct disk_info
#define DISK_READV 0x302 // in: struct disk_readv; reads past every cache, all requests in one kick
#define DISK_FLUSH 0x303 // argument unused: VIRTIO_BLK_T_FLUSH
// in: struct disk_readv with count 1; only when the disk is not mounted, or to a block past the
// file system's end
#define DISK_WRITE 0x304

struct disk_info {
    uint64_t blocks;    // of 4096 bytes
    uint64_t fs_blocks; // of them used by the mounted file system, 0 if it is not on this disk
    uint32_t read_only;
    uint32_t max_batch;
};

#define DISK_MAX_BATCH 32
struct disk_readv {
    uint32_t count; // entries used
    uint32_t reserved;
    struct {
        uint64_t block;  // first block of 4096 bytes
        uint64_t buffer; // user address, a multiple of 4096
        uint64_t blocks; // how many; the sum over all entries is at most 1024
    } entry[DISK_MAX_BATCH];
};

// ---- /dev/vqstat ----

// One for each queue. read() returns as many whole entries as fit. The counts start at boot; a
// reset of the device does not change them.
struct vqstat {
    char name[16];        // "blk0", "gpu0.control", "rng0", ...
    uint32_t size;        // descriptors
    uint32_t in_flight;   // chains with the device now
    uint64_t adds;        // chains added
    uint64_t completions; // chains taken off the used ring
    uint64_t bytes;       // bytes the device says it wrote
    uint64_t kicks;       // doorbells rung
    uint64_t kicks_saved; // doorbells not rung, because the device had asked for none
    uint64_t polls;       // looks at the used ring by poll_used()
    uint64_t spins;       // those that found nothing
    uint64_t fences;      // barriers executed for this queue
    uint64_t interrupts;  // interrupts taken
    uint64_t sleeps;      // times a process slept for a completion
    uint64_t errors;      // protocol violations by the device (the queue is broken after one)
};

// ---- /dev/kstat ----

struct kstat {
    uint64_t memory_pages;   // pages the allocator owns
    uint64_t free_pages;     // those that are free
    uint64_t processes;      // processes, with zombies and kernel threads
    uint64_t open_files;     // open files in the whole system
    uint64_t inodes;         // in-memory inodes with references
    uint64_t buffers_pinned; // cached blocks that wait to be committed or written home
    uint64_t harts;          // harts that have started
    uint64_t context_switches;
    uint64_t log_commits;
    uint64_t fs_free_blocks, fs_free_inodes;
    uint64_t root_is_disk; // 1: virtio disk, 0: initrd
    uint64_t system_calls; // since boot
    uint64_t buffers_held; // cached blocks in use, also by the log
};

#endif // __ASSEMBLER__
#endif
