// The report's fix: the fence back before the volatile load, and a read fence is enough for it.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    virtio_rmb();
    uint16_t used_idx = READ_ONCE(q->used->idx);
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
