// The buffer cache: blocks of the disk in memory, one page each.
//
// A buffer is locked (a mutex) by whoever reads or changes its contents, and referenced by whoever
// needs it to stay: the one that has it locked, and the log from the moment it was changed until it
// is written home. Buffers without references are re-used, least recently used first.
//
// A page of the cache may be shared with processes that run it as program text (inode_share_page).
// Before such a page is changed the cache takes a page of its own: buf_private().

#ifndef RINGFENCE_BUF_H
#define RINGFENCE_BUF_H

#include "kernel/fs/block.h"
#include "kernel/fs/lru.h"

struct buf {
    // Guarded by the cache's lock (buf.c).
    struct lru_entry lru; // lru.number is the block
    bool prefetching;     // locked on behalf of the device

    struct mutex lock;
    // Guarded by `lock`.
    bool valid; // the contents are the block's
    void *data; // a page

    // The log's (log.c), guarded by its lock.
    uint64_t transaction; // in which it was last changed
    uint32_t slot;        // its place among that transaction's blocks
    bool logged;          // committed to the log and not yet written home
};

// Makes an empty cache of `device`'s blocks; the first call also takes the memory. 0 or -ENOMEM.
int buf_init(struct block_device *device);
unsigned buf_total(void);
unsigned buf_idle(void); // of them without a reference

// Locks the buffer of `block`, reading it first if need be. May sleep. 0, -EIO or -ENOMEM. -EIO too
// if the caller has it locked already: that happens when a corrupt disk uses a block for two
// things.
int buf_read(uint32_t block, struct buf **out);
// The same for a block that the caller is about to overwrite from end to end: it is not read, and
// its page is nobody else's. 0, -ENOMEM, -EIO as above.
int buf_fresh(uint32_t block, struct buf **out);
// The same if it is cached (and not locked by the caller), else NULL.
struct buf *buf_cached(uint32_t block);
// Gives a locked buffer a page that it does not share. Called before it is changed. 0 or -ENOMEM.
int buf_private(struct buf *buf);
// Unlocks the buffer and drops the reference. Never sleeps.
void buf_release(struct buf *buf);

// A reference more, one less, without the lock.
void buf_hold(struct buf *buf);
void buf_drop(struct buf *buf);

// Starts reading those of `count` blocks that are not cached, and does not wait (prefetch.c).
void buf_prefetch(const uint32_t *blocks, unsigned count);
// For it: a locked, invalid buffer for a block that is not cached. NULL if it is cached, or if
// memory is short.
struct buf *buf_claim(uint32_t block);
void buf_claim_done(struct buf *buf, bool valid); // it has been read, or not; never sleeps
struct block_device *buf_device(void);

#endif
