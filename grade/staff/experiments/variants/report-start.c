// The start of the report: a volatile load, and a full fence before it in every turn.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    virtio_mb();
    uint16_t used_idx = READ_ONCE(q->used->idx);
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
