// Block devices, as the file system and /dev/disk0 see them. A driver (virtio/blk.c, dev/ramdisk.c)
// fills in a struct block_device and registers it.

#ifndef RINGFENCE_BLOCK_H
#define RINGFENCE_BLOCK_H

#include "kernel/fs/format.h"
#include "kernel/lib.h"
#include "kernel/proc/lock.h"

// A flush covers the writes that were done when you submitted it, not those still in flight.
enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

// Contiguous memory. `memory` points into the direct map (mm/page.h). `length` is in bytes, a
// multiple of 512.
struct block_segment {
    void *memory;
    uint32_t length;
};

#define BLOCK_PENDING 1

// One request: the segments are read from, or written to, consecutive blocks of the device. You own
// the request and all it points to, but leave it alone while its status is BLOCK_PENDING.
struct block_request {
    enum block_op op;
    // Not used by a BLOCK_FLUSH.
    uint64_t block; // first block, of BLOCK_SIZE bytes
    struct block_segment *segments;
    unsigned count; // at most the device's max_segments
    int status;     // BLOCK_PENDING, then 0 or -EIO, -EROFS, -EINVAL, -ETIMEDOUT
    // May be NULL. Called once when the request is done and its status is final, from an interrupt
    // or from another process that waits, with no lock held. It must not sleep. It may use the
    // request again, or free it.
    void (*done)(struct block_request *request);
    void *owner;                // for your done()
    struct block_request *next; // links the requests that you submit; the driver overwrites it
    struct wait_queue sleepers; // used by the driver: processes in block_wait() for this request
};

struct block_device {
    const char *name;      // "disk0", "initrd"
    uint64_t blocks;       // size
    unsigned max_segments; // the most that one request may have; at least 1
    bool read_only;
    bool persistent;         // false for the initrd
    uint64_t mounted_blocks; // size of the file system mounted from it, or 0; set by fs_mount()
    // Gives requests (linked by `next`, ended by NULL) to the device, with one kick for all. Takes
    // any number and does not wait until they are done. It may sleep until there is room
    // (virtio/blk.c keeps a waiting list instead), so hold no spinlock.
    void (*submit)(struct block_device *device, struct block_request *chain);
    // Sleeps until the request is done; may poll first. Only for a request without done(). Returns
    // the status.
    int (*wait)(struct block_device *device, struct block_request *request);
    void *driver; // used by the driver
};

void block_register(struct block_device *device);  // at boot; the device stays for ever
struct block_device *block_find(const char *name); // NULL if there is none

static inline void block_submit(struct block_device *device, struct block_request *chain)
{
    device->submit(device, chain);
}

static inline int block_wait(struct block_device *device, struct block_request *request)
{
    return device->wait(device, request);
}

// Submits one request and waits for it. Returns its status. Sleeps, like the four functions below.
int block_do(struct block_device *device, struct block_request *request);

// Sends one block, a page, to or from the device and waits for it.
int block_transfer(struct block_device *device, enum block_op op, uint64_t block, void *page);
// Returns when every write that is done by now is safely on the disk.
int block_flush(struct block_device *device);

// Sends `count` requests without done(), linked by `next`, with one kick, and waits for all of
// them. 0, or the first error.
int block_run(struct block_device *device, struct block_request *requests, unsigned count);

// Requests for many single blocks. You own the two arrays, with room for each block.
struct block_list {
    struct block_device *device;
    enum block_op op;
    struct block_request *requests; // linked by `next`
    struct block_segment *segments;
    unsigned count, blocks; // used of each array
};
// Adds a block, whose contents are or will be in `page`: to the last request if it goes on there.
void block_list_add(struct block_list *list, uint64_t block, void *page);

// For drivers: checks a request. Returns 0, -EINVAL (its segments, or beyond the end of the device)
// or -EROFS.
int block_check(const struct block_device *device, const struct block_request *request);

#endif
