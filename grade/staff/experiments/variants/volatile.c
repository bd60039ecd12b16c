// The compiler must load the index in every turn, but nothing orders the element after the index.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    uint16_t used_idx = READ_ONCE(q->used->idx);
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
