// The code of the lab's handout: a plain load, and a fence only after the index has moved. The
// compiler moves the load out of the loop.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    uint16_t used_idx = q->used->idx;
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    virtio_rmb();
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
