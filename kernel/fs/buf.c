// The buffer cache: a hash table of buffers, and a list of the unreferenced ones from cold to hot.
//
// Lock order: a buffer's mutex, then cache.lock. cache.lock is never held across a sleep; under it
// a mutex is only tried, on a buffer that nobody else can have locked.

#include "kernel/fs/buf.h"
#include "kernel/abi.h"
#include "kernel/mm/page.h"
#include "kernel/proc/lockcheck.h"
#include "kernel/proc/proc.h"

#define MIN_BUFFERS 512
#define MAX_BUFFERS 32768
#define MEMORY_SHARE 16     // the cache takes one page in so many
#define PREFETCH_RESERVE 64 // unreferenced buffers that read-ahead leaves alone
#define SHARED_TRIES 1024 // buffers shared with processes that are passed over when one is re-used

static struct {
    struct spinlock lock;
    struct block_device *device;
    struct lru lru;         // of struct buf, by block
    struct wait_queue room; // who waits for a buffer to become idle
    uint32_t count;
} cache = {.lock = SPINLOCK("cache")};

unsigned buf_total(void)
{
    return cache.count;
}

unsigned buf_idle(void)
{
    return cache.lru.idle;
}

struct block_device *buf_device(void)
{
    return cache.device;
}

// ---- setting up ----

// Buffers with a page each, all in the list. No page is touched before it holds a block, and the
// buffers lie together, apart from the pages: a host gives a guest its memory when it is touched, and
// clears it first, in stretches of up to 2 MiB.
static int take_memory(void)
{
    uint64_t want = page_total() / MEMORY_SHARE;
    want = max_u64(MIN_BUFFERS, min_u64(want, MAX_BUFFERS));
    uint32_t hash_size = MIN_BUFFERS;
    while (hash_size < want)
        hash_size *= 2;
    cache.lru.hash = page_alloc_array(hash_size, sizeof(*cache.lru.hash));
    struct buf *bufs = page_alloc_array(want, sizeof(*bufs));
    if (!cache.lru.hash || !bufs)
        return -ENOMEM;
    memset(cache.lru.hash, 0, hash_size * sizeof(*cache.lru.hash));
    cache.lru.hash_size = hash_size;
    for (; cache.count < want; cache.count++) {
        struct buf *buf = &bufs[cache.count];
        *buf = (struct buf){.data = page_alloc()};
        if (!buf->data)
            return -ENOMEM;
        mutex_init(&buf->lock, "buffer");
        lru_add(&cache.lru, &buf->lru);
    }
    return 0;
}

int buf_init(struct block_device *device)
{
    if (cache.count == 0 && take_memory() < 0)
        return -ENOMEM;
    for (struct lru_entry *entry = cache.lru.coldest; entry; entry = entry->hotter)
        lru_forget(&cache.lru, entry);
    cache.device = device;
    return 0;
}

// ---- finding and re-using ----

// Replaces the page if it is shared, with its contents or without. 0 or -ENOMEM.
static int unshare(struct buf *buf, bool copy)
{
    if (page_refs(buf->data) == 1)
        return 0;
    void *page = page_alloc();
    if (!page)
        return -ENOMEM;
    if (copy)
        memcpy(page, buf->data, BLOCK_SIZE);
    page_put(buf->data);
    buf->data = page;
    return 0;
}

// Picks the buffer to be used again: *out, or NULL if none is idle. Passes over those that processes
// share, as long as there are others: to use one again costs a page. 0 or -ENOMEM. With cache.lock.
static int pick_idle(struct buf **out)
{
    struct buf *buf = (struct buf *)cache.lru.coldest;
    for (unsigned i = 0; buf && page_refs(buf->data) > 1 && i < SHARED_TRIES; i++) {
        lru_get(&cache.lru, &buf->lru);
        lru_put(&cache.lru, &buf->lru, true);
        buf = (struct buf *)cache.lru.coldest;
    }
    *out = buf;
    return buf ? unshare(buf, false) : 0;
}

