// How the GPU driver waits for the device.

#ifndef RINGFENCE_GPU_WAIT_H
#define RINGFENCE_GPU_WAIT_H

#include "kernel/virtio/queue.h"

// Waits until the device has completed something, or for some time. Call it in a loop until what
// you wait for is done. Call it with the queue's lock held: it releases the lock while it sleeps.
// gpu_batch.c wakes `sleepers` when a batch is done. To poll, it uses virtio_queue_poll(), which
// obeys the boot argument poll.
void gpu_wait(struct virtio_queue *queue, struct wait_queue *sleepers);

#endif
