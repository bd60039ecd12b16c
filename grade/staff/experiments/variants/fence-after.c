// The reference: each turn loads the index, and a fence orders it before the element.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    uint16_t used_idx = READ_ONCE(q->used->idx);
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    virtio_rmb();
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
