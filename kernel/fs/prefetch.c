// Read-ahead for the buffer cache: reads that nobody waits for.
//
// The buffers stay locked while the device fills them; whoever wants one sleeps on its mutex. The
// device's completion marks them valid and releases them.

#include "kernel/fs/buf.h"
#include "kernel/mm/page.h"

#define BATCH_BLOCKS 32

// One call's reads, in a page of their own: the blocks that are neighbours on the disk share a
// request.
struct batch {
    unsigned pending; // requests that the device has not finished
    unsigned requests, count;
    struct block_request request[BATCH_BLOCKS];
    struct block_segment segment[BATCH_BLOCKS];
    struct buf *buf[BATCH_BLOCKS]; // that segment[i] fills
};
_Static_assert(sizeof(struct batch) <= PAGE_SIZE, "a batch is a page");

// The device is done with a request; see block.h for where this runs.
static void prefetch_done(struct block_request *request)
{
    struct batch *batch = request->owner;
    unsigned first = request->segments - batch->segment;
    for (unsigned i = first; i < first + request->count; i++)
        buf_claim_done(batch->buf[i], request->status == 0);
    // Acquire and release: the one that frees the page comes after all others are through with it.
    if (__atomic_sub_fetch(&batch->pending, 1, __ATOMIC_ACQ_REL) == 0)
        page_put(batch);
}

static void batch_add(struct batch *batch, struct buf *buf, unsigned max_segments)
{
    struct block_request *last = batch->requests ? &batch->request[batch->requests - 1] : NULL;
    if (!last || last->block + last->count != buf->lru.number || last->count == max_segments) {
        struct block_request *request = &batch->request[batch->requests++];
        *request = (struct block_request){.op = BLOCK_READ,
                                          .block = buf->lru.number,
                                          .segments = &batch->segment[batch->count],
                                          .done = prefetch_done,
                                          .owner = batch};
        if (last)
            last->next = request;
        last = request;
    }
    last->count++;
    batch->segment[batch->count] = (struct block_segment){buf->data, BLOCK_SIZE};
    batch->buf[batch->count++] = buf;
}

static void prefetch_batch(const uint32_t *blocks, unsigned count)
{
    struct block_device *device = buf_device();
    struct batch *batch = page_alloc();
    if (!batch)
        return;
    batch->requests = batch->count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct buf *buf = buf_claim(blocks[i]);
        if (buf)
            batch_add(batch, buf, device->max_segments);
    }
    batch->pending = batch->requests;
    if (batch->requests)
        block_submit(device, batch->request);
    else
        page_put(batch);
}

void buf_prefetch(const uint32_t *blocks, unsigned count)
{
    for (unsigned i = 0; i < count; i += BATCH_BLOCKS)
        prefetch_batch(blocks + i, min_u64(count - i, BATCH_BLOCKS));
}
