// As the lab hands it out: a plain load, and a fence where the index has moved. The load leaves the loop.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    uint16_t used_idx = q->used->idx;
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    virtio_rmb();
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
