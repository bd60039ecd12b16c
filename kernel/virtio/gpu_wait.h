// How the GPU driver waits for the device.

#ifndef RINGFENCE_GPU_WAIT_H
#define RINGFENCE_GPU_WAIT_H

#include "kernel/virtio/queue.h"

// Waits until something has been completed, or for some time; the caller looks whether it is what
// he waits for, and comes again if not. Called with the queue's lock held, which is released while
// it sleeps. `sleepers` is woken when a batch of commands is done. Where it polls, it does so by
// virtio_queue_poll(), which keeps to the boot argument poll.
void gpu_wait(struct virtio_queue *queue, struct wait_queue *sleepers);

#endif
