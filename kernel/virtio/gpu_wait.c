// How the GPU driver waits: gpu_wait.h is the contract.

#include "kernel/virtio/gpu_wait.h"

#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/proc/proc.h"

#if SOLVED_GPU
#if SOLVED_WHEEL
void gpu_wait(struct virtio_queue *queue, struct wait_queue *sleepers)
{
    virtio_queue_wait(queue, sleepers);
}
#else
// A command takes the device some 20 microseconds. An interrupt, and two switches of processes,
// would cost more than that, so we poll: many times what a command ever takes.
#define TURNS 200000

static uint64_t next_tick(void)
{
    uint64_t period = timebase / TICKS_PER_SECOND;
    return (time_now() / period + 1) * period;
}

void gpu_wait(struct virtio_queue *queue, struct wait_queue *sleepers)
{
    if (!queue->error && virtio_queue_poll(queue, TURNS))
        return;
    // It takes longer than usual. Let others run, and look again at the next tick.
    queue->virtq.stats.sleeps++;
    sleep_on_until(sleepers, &queue->lock, next_tick());
}
#endif // SOLVED_WHEEL
#else
void gpu_wait(struct virtio_queue *queue, struct wait_queue *sleepers)
{
    virtio_queue_wait(queue, sleepers);
}
#endif // SOLVED_GPU
