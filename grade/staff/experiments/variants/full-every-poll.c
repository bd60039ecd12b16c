// Correct, but the most expensive way: a full fence after the load in every turn.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    uint16_t used_idx = READ_ONCE(q->used->idx);
    virtio_mb();
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
