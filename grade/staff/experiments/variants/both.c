// A fence on either side: right, by the second one; the first makes the plain load stay.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    virtio_rmb();
    uint16_t used_idx = q->used->idx;
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    virtio_rmb();
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
