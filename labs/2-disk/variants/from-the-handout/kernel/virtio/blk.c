// The block device (VirtIO 1.2, 5.2), as block device "disk0".
//
// A request is a chain of descriptors: a header that says what to do, the data, and a byte for the
// status. Header and status lie in a slot of memory that the device can reach (a process's stack is
// none). Requests that find no slot or no descriptors wait in a list, first come, first served,
// until completions make room.

#include "kernel/abi.h"
#include "kernel/fs/block.h"
#include "kernel/mm/page.h"
#include "kernel/proc/proc.h"
#include "kernel/virtio/barrier.h"
#include "kernel/virtio/drivers.h"
#include "kernel/virtio/queue.h"
#include "kernel/virtio/virtio.h"

#define QUEUE_SIZE 256
#define SLOTS (QUEUE_SIZE / 2)        // a request takes two descriptors at least
#define MAX_SEGMENTS (QUEUE_SIZE - 2) // header and status take two
#define STATUS_NONE 0xff              // no device answers this

// What the device reads and writes of a request besides the data.
struct blk_dma {
    struct virtio_blk_header header;
    uint8_t status; // the device's to write
};

// A request that is with the device; the token of its chain.
struct blk_slot {
    struct blk_dma *dma;
    struct block_request *request;
    struct blk_slot *next_free;
};

static struct {
    struct virtio_device device;
    struct virtio_queue queue;
    struct block_device disk;
    // Guarded by queue.lock.
    struct blk_slot slots[SLOTS];
    struct blk_slot *free;
    struct block_request *waiting_first, *waiting_last; // for room, linked by `next`
    struct virtq_buf bufs[MAX_SEGMENTS + 2];            // of the chain that is being built
} blk;

// ---- a request's life begins and ends ----

// Takes a request that was submitted, with the lock held: it is pending now.
static void begin_request(struct block_request *request)
{
    request->sleepers = (struct wait_queue){NULL, NULL};
    request->status = BLOCK_PENDING;
    // Nobody sleeps for it, so the interrupt has to see to it.
    if (request->done)
        blk.queue.unattended++;
}

// The request, which is in no list and not with the device, is done: `status` is 0 or a negative E
// number. Its owner may free it at once, so nothing touches it afterwards. Called with the lock
// held, which may be released for a while: what was read from `blk` before may have changed after.
static void finish_request(struct block_request *request, int status)
{
    if (!request->done) {
        wake_all(&request->sleepers);
        request->status = status;
        return;
    }
    blk.queue.unattended--;
    request->status = status;
    // done() may take locks of its own, and its owner may hold those when he submits.
    spin_unlock(&blk.queue.lock);
    request->done(request);
    spin_lock(&blk.queue.lock);
}

// ---- the waiting list ----

static void append_waiting(struct block_request *request)
{
    request->next = NULL;
    if (blk.waiting_last)
        blk.waiting_last->next = request;
    else
        blk.waiting_first = request;
    blk.waiting_last = request;
}

static void drop_first_waiting(void)
{
    blk.waiting_first = blk.waiting_first->next;
    if (!blk.waiting_first)
        blk.waiting_last = NULL;
}

// ---- to the device ----

static uint32_t header_type(enum block_op op)
{
    switch (op) {
    case BLOCK_READ:
        return VIRTIO_BLK_T_IN;
    case BLOCK_WRITE:
        return VIRTIO_BLK_T_OUT;
    default:
        return VIRTIO_BLK_T_FLUSH;
    }
}

// Writes the request's chain to blk.bufs: returns how many of the *count buffers the device reads.
// They are the first ones.
static unsigned fill_bufs(const struct blk_dma *dma, const struct block_request *request,
                          unsigned *count)
{
    unsigned segments = request->op == BLOCK_FLUSH ? 0 : request->count;
    uint64_t dma_addr = virt_to_phys(dma);
    struct virtq_buf *buf = blk.bufs;

    *buf++ = (struct virtq_buf){dma_addr + offsetof(struct blk_dma, header), sizeof(dma->header)};
    for (unsigned i = 0; i < segments; i++)
        *buf++ = (struct virtq_buf){virt_to_phys(request->segments[i].memory),
                                    request->segments[i].length};
    *buf++ = (struct virtq_buf){dma_addr + offsetof(struct blk_dma, status), sizeof(dma->status)};

    *count = buf - blk.bufs;
    return request->op == BLOCK_WRITE ? 1 + segments : 1;
}

