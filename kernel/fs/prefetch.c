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

static void prefetch_batch(const uint32_t *blocks, unsigned count)
{
    struct batch *batch = page_alloc();
    if (!batch)
        return;
    struct block_list list = {.device = buf_device(),
                              .op = BLOCK_READ,
                              .requests = batch->request,
                              .segments = batch->segment};
    for (unsigned i = 0; i < count; i++) {
        struct buf *buf = buf_claim(blocks[i]);
        if (!buf)
            continue;
        batch->buf[list.blocks] = buf;
        block_list_add(&list, blocks[i], buf->data);
    }
    for (unsigned i = 0; i < list.count; i++) {
        batch->request[i].done = prefetch_done;
        batch->request[i].owner = batch;
    }
    batch->pending = list.count;
    if (list.count > 0)
        block_submit(list.device, list.requests);
    else
        page_put(batch);
}

void buf_prefetch(const uint32_t *blocks, unsigned count)
{
    for (unsigned i = 0; i < count; i += BATCH_BLOCKS)
        prefetch_batch(blocks + i, min_u64(count - i, BATCH_BLOCKS));
}
