// /dev/vqstat: the counters of every virtqueue, as an array of struct vqstat (abi.h).

#include "kernel/dev/device.h"
#include "kernel/mm/vm.h"
#include "kernel/virtio/queue.h"

static void vqstat_fill(struct vqstat *out, struct virtio_queue *queue)
{
    virtio_queue_lock(queue);
    const struct virtq *virtq = &queue->virtq;
    const struct virtq_stats *stats = &virtq->stats;
    *out = (struct vqstat){
        .size = virtq->size,
        .in_flight = virtq->in_flight,
        .adds = stats->adds,
        .completions = stats->completions,
        .bytes = stats->bytes,
        .kicks = stats->kicks,
        .kicks_saved = stats->kicks_saved,
        .polls = stats->polls,
        .spins = stats->spins,
        .fences = stats->fences,
        .interrupts = stats->interrupts,
        .sleeps = stats->sleeps,
        .errors = stats->errors,
    };
    copy_string(out->name, virtq->name, sizeof(out->name));
    virtio_queue_unlock(queue);
}

static long vqstat_read(int minor, uint64_t user_dst, uint64_t n, uint64_t offset)
{
    (void)minor;
    uint64_t at = 0, done = 0;
    if (offset % sizeof(struct vqstat) != 0)
        return -EINVAL;
    for (struct virtio_queue *queue = virtio_queues; queue; queue = queue->next, at++) {
        struct vqstat entry;
        if (at * sizeof(entry) < offset)
            continue;
        if (n - done < sizeof(entry))
            break;
        vqstat_fill(&entry, queue);
        if (copy_to_user(user_dst + done, &entry, sizeof(entry)) < 0)
            return -EFAULT;
        done += sizeof(entry);
    }
    return done;
}

const struct device vqstat_device = {.read = vqstat_read};