// Adds one request to the queue, unpublished. 0; -ENOSPC if there is no room now; another negative
// E number if there never will be. A slot is taken only on success.
static int add_request(struct virtio_queue *queue, struct block_request *request)
{
    struct blk_slot *slot = blk.free;
    if (queue->error) // no slot is needed to fail
        return queue->error;
    if (!slot)
        return -ENOSPC;

    bool flush = request->op == BLOCK_FLUSH;
    slot->dma->header = (struct virtio_blk_header){
        .type = header_type(request->op),
        .sector = flush ? 0 : request->block * (BLOCK_SIZE / VIRTIO_BLK_SECTOR),
    };
    slot->dma->status = STATUS_NONE;

    unsigned count, out = fill_bufs(slot->dma, request, &count);
    int error = virtq_add(&queue->virtq, blk.bufs, out, blk.bufs + out, count - out, slot);
    if (error < 0)
        return error;
    blk.free = slot->next_free;
    slot->next_free = NULL;
    slot->request = request;
    return 0;
}

// Gives the waiting requests to the device, oldest first, as far as there is room, and leaves the
// others where they are. Called with the lock held: by blk_submit(), after completions, and once
// the queue has failed (queue->error is set). A request is a chain of (5.2.6):
//
//   the header     struct virtio_blk_header, which the device reads: type VIRTIO_BLK_T_IN to read,
//                  _OUT to write, _FLUSH; the first sector. Sectors are of VIRTIO_BLK_SECTOR bytes
//                  whatever the disk is made of, request->block counts blocks of BLOCK_SIZE. A
//                  flush has sector 0.
//   the data       the segments one after the other, none for a flush. The device writes them when
//                  we read, and reads them when we write.
//   the status     one byte, which the device writes. It should hold STATUS_NONE before, so that a
//                  status the device never wrote is not taken for success.
//
// Header and status lie in a slot's `dma`; addresses are physical, virt_to_phys(). blk.bufs is
// there to build the list of buffers in. The slot is the chain's token: it is the device's, off the
// list blk.free and with `request` set, until blk_complete() is given it.
//
// There is no room when no slot is free or virtq_add() says -ENOSPC; then nothing may have changed.
// Any other error of virtq_add() finishes the request, with queue->error if that is set. The
// device is to see all requests of one call at once, with one virtq_publish() and one virtq_kick();
// and neither is called when nothing was added.
//
// Checkpoint 1 needs this for a single BLOCK_READ of one segment. A function of its own that issues
// one request is a good beginning.
static void issue_waiting(struct virtio_queue *queue)
{
    while (blk.waiting_first) {
        unsigned added = 0;
        int error = 0;
        while (blk.waiting_first && (error = add_request(queue, blk.waiting_first)) == 0) {
            drop_first_waiting();
            added++;
        }
        if (added > 0) {
            virtq_publish(&queue->virtq);
            virtq_kick(&queue->virtq);
        }
        if (error == 0 || error == -ENOSPC)
            return;
        // The first one cannot be issued, ever. It leaves the list before finish_request() lets go of the
        // lock, and whatever we know of the list is stale afterwards: look again.
        struct block_request *failed = blk.waiting_first;
        drop_first_waiting();
        finish_request(failed, queue->error ? queue->error : error);
    }
}

// ---- from the device ----

// The device is done with the chain of a slot, or the queue has failed. `result` is the number of
// bytes that the device wrote, or the negative E number that the queue failed with. Gives the slot
// back, and then finishes its request: with `result` if that is an error; else with 0 if the
// device's status says VIRTIO_BLK_S_OK, and -EIO if it says anything else (5.2.6). Completions come
// in any order. Called with the lock held; finish_request() may release it and let others take slots.
static void blk_complete(struct virtio_queue *queue, void *token, long result)
{
    struct blk_slot *slot = token;
    struct block_request *request = slot->request;
    uint8_t status = READ_ONCE(slot->dma->status);
    (void)queue;

    // From here on the slot may be somebody else's.
    slot->request = NULL;
    slot->next_free = blk.free;
    blk.free = slot;

    if (result < 0)
        finish_request(request, result);
    else
        finish_request(request, status == VIRTIO_BLK_S_OK ? 0 : -EIO);
}

// ---- the block device ----

// What becomes of a request without the device's help: 0 or a negative E number; BLOCK_PENDING if
// the device has to see it.
static int verdict(const struct block_device *device, const struct block_request *request)
{
    int error = block_check(device, request);
    if (error < 0)
        return error;
    bool no_cache = !(blk.device.features & VIRTIO_BLK_F_FLUSH);
    return request->op == BLOCK_FLUSH && no_cache ? 0 : BLOCK_PENDING;
}