// Gives an idle buffer to `block`: referenced and locked, invalid. With cache.lock.
static void adopt(struct buf *buf, uint32_t block)
{
    lru_take(&cache.lru, &buf->lru, block);
    buf->valid = false;
    buf->transaction = 0;
    if (!mutex_try_lock(&buf->lock))
        panic("buffer of block %u is locked without a reference", block);
}

// Does the current process have this buffer locked? Then it would wait for itself for ever. A
// buffer that it claimed for read-ahead does not count: the device will unlock that one.
static bool locked_by_caller(const struct buf *buf)
{
    return !buf->prefetching && mutex_held(&buf->lock);
}

// The locked buffer of `block`, valid or not; sleeps for one if all are in use. 0, -ENOMEM or -EIO.
static int buf_get(uint32_t block, struct buf **out)
{
    struct buf *buf;
    spin_lock(&cache.lock);
    while (!(buf = lru_find(&cache.lru, block))) {
        int status = pick_idle(&buf);
        if (buf && status == 0)
            adopt(buf, block);
        if (buf || status < 0) {
            spin_unlock(&cache.lock);
            *out = buf;
            return status;
        }
        sleep_on(&cache.room, &cache.lock);
    }
    bool twice = locked_by_caller(buf);
    if (!twice)
        lru_get(&cache.lru, &buf->lru);
    spin_unlock(&cache.lock);
    if (twice)
        return -EIO;
    mutex_lock(&buf->lock);
    *out = buf;
    return 0;
}

int buf_read(uint32_t block, struct buf **out)
{
    struct buf *buf;
    int status = buf_get(block, &buf);
    if (status < 0)
        return status;
    if (!buf->valid) {
        status = block_transfer(cache.device, BLOCK_READ, block, buf->data);
        buf->valid = status == 0;
        if (status < 0) {
            buf_release(buf);
            return -EIO;
        }
    }
    *out = buf;
    return 0;
}

int buf_private(struct buf *buf)
{
    return unshare(buf, true);
}

int buf_fresh(uint32_t block, struct buf **out)
{
    int status = buf_get(block, out);
    if (status == 0 && (status = unshare(*out, false)) < 0)
        buf_release(*out);
    if (status == 0)
        (*out)->valid = true;
    return status;
}

struct buf *buf_cached(uint32_t block)
{
    spin_lock(&cache.lock);
    struct buf *buf = lru_find(&cache.lru, block);
    if (buf && locked_by_caller(buf))
        buf = NULL;
    if (buf)
        lru_get(&cache.lru, &buf->lru);
    spin_unlock(&cache.lock);
    if (buf)
        mutex_lock(&buf->lock);
    return buf;
}

struct buf *buf_claim(uint32_t block)
{
    struct buf *buf = NULL;
    spin_lock(&cache.lock);
    if (cache.lru.idle > PREFETCH_RESERVE && !lru_find(&cache.lru, block) && pick_idle(&buf) == 0 &&
        buf)
        adopt(buf, block);
    else
        buf = NULL;
    if (buf)
        buf->prefetching = true;
    spin_unlock(&cache.lock);
    // It is the device that will unlock it.
    if (buf)
        lockcheck_handed_over(&buf->lock);
    return buf;
}

void buf_claim_done(struct buf *buf, bool valid)
{
    buf->valid = valid;
    mutex_unlock(&buf->lock);
    // In this order: once the flag is clear, a lock is the caller's own (locked_by_caller).
    spin_lock(&cache.lock);
    buf->prefetching = false;
    spin_unlock(&cache.lock);
    buf_drop(buf);
}

void buf_release(struct buf *buf)
{
    mutex_unlock(&buf->lock);
    buf_drop(buf);
}

void buf_hold(struct buf *buf)
{
    spin_lock(&cache.lock);
    lru_get(&cache.lru, &buf->lru);
    spin_unlock(&cache.lock);
}

void buf_drop(struct buf *buf)
{
    spin_lock(&cache.lock);
    // An invalid buffer is of no use to anyone: it is the first to be used again.
    if (lru_put(&cache.lru, &buf->lru, buf->valid))
        wake_all(&cache.room);
    spin_unlock(&cache.lock);
}
