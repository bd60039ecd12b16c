// Replaces virtq_poll() and poll_used() in virtqueue.c, only for `make demo-wheel`: one kernel with
// four loops, chosen at run time. demo.py puts the four look_*() before this text; they are
// variants/*.c under other names.

unsigned demo_loop = 2; // kernel/virtio/demo.c writes it; 2 is the correct loop

// It is inlined once for each look_*(), so the compiler treats each loop as if it were alone.
static inline __attribute__((always_inline)) int
spin(struct virtq *q, unsigned budget, struct virtq_done *done,
     int (*look)(struct virtq *, struct virtq_done *), unsigned fences_a_look,
     unsigned fences_an_element)
{
    unsigned turns;
    int got = 0;
    for (turns = 0; turns < budget; turns++) {
        got = look(q, done);
        if (got != 0)
            break;
    }
    unsigned looks = got != 0 ? turns + 1 : turns;
    q->stats.polls += looks;
    q->stats.spins += turns;
    q->stats.fences += (uint64_t)looks * fences_a_look + (got > 0 ? fences_an_element : 0);
    return got;
}

int poll_used(struct virtq *q, struct virtq_done *done)
{
    return look_correct(q, done);
}

int virtq_poll(struct virtq *q, unsigned budget, struct virtq_done *done)
{
    switch (READ_ONCE(demo_loop)) {
    case 0:
        return spin(q, budget, done, look_hoisted, 0, 1);
    case 1:
        return spin(q, budget, done, look_before, 1, 0);
    case 2:
        return spin(q, budget, done, look_correct, 0, 1);
    default:
        return spin(q, budget, done, look_over_fenced, 1, 0);
    }
}
