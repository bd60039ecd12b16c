// The entropy device (VirtIO 1.2, 5.4), the simplest there is: the driver hands it an empty buffer,
// the device fills it with random bytes. Read this driver first.

#include "kernel/dev/device.h"
#include "kernel/mm/vm.h"
#include "kernel/proc/proc.h"
#include "kernel/virtio/drivers.h"
#include "kernel/virtio/queue.h"
#include "kernel/virtio/virtio.h"

#define QUEUE_SIZE 8

static struct {
    bool present;
    struct virtio_device device;
    struct virtio_queue queue;
    struct mutex mutex; // one reader at a time: it guards `buffer`
    uint8_t *buffer;    // a page, the device's while `busy`
    bool busy;          // guarded by queue.lock, as the two below
    long result;        // bytes that came, or a negative E number
    struct wait_queue sleepers;
} rng;

static void rng_complete(struct virtio_queue *queue, void *token, long result)
{
    (void)queue, (void)token;
    rng.result = result;
    rng.busy = false;
    wake_all(&rng.sleepers);
}

// Fetches up to n bytes (1 to PAGE_SIZE) into rng.buffer; how many came, or a negative E number.
static long rng_fill(uint32_t n)
{
    struct virtq *virtq = &rng.queue.virtq;
    const struct virtq_buf in = {.addr = virt_to_phys(rng.buffer), .len = n};
    virtio_queue_lock(&rng.queue);
    long result = virtq_add(virtq, NULL, 0, &in, 1, &rng);
    if (result == 0) {
        rng.busy = true;
        virtq_publish(virtq);
        virtq_kick(virtq);
        while (rng.busy)
            virtio_queue_wait(&rng.queue, &rng.sleepers);
        result = rng.result;
    }
    virtio_queue_unlock(&rng.queue);
    // The device has to give one byte at least (5.4.6.2).
    return result == 0 ? -EIO : result;
}

void rng_init(void)
{
    if (virtio_find(&rng.device, VIRTIO_ID_ENTROPY, "rng0") < 0 ||
        virtio_negotiate(&rng.device, 0) < 0 ||
        virtio_queue_create(&rng.queue, &rng.device, 0, QUEUE_SIZE, "rng0", rng_complete, NULL) < 0)
        return;
    rng.buffer = page_alloc();
    if (!rng.buffer) {
        kprintf("rng0: no memory\n");
        virtio_failed(&rng.device);
        return;
    }
    mutex_init(&rng.mutex, "rng0");
    virtio_driver_ok(&rng.device);
    rng.present = true;
}

// ---- /dev/random ----

static int random_open(int minor)
{
    (void)minor;
    return rng.present ? 0 : -ENODEV;
}

// Returns n bytes, or fewer if the process is killed meanwhile.
static long random_read(int minor, uint64_t user_dst, uint64_t n, uint64_t offset)
{
    (void)minor, (void)offset;
    uint64_t total = 0;
    long got = 0;
    if (!rng.present)
        return -ENODEV;
    mutex_lock(&rng.mutex);
    while (total < n && !proc_killed()) {
        got = rng_fill(min_u64(n - total, PAGE_SIZE));
        if (got > 0 && copy_to_user(user_dst + total, rng.buffer, got) < 0)
            got = -EFAULT;
        if (got < 0)
            break;
        total += got;
    }
    mutex_unlock(&rng.mutex);
    return got < 0 ? got : (long)total;
}

const struct device random_device = {.open = random_open, .read = random_read};
