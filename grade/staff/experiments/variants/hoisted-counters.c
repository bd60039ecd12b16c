// The hoisted loop with an atomic counter: the compiler may not move every load across an atomic.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    static uint64_t polls;
    __atomic_fetch_add(&polls, 1, __ATOMIC_SEQ_CST);
    uint16_t used_idx = q->used->idx;
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    virtio_rmb();
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
