// A virtqueue at work: ring memory, lock, interrupt, and how processes wait for a completion. The
// three drivers share this; the ring itself is virtqueue.h, the registers are mmio.h.
//
// Life of a request: with the lock held the driver adds, publishes and kicks, then calls
// virtio_queue_wait() until it finds its request done. Whoever takes completions off the ring, a
// waiter or the interrupt, hands each to the driver's complete(), be it his own or another's.
//
// A device that breaks the protocol, or is silent for too long with requests in flight, is reset,
// and all its requests fail, now and later; the system goes on without it.

#ifndef RINGFENCE_QUEUE_H
#define RINGFENCE_QUEUE_H

#include "kernel/proc/lock.h"
#include "kernel/virtio/mmio.h"
#include "kernel/virtio/virtqueue.h"

struct virtio_queue {
    struct virtio_device *device;
    struct spinlock lock; // guards all below, and what the driver says it guards
    struct virtq virtq;
    unsigned sleeping; // processes asleep in virtio_queue_wait()
    unsigned
        unattended; // requests that nobody waits for, which need the interrupt: the driver counts
    int error;      // 0, or why the queue failed: -EIO, -ETIMEDOUT
    // The driver's, called with the lock held. `result` is the number of bytes the device wrote, or
    // the error that the queue failed with. It may release the lock for a while, but not sleep.
    void (*complete)(struct virtio_queue *queue, void *token, long result);
    // If set, called after completions: there is room again (or, when `error` is set, never will
    // be).
    void (*room)(struct virtio_queue *queue);
    uint64_t seen;   // completions when the watch last looked
    unsigned silent; // seconds without one since, with requests in flight
    struct virtio_queue *next;
};

// Every queue there is, for /dev/vqstat. Grows at boot only.
extern struct virtio_queue *virtio_queues;

// Makes queue `index` of the device, of the largest size up to `size`, and takes the device's
// interrupt. The caller has set nothing but passes all; `name` stays the caller's. 0, or a negative
// E number after a line.
int virtio_queue_create(struct virtio_queue *queue, struct virtio_device *device, uint32_t index,
                        uint16_t size, const char *name,
                        void (*complete)(struct virtio_queue *, void *, long),
                        void (*room)(struct virtio_queue *));

void virtio_queue_lock(struct virtio_queue *queue);
// Also sees to it that those who sleep, and what is unattended, have the interrupt they count on.
void virtio_queue_unlock(struct virtio_queue *queue);

// Waits for completions, anyone's: polls for a while (POLL_TURNS in queue.c; where that is 0, not at
// all), then sleeps in `sleepers`, which complete() wakes. Called with the lock held, which it
// releases meanwhile; returns early at times, so the caller loops:
//
//     while (!my_request_is_done)
//         virtio_queue_wait(queue, &sleepers);
//
// There is no giving up: a device buffer cannot be taken back while the device lives. The wait
// ends, at the latest, with the device's timeout (boot argument blk_timeout, in seconds).
void virtio_queue_wait(struct virtio_queue *queue, struct wait_queue *sleepers);

// The first half of it alone: switches notifications off, looks at the ring at most `budget` times
// (0: not at all), and hands over what there is. False if there was nothing. Called with the lock
// held; never sleeps. Where the machine was booted with an argument poll=N, N counts instead of
// `budget`: so one can see how every driver waits with much polling, or with none.
bool virtio_queue_poll(struct virtio_queue *queue, unsigned budget);

#endif
