// A fence before and after the load. The second makes it correct; the first keeps the plain load in
// the loop.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    virtio_rmb();
    uint16_t used_idx = q->used->idx;
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    virtio_rmb();
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
