// Block devices as the file system and /dev/disk0 see them. A driver (virtio/blk.c, dev/ramdisk.c)
// fills in a struct block_device and registers it.

#ifndef RINGFENCE_BLOCK_H
#define RINGFENCE_BLOCK_H

#include "kernel/fs/format.h"
#include "kernel/lib.h"
#include "kernel/proc/lock.h"

// A flush covers the writes that were done when it was submitted, not those still in flight.
enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

// A stretch of memory, a multiple of 512 bytes. `memory` is a direct-map pointer (mm/page.h).
struct block_segment {
    void *memory;
    uint32_t length;
};

#define BLOCK_PENDING 1

// One request: segments are read from, or written to, consecutive places on the device. The caller
// owns it all until status is no longer BLOCK_PENDING.
struct block_request {
    enum block_op op;
    // A BLOCK_FLUSH has no use for these three: nobody looks at them.
    uint64_t block; // first block, of BLOCK_SIZE bytes
    struct block_segment *segments;
    unsigned count; // at most the device's max_segments
    int status;     // BLOCK_PENDING, then 0 or -EIO, -EROFS, -EINVAL, -ETIMEDOUT
    // If set, called once when the request is done, status already final; from interrupt or another
    // process's wait, with no lock of the caller's: must not sleep. It may reuse or free the
    // request.
    void (*done)(struct block_request *request);
    void *owner;                // the caller's, for done()
    struct block_request *next; // the caller links a batch; then the driver's
    struct wait_queue sleepers; // the driver's: who sleeps in block_wait() for it
};

struct block_device {
    const char *name;      // "disk0", "initrd"
    uint64_t blocks;       // size
    unsigned max_segments; // a request may have, at least 1
    bool read_only;
    bool persistent;         // false for the initrd
    uint64_t mounted_blocks; // of the file system mounted from it (fs_mount() sets it), or 0
    // Hands a chain of requests (linked by `next`, ended by NULL) to the device, with one kick for
    // all. Never waits for their completion. The driver takes any number. It may sleep until there
    // is room for them (virtio/blk.c has a list instead), so callers hold no spinlock.
    void (*submit)(struct block_device *device, struct block_request *chain);
    // Sleeps until request->status is final; may poll for a while before. Only for requests without
    // done(). Returns the status.
    int (*wait)(struct block_device *device, struct block_request *request);
    void *driver; // the driver's own
};

void block_register(struct block_device *device);
struct block_device *block_find(const char *name); // NULL if there is none

static inline void block_submit(struct block_device *device, struct block_request *chain)
{
    device->submit(device, chain);
}

static inline int block_wait(struct block_device *device, struct block_request *request)
{
    return device->wait(device, request);
}

// Submits one request without done() and waits for it.
int block_do(struct block_device *device, struct block_request *request);

// Sends one block, a page, to or from the device and waits for it.
int block_transfer(struct block_device *device, enum block_op op, uint64_t block, void *page);
// Returns when every write that is done by now is on the disk for good.
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

// For drivers: is the request one that the device can be given? 0, -EINVAL (segments, or beyond the
// end) or -EROFS.
int block_check(const struct block_device *device, const struct block_request *request);

#endif
