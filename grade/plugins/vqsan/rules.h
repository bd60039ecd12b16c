// The ordering obligations of a virtqueue driver, as rules R1 to R8, and what a hart has done that they
// depend on. rules.c has, above each rule, the little program that goes wrong without it.
//
// All functions are called with vqsan's lock held, in the order in which the hart did what they tell.

#ifndef VQSAN_RULES_H
#define VQSAN_RULES_H

#include "grade/plugins/vqsan/queue.h"

struct hart {
    // Each has cache lines of its own: the counters below change with nearly every access.
    _Alignas(128) unsigned number;
    uint64_t stores, trace; // stores of the kernel; sum of the addresses that it has loaded from
    bool stake;             // a fence of this hart may order something
    struct dependency dependency; // on its last load of a used->idx that had moved
    struct queue *dependency_queue;
    struct {
        const struct block *block;     // that ends in a jump back, ...
        uint64_t stores, trace, delta; // ... the above when it last ran, what a turn loads ...
        unsigned turns;                // ... and how many turns were all the same
        unsigned others;               // other such blocks since it last ran
    } spin;                            // R7
    struct {
        struct queue
            *queue;      // at whose used->idx it has looked and found nothing; NULL: it has found
        uint64_t stores; // `stores` at that look
        bool fresh;      // no turn of a loop since
        bool atomic;     // the hart has done an atomic since the last look, whatever it found
    } look;
    struct event irq_read; // R8: interrupt status read, no i,r since
    unsigned irq_slot;
    bool asleep;          // in wfi
    bool devices_stopped; // by vqsan, around a store to avail->idx
};

// What an instruction puts in order; see rules_order().
struct order {
    bool rr, ww, wr, wo, ir;
};
struct order fence_order(const struct insn *insn);

void rules_load(struct hart *h, const struct site *site, struct place place);
void rules_store(struct hart *h, const struct site *site, struct place place);
void rules_doorbell(struct hart *h, const struct site *site, struct queue *q);
void rules_irq_status(struct hart *h, const struct site *site, unsigned slot);
// A fence, or an atomic that is both `.aq` and `.rl`.
void rules_order(struct hart *h, struct order order);
// An atomic with `.rl` (before its access) and with `.aq` (after it).
void rules_release(struct hart *h);
void rules_acquire(struct hart *h, const struct site *site);
// A turn of a loop by a hart for which rules_waits().
void rules_turn(struct hart *h, const struct block *block);
// The hart has gone round a loop a thousand times (or another thousand) and waits, see rules_spins(); it
// executes wfi.
void rules_spinning(struct hart *h, const struct block *block);
// `all`: every hart is asleep now.
void rules_sleep(struct hart *h, const struct site *site, bool all);

// The hart enters a block that ends in a jump back. True if that is the thousandth time, or a multiple, that
// it stores nothing and loads from the same places: so it waits. A compiler may put more jumps back into a loop, which
// are not taken: a few blocks that end in them do not end the count. Needs no lock.
static inline bool rules_spins(struct hart *h, const struct block *block)
{
    if (h->spin.block != block && h->spin.others++ < 4)
        return false;
    h->spin.others = 0;
    uint64_t delta = h->trace - h->spin.trace;
    if (h->spin.block != block || h->spin.stores != h->stores || h->spin.delta != delta) {
        h->spin.block = block;
        h->spin.stores = h->stores;
        h->spin.delta = delta;
        h->spin.turns = 0;
    }
    h->spin.trace = h->trace;
    return ++h->spin.turns % 1000 == 0;
}

// Is the loop that the hart goes round one in which it waits? It has looked at an index and found nothing, and
// has done next to nothing since. Needs no lock.
static inline bool rules_waits(const struct hart *h)
{
    return h->look.queue && h->stores - h->look.stores <= 8;
}

#endif
