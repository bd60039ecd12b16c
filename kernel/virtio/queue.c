// A virtqueue at work: queue.h is the contract.
//
// No wake-up is lost. A process goes to sleep with the lock held, after virtq_enable_cb() has found
// nothing to take; a completion that comes later interrupts, and the handler needs the lock, which
// is free only once the process is in its wait queue. A process that polls switches notifications
// off, but it holds the lock while it does, and when it leaves, by sleep or by
// virtio_queue_unlock(), they are on again if anyone else counts on them. What came while they were
// off is found by the look that follows switching them on.

#include "kernel/virtio/queue.h"

#include "kernel/abi.h"
#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/mm/page.h"
#include "kernel/proc/proc.h"

// Looks at the ring before a wait sleeps until the interrupt; the boot argument poll=N has N in place
// of it.
#if SOLVED_WHEEL
// Some 200 microseconds, enough for most requests; on a host with few idle cores, more only keeps the
// device from running (docs/performance.md).
#define POLL_TURNS 8000
#else
#define POLL_TURNS 0
#endif // SOLVED_WHEEL

#define TIMEOUT_SECONDS 30 // boot argument blk_timeout
#define SECOND_NS 1000000000ul

struct virtio_queue *virtio_queues;

static uint64_t poll_told; // boot argument poll
#define NOT_TOLD UINT64_MAX
static unsigned timeout_seconds;

// ---- completions ----

// Resets the device and fails what is in flight. Runs once a queue.
static void break_queue(struct virtio_queue *queue, int error)
{
    struct virtq *virtq = &queue->virtq;
    void *token;
    if (queue->error)
        return;
    queue->error = error;
    kprintf("%s: queue broken: %s: %u; device reset, its requests fail\n", virtq->name,
            virtq->broken_by, virtq->broken_value);
    virtio_reset(queue->device);
    while ((token = virtq_take_back(virtq)) != NULL)
        queue->complete(queue, token, error);
    if (queue->room)
        queue->room(queue);
}

// Takes everything that is on the used ring.
static void take_completions(struct virtio_queue *queue)
{
    struct virtq_done done;
    int got;
    while ((got = virtq_poll(&queue->virtq, 1, &done)) > 0)
        queue->complete(queue, done.token, done.len);
    if (got < 0)
        break_queue(queue, -EIO);
    else if (queue->room)
        queue->room(queue);
}

static void queue_interrupt(void *argument)
{
    struct virtio_queue *queue = argument;
    virtio_ack_interrupt(queue->device);
    virtio_queue_lock(queue);
    queue->virtq.stats.interrupts++;
    take_completions(queue);
    virtio_queue_unlock(queue);
}

// ---- waiting ----

void virtio_queue_lock(struct virtio_queue *queue)
{
    spin_lock(&queue->lock);
}

void virtio_queue_unlock(struct virtio_queue *queue)
{
    bool needed = queue->sleeping > 0 || queue->unattended > 0;
    if (needed && !queue->virtq.callbacks && !virtq_enable_cb(&queue->virtq))
        take_completions(queue);
    spin_unlock(&queue->lock);
}

bool virtio_queue_poll(struct virtio_queue *queue, unsigned budget)
{
    struct virtq_done done;
    if (poll_told != NOT_TOLD)
        budget = min_u64(poll_told, UINT32_MAX);
    if (budget == 0)
        return false;
    if (queue->virtq.callbacks)
        virtq_disable_cb(&queue->virtq);
    int got = virtq_poll(&queue->virtq, budget, &done);
    if (got > 0)
        queue->complete(queue, done.token, done.len);
    if (got != 0)
        take_completions(queue);
    return got != 0;
}

void virtio_queue_wait(struct virtio_queue *queue, struct wait_queue *sleepers)
{
    if (!queue->error) {
        if (virtio_queue_poll(queue, POLL_TURNS))
            return;
        if (!virtq_enable_cb(&queue->virtq)) {
            take_completions(queue);
            return;
        }
    }
    // With an error set, whoever failed the queue is still at it (complete() may release the lock)
    // and will wake us.
    queue->sleeping++;
    queue->virtq.stats.sleeps++;
    sleep_on(sleepers, &queue->lock);
    queue->sleeping--;
}

