// Like report-start.c, with counters in the loop. They were added to prove a theory, and blamed
// later.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    static uint64_t polls, fences;
    __atomic_fetch_add(&polls, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&fences, 1, __ATOMIC_RELAXED);
    virtio_mb();
    uint16_t used_idx = READ_ONCE(q->used->idx);
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
