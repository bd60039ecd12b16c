// An acquire load of C11: the compiler emits the load and a fence after it, in every turn.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    uint16_t used_idx = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
