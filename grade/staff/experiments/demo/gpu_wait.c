// kernel/virtio/gpu_wait.c of `make demo-wheel`. It waits like the driver of the lab or, for the
// correct loop, like the reference. So the repaired wheel also turns on a busy host, where the
// device often takes longer than any budget.

#include "kernel/virtio/gpu_wait.h"

#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/proc/proc.h"
#include "kernel/virtio/barrier.h"

#define LABS_TURNS 200000
#define REFERENCES_TURNS 8000
#define CORRECT 2

extern unsigned demo_loop;

static uint64_t next_tick(void)
{
    uint64_t period = timebase / TICKS_PER_SECOND;
    return (time_now() / period + 1) * period;
}

void gpu_wait(struct virtio_queue *queue, struct wait_queue *sleepers)
{
    bool correct = READ_ONCE(demo_loop) == CORRECT;
    if (!queue->error && virtio_queue_poll(queue, correct ? REFERENCES_TURNS : LABS_TURNS))
        return;
    if (correct) {
        virtio_queue_wait(queue, sleepers);
        return;
    }
    queue->virtq.stats.sleeps++;
    sleep_on_until(sleepers, &queue->lock, next_tick());
}