// ---- the watch over silent devices ----

static void watch_queue(struct virtio_queue *queue)
{
    struct virtq *virtq = &queue->virtq;
    virtio_queue_lock(queue);
    if (virtq->in_flight == 0 || virtq->stats.completions != queue->seen) {
        queue->seen = virtq->stats.completions;
        queue->silent = 0;
    } else if (++queue->silent >= timeout_seconds) {
        // It may have answered with nobody there to take it: an asynchronous present, say.
        take_completions(queue);
        if (virtq->stats.completions == queue->seen) {
            virtq_break(virtq, "seconds without an answer", queue->silent);
            break_queue(queue, -ETIMEDOUT);
        }
    }
    virtio_queue_unlock(queue);
}

static void watch_thread(void)
{
    static struct spinlock watch_lock;
    static struct wait_queue nobody_wakes;
    for (;;) {
        spin_lock(&watch_lock);
        sleep_on_until(&nobody_wakes, &watch_lock, time_now() + ns_to_time(SECOND_NS));
        spin_unlock(&watch_lock);
        for (struct virtio_queue *queue = virtio_queues; queue; queue = queue->next)
            watch_queue(queue);
    }
}

static int start_watch(void)
{
    static bool started;
    if (started)
        return 0;
    poll_told = boot_number("poll", NOT_TOLD);
    timeout_seconds = max_u64(1, min_u64(boot_number("blk_timeout", TIMEOUT_SECONDS), UINT32_MAX));
    started = true;
    return kernel_thread("virtio", watch_thread);
}

// ---- setting up ----

static uint64_t pages_for(size_t bytes)
{
    return ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE;
}

static void put_pages(char *first, uint64_t count)
{
    for (uint64_t i = 0; first && i < count; i++)
        page_put(first + i * PAGE_SIZE);
}

// The largest power of two that both sides allow, 0 if there is none.
static uint16_t choose_size(struct virtio_device *device, uint32_t index, uint16_t wanted)
{
    uint32_t max = virtio_queue_max(device, index);
    uint16_t size = wanted;
    while (size > max)
        size /= 2;
    return size;
}

// Ring and chain memory of the queue, and the device told of it.
static int set_up_queue(struct virtio_queue *queue, uint32_t index, uint16_t size, const char *name)
{
    uint64_t ring_pages = pages_for(virtq_ring_bytes(size));
    uint64_t chain_pages = pages_for(size * sizeof(struct virtq_chain));
    char *ring = page_alloc_contiguous(ring_pages);
    char *chain = page_alloc_contiguous(chain_pages);
    int error = -ENOMEM;
    if (ring && chain) {
        memset(ring, 0, ring_pages * PAGE_SIZE);
        error = virtq_init(&queue->virtq, size, ring, (struct virtq_chain *)chain,
                           virtio_doorbell(queue->device), index, name);
    }
    if (error == 0)
        error = virtio_set_queue(queue->device, index, size, virt_to_phys(queue->virtq.desc),
                                 virt_to_phys(queue->virtq.avail), virt_to_phys(queue->virtq.used));
    if (error < 0) {
        put_pages(ring, ring_pages);
        put_pages(chain, chain_pages);
    }
    return error;
}

int virtio_queue_create(struct virtio_queue *queue, struct virtio_device *device, uint32_t index,
                        uint16_t size, const char *name,
                        void (*complete)(struct virtio_queue *, void *, long),
                        void (*room)(struct virtio_queue *))
{
    *queue = (struct virtio_queue){
        .device = device, .lock = SPINLOCK(name), .complete = complete, .room = room};
    int error = -EINVAL;
    size = choose_size(device, index, size);
    if (size > 0)
        error = set_up_queue(queue, index, size, name);
    if (error == 0)
        error = start_watch();
    if (error == 0)
        error = irq_register(device->irq, queue_interrupt, queue);
    if (error < 0) {
        kprintf("%s: cannot set up the queue: error %d\n", name, -error);
        virtio_failed(device);
        return error;
    }
    queue->next = virtio_queues;
    virtio_queues = queue;
    return 0;
}
