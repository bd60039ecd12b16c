// The report's fix: the fence is before the volatile load again, and a read fence is enough.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    virtio_rmb();
    uint16_t used_idx = READ_ONCE(q->used->idx);
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
