// The famous fix: the fence is before the load again. It cures the symptom because it also is a
// barrier for the compiler.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    virtio_rmb();
    uint16_t used_idx = q->used->idx;
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
