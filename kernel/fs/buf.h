// The buffer cache: blocks of the disk in memory, one page each.
//
// Lock a buffer (a mutex) to read or change its contents. A reference keeps it in the cache:
// whoever has locked it holds one, and so does the log, from the first change until the block is
// written home. The cache uses idle buffers again, least recently used first (lru.h).
//
// The cache may share a page with processes that run it as a program (inode_share_page). Before you
// change a buffer, give it a page of its own: buf_private().

#ifndef RINGFENCE_BUF_H
#define RINGFENCE_BUF_H

#include "kernel/fs/block.h"
#include "kernel/fs/lru.h"

struct buf {
    // Guarded by cache.lock (buf.c).
    struct lru_entry lru; // lru.number is the block
    bool prefetching;     // locked on behalf of the device

    struct mutex lock;
    // Guarded by `lock`.
    bool valid; // the contents are the block's
    void *data; // a page

    // Used by the log, guarded by log.lock (log.c).
    uint64_t transaction; // the last one that changed it
    uint32_t slot;        // its place among that transaction's blocks
    bool logged;          // committed, and not yet written home
};

// Makes an empty cache for the blocks of `device`. The first call also allocates the memory.
// Returns 0 or -ENOMEM.
int buf_init(struct block_device *device);
unsigned buf_total(void);
unsigned buf_idle(void); // buffers without a reference

// Returns the buffer of `block` in *out, locked, with a reference. Reads it from the disk if
// necessary. May sleep. Returns 0, -EIO or -ENOMEM. Returns -EIO also if you have locked it
// already: a corrupt disk may use one block for two things.
int buf_read(uint32_t block, struct buf **out);
// The same for a block that you overwrite from end to end: it is not read, and its page is not
// shared. Returns 0, -ENOMEM, or -EIO as above.
int buf_fresh(uint32_t block, struct buf **out);
// The same for a block that is cached. NULL if it is not, or if you have locked it.
struct buf *buf_cached(uint32_t block);
// Gives a locked buffer a page that is not shared. Call it before you change the contents. Returns
// 0 or -ENOMEM.
int buf_private(struct buf *buf);
// Unlocks the buffer and drops the reference. Never sleeps.
void buf_release(struct buf *buf);

// One more reference, one less. You need not hold the buffer's mutex. Never sleep.
void buf_hold(struct buf *buf);
void buf_drop(struct buf *buf);

// prefetch.c: starts reading the blocks that are not cached, and does not wait for them.
void buf_prefetch(const uint32_t *blocks, unsigned count);
// For prefetch.c: a locked, invalid buffer for `block`, to be filled by the device. NULL if the
// block is cached, or if few buffers are idle.
struct buf *buf_claim(uint32_t block);
// The device has filled it (`valid`), or has failed: unlocks it. Never sleeps.
void buf_claim_done(struct buf *buf, bool valid);
struct block_device *buf_device(void);

#endif
