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
    struct buf **hash;
    uint32_t hash_size; // a power of two
    struct buf *coldest, *hottest;
    uint32_t idle;          // length of that list
    struct wait_queue room; // who waits for a buffer to become unreferenced
    uint32_t count;
} cache = {.lock = SPINLOCK("cache")};

unsigned buf_total(void)
{
    return cache.count;
}

unsigned buf_idle(void)
{
    return cache.idle;
}

struct block_device *buf_device(void)
{
    return cache.device;
}

// ---- the lists; the caller holds cache.lock ----

static struct buf **bucket(uint32_t block)
{
    return &cache.hash[(block * 2654435761u >> 8) & (cache.hash_size - 1)];
}

static struct buf *hash_find(uint32_t block)
{
    struct buf *buf = *bucket(block);
    while (buf && buf->block != block)
        buf = buf->hash_next;
    return buf;
}

static void hash_insert(struct buf *buf, uint32_t block)
{
    buf->block = block;
    buf->hash_next = *bucket(block);
    *bucket(block) = buf;
}

// Block 0 is never read, so a buffer with that number is in no chain.
static void hash_remove(struct buf *buf)
{
    if (buf->block == 0)
        return;
    struct buf **at = bucket(buf->block);
    while (*at != buf)
        at = &(*at)->hash_next;
    *at = buf->hash_next;
    buf->block = 0;
}

static void idle_remove(struct buf *buf)
{
    *(buf->colder ? &buf->colder->hotter : &cache.coldest) = buf->hotter;
    *(buf->hotter ? &buf->hotter->colder : &cache.hottest) = buf->colder;
    cache.idle--;
}

static void idle_insert(struct buf *buf, bool hot)
{
    buf->colder = hot ? cache.hottest : NULL;
    buf->hotter = hot ? NULL : cache.coldest;
    *(buf->colder ? &buf->colder->hotter : &cache.coldest) = buf;
    *(buf->hotter ? &buf->hotter->colder : &cache.hottest) = buf;
    cache.idle++;
}

// ---- setting up ----

// Buffers with a page each, all in the list. No page is touched before it holds a block, and the
// buffers lie together, apart from the pages: a host gives a guest its memory when it is touched, and
// clears it first, in stretches of up to 2 MiB.
static int take_memory(void)
{
    uint64_t want = page_total() / MEMORY_SHARE;
    want = max_u64(MIN_BUFFERS, min_u64(want, MAX_BUFFERS));
    cache.hash_size = MIN_BUFFERS;
    while (cache.hash_size < want)
        cache.hash_size *= 2;
    cache.hash = page_alloc_array(cache.hash_size, sizeof(*cache.hash));
    struct buf *bufs = page_alloc_array(want, sizeof(*bufs));
    if (!cache.hash || !bufs)
        return -ENOMEM;
    for (; cache.count < want; cache.count++) {
        struct buf *buf = &bufs[cache.count];
        *buf = (struct buf){.data = page_alloc()};
        if (!buf->data)
            return -ENOMEM;
        mutex_init(&buf->lock, "buffer");
        idle_insert(buf, true);
    }
    return 0;
}

int buf_init(struct block_device *device)
{
    if (cache.count == 0 && take_memory() < 0)
        return -ENOMEM;
    memset(cache.hash, 0, cache.hash_size * sizeof(struct buf *));
    for (struct buf *buf = cache.coldest; buf; buf = buf->hotter) {
        buf->block = 0;
        buf->valid = false;
    }
    cache.device = device;
    return 0;
}

// ---- finding and re-using ----

// Takes an unreferenced buffer out of the list. Buffers that processes share stay, if that is
// possible: re-using them would cost a page. *out is NULL if there is no buffer now. 0 or -ENOMEM.
// With cache.lock.
static int take_idle(struct buf **out)
{
    struct buf *buf = cache.coldest;
    for (unsigned i = 0; buf && page_refs(buf->data) > 1 && i < SHARED_TRIES; i++) {
        idle_remove(buf);
        idle_insert(buf, true);
        buf = cache.coldest;
    }
    *out = buf;
    if (!buf)
        return 0;
    if (page_refs(buf->data) > 1) {
        void *page = page_alloc();
        if (!page)
            return -ENOMEM;
        page_put(buf->data);
        buf->data = page;
    }
    idle_remove(buf);
    hash_remove(buf);
    buf->valid = false;
    buf->transaction = 0;
    return 0;
}

// Gives a buffer taken from the list to `block`: referenced and locked. With cache.lock.
static void adopt(struct buf *buf, uint32_t block)
{
    buf->references = 1;
    hash_insert(buf, block);
    if (!mutex_try_lock(&buf->lock))
        panic("buffer of block %u is locked without a reference", block);
}

static void reference(struct buf *buf)
{
    if (buf->references++ == 0)
        idle_remove(buf);
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
    while (!(buf = hash_find(block))) {
        int status = take_idle(&buf);
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
        reference(buf);
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
        struct block_segment segment = {buf->data, BLOCK_SIZE};
        struct block_request request = {
            .op = BLOCK_READ, .block = block, .segments = &segment, .count = 1};
        status = block_do(cache.device, &request);
        buf->valid = status == 0;
        if (status < 0) {
            buf_release(buf);
            return -EIO;
        }
    }
    *out = buf;
    return 0;
}

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
    struct buf *buf = hash_find(block);
    if (buf && locked_by_caller(buf))
        buf = NULL;
    if (buf)
        reference(buf);
    spin_unlock(&cache.lock);
    if (buf)
        mutex_lock(&buf->lock);
    return buf;
}

struct buf *buf_claim(uint32_t block)
{
    struct buf *buf = NULL;
    spin_lock(&cache.lock);
    if (cache.idle > PREFETCH_RESERVE && !hash_find(block) && take_idle(&buf) == 0 && buf)
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
    reference(buf);
    spin_unlock(&cache.lock);
}

void buf_drop(struct buf *buf)
{
    spin_lock(&cache.lock);
    if (--buf->references == 0) {
        // An invalid buffer is of no use to anyone: the first to be re-used.
        idle_insert(buf, buf->valid);
        wake_all(&cache.room);
    }
    spin_unlock(&cache.lock);
}
