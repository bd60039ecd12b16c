// In place of kernel/virtio/gpu_wait.c: the GPU is waited for as the disk is, by sleeping until its interrupt.

#include "kernel/virtio/gpu_wait.h"

void gpu_wait(struct virtio_queue *queue, struct wait_queue *sleepers)
{
    virtio_queue_wait(queue, sleepers);
}