// Takes a chain of requests, linked by `next` and ended by NULL, and puts them all on their way with
// one kick (kernel/fs/block.h: `submit`). It does not wait for any of them. begin_request() starts each.
// One that block_check() refuses is finished with that error; so is, with success, a BLOCK_FLUSH
// where VIRTIO_BLK_F_FLUSH is not among blk.device.features: there, every write is durable when it
// is done (5.2.6.2). The others go to the end of the waiting list, from blk.waiting_first to
// blk.waiting_last, which is linked by `next` as well; so read a request's `next` before you change
// it, and before finish_request(). A later call must not overtake an earlier one.
//
// All of it with the lock held: virtio_queue_lock() and virtio_queue_unlock(), not spin_lock().
static void blk_submit(struct block_device *device, struct block_request *chain)
{
    // Those that the device does not see. They are finished last: finish_request() may release the lock, and
    // then a later call could get in between two of our requests.
    struct block_request *settled = NULL, **settled_end = &settled;

    virtio_queue_lock(&blk.queue);
    while (chain) {
        struct block_request *request = chain;
        chain = request->next;
        begin_request(request);
        if (verdict(device, request) == BLOCK_PENDING) {
            append_waiting(request);
        } else {
            request->next = NULL;
            *settled_end = request;
            settled_end = &request->next;
        }
    }
    issue_waiting(&blk.queue);
    while (settled) {
        struct block_request *request = settled;
        settled = request->next;
        finish_request(request, verdict(device, request));
    }
    virtio_queue_unlock(&blk.queue);
}

// Returns request->status once it is no longer BLOCK_PENDING. A process that has to wait does not
// spin: virtio_queue_wait() with request->sleepers, which finish_request() wakes, polls as long as that pays
// and then sleeps until an interrupt. It may also return early (kernel/virtio/queue.h).
static int blk_wait(struct block_device *device, struct block_request *request)
{
    (void)device;
    // With the lock, also where the status is final already: so the data is seen with it.
    virtio_queue_lock(&blk.queue);
    while (request->status == BLOCK_PENDING)
        virtio_queue_wait(&blk.queue, &request->sleepers);
    int status = request->status;
    virtio_queue_unlock(&blk.queue);
    return status;
}

// ---- at boot ----

static bool init_slots(void)
{
    _Static_assert(SLOTS * sizeof(struct blk_dma) <= PAGE_SIZE, "slots fill one page at most");
    struct blk_dma *dma = page_alloc();
    if (!dma)
        return false;
    for (unsigned i = 0; i < SLOTS; i++) {
        blk.slots[i] = (struct blk_slot){.dma = &dma[i], .next_free = blk.free};
        blk.free = &blk.slots[i];
    }
    return true;
}

// Data segments that one request may have: what the queue holds, and what the device says it can.
static unsigned max_segments(void)
{
    uint64_t max = 1;
    if (blk.device.features & VIRTIO_BLK_F_SEG_MAX)
        max = virtio_config32(&blk.device, VIRTIO_BLK_CONFIG_SEG_MAX);
    return max_u64(1, min_u64(max, blk.queue.virtq.size - 2));
}

void blk_init(void)
{
    uint64_t features = VIRTIO_BLK_F_RO | VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_SEG_MAX;
    if (virtio_find(&blk.device, VIRTIO_ID_BLOCK, "blk0") < 0 ||
        virtio_negotiate(&blk.device, features) < 0 ||
        virtio_queue_create(&blk.queue, &blk.device, 0, QUEUE_SIZE, "blk0", blk_complete,
                            issue_waiting) < 0)
        return;
    if (blk.queue.virtq.size < 3 || !init_slots()) {
        kprintf("blk0: %s\n", blk.queue.virtq.size < 3 ? "queue too small" : "no memory");
        virtio_failed(&blk.device);
        return;
    }
    virtio_driver_ok(&blk.device);
    blk.disk = (struct block_device){
        .name = "disk0",
        .blocks = virtio_config64(&blk.device, VIRTIO_BLK_CONFIG_CAPACITY) /
                  (BLOCK_SIZE / VIRTIO_BLK_SECTOR),
        .max_segments = max_segments(),
        .read_only = blk.device.features & VIRTIO_BLK_F_RO,
        .persistent = true,
        .submit = blk_submit,
        .wait = blk_wait,
    };
    block_register(&blk.disk);
}
