// A queue: a virtq with its memory, a lock, an interrupt, and processes that wait for completions.
// The three drivers share it. The ring is in virtqueue.h, the registers are in mmio.h.
//
// The life of a request: the driver takes the lock, adds, publishes and kicks. Then it calls
// virtio_queue_wait() until its request is done. A waiter or the interrupt handler takes
// completions off the ring and passes each one to the driver's complete(), also those of other
// processes.
//
// If the device violates the protocol, or does not answer for too long while requests are in
// flight, the queue breaks: the device is reset, and all requests fail, now and later. The rest of
// the system goes on.

#ifndef RINGFENCE_QUEUE_H
#define RINGFENCE_QUEUE_H

#include "kernel/proc/lock.h"
#include "kernel/virtio/mmio.h"
#include "kernel/virtio/virtqueue.h"

struct virtio_queue {
    struct virtio_device *device;
    struct spinlock lock; // guards everything below, and whatever the driver adds to that
    struct virtq virtq;
    unsigned sleeping; // processes asleep in virtio_queue_wait()
    unsigned
        unattended; // requests that nobody waits for: they need the interrupt. Set by the driver
    int error;      // 0; once broken, the error of all requests: -EIO or -ETIMEDOUT
    // Set by the driver, called with the lock held. `result` is the number of bytes that the device
    // wrote, or the queue's error. It may release the lock for a while, but must not sleep.
    void (*complete)(struct virtio_queue *queue, void *token, long result);
    // May be NULL. Called after completions: there is room again. If `error` is set, there never
    // will be.
    void (*room)(struct virtio_queue *queue);
    uint64_t seen;   // completions when the watch last looked
    unsigned silent; // seconds without a completion since then, while requests are in flight
    struct virtio_queue *next;
};

// A list of all queues, for /dev/vqstat. It grows only at boot.
extern struct virtio_queue *virtio_queues;

// Makes queue `index` of the device, with at most `size` descriptors, and registers the device's
// interrupt. `queue` needs no preparation. `name` must live as long as the queue. Returns 0, or a
// negative E number after it has printed a line.
int virtio_queue_create(struct virtio_queue *queue, struct virtio_device *device, uint32_t index,
                        uint16_t size, const char *name,
                        void (*complete)(struct virtio_queue *, void *, long),
                        void (*room)(struct virtio_queue *));

void virtio_queue_lock(struct virtio_queue *queue);
// Also asks for interrupts if a process sleeps or a request is unattended: they rely on it.
void virtio_queue_unlock(struct virtio_queue *queue);

// Waits for a completion, yours or another: polls for a while (POLL_TURNS in queue.c; 0 means not
// at all), then sleeps in `sleepers`, which your complete() wakes. Call it with the lock held. It
// releases the lock while it sleeps. It may return early, so call it in a loop:
//
//     while (!my_request_is_done)
//         virtio_queue_wait(queue, &sleepers);
//
// You cannot give up: as long as the device runs, it may write to your buffer. The wait ends at the
// latest when the device has timed out (boot argument blk_timeout, in seconds).
void virtio_queue_wait(struct virtio_queue *queue, struct wait_queue *sleepers);

// Only the polling: switches interrupts off, looks at the ring at most `budget` times (0: not at
// all), and passes what it finds to complete(). Returns false if it found nothing. Call it with the
// lock held. It never sleeps. The boot argument poll=N replaces `budget` by N: use it to see how
// the drivers wait with a lot of polling, or with none.
bool virtio_queue_poll(struct virtio_queue *queue, unsigned budget);

#endif
