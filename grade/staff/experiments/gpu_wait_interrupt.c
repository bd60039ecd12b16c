// Replaces kernel/virtio/gpu_wait.c: the driver sleeps until the GPU's interrupt, as for the disk.

#include "kernel/virtio/gpu_wait.h"

void gpu_wait(struct virtio_queue *queue, struct wait_queue *sleepers)
{
    virtio_queue_wait(queue, sleepers);
}
