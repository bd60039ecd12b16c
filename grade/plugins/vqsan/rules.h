// The ordering obligations of a virtqueue driver, as rules R1 to R8, and the history of each hart
// that they depend on. Above each rule, rules.c shows the small program that goes wrong without it.
//
// Call all functions with vqsan's lock held, in the order in which the hart acted.

#ifndef VQSAN_RULES_H
#define VQSAN_RULES_H

#include "grade/plugins/vqsan/queue.h"

struct hart {
    // Each hart has its own cache lines: the counters change with nearly every access.
    _Alignas(128) unsigned number;
    uint64_t stores;              // how many stores the kernel has executed
    uint64_t trace;               // sum of the addresses that the kernel has loaded from
    bool stake;                   // a fence of this hart may order something
    struct dependency dependency; // on the last load that found used->idx moved
    struct queue *dependency_queue;
    struct {
        const struct block *block;     // the last block that ends in a jump back
        uint64_t stores, trace, delta; // the above when it last ran; trace of a turn
        unsigned turns;                // how many turns in a row were the same
        unsigned others;               // other such blocks since then
    } spin;                            // R7
    struct {
        struct queue *queue; // the hart looked at its used->idx in vain; NULL: it found something
        uint64_t stores;     // `stores` at that look
        bool fresh;          // no turn of a loop since then
        bool atomic;         // the hart has executed an atomic since its last look
    } look;
    struct event irq_read; // R8: the interrupt status was read, no i,r since then
    unsigned irq_slot;
    bool asleep;          // in wfi
    bool devices_stopped; // vqsan has stopped them, around a store to avail->idx
};

// Which accesses an instruction orders: `rr` is what `fence r,r` orders, and so on.
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
// The hart has gone once round a loop, and rules_waits() is true.
void rules_turn(struct hart *h, const struct block *block);
// The hart has gone round a loop a thousand times (or another thousand) and waits, see
// rules_spins().
void rules_spinning(struct hart *h, const struct block *block);
// The hart executes wfi. `all`: every hart is asleep now.
void rules_sleep(struct hart *h, const struct site *site, bool all);

// The hart enters a block that ends in a jump back. Returns true at every thousandth turn in a row
// that stores nothing and loads from the same addresses: the hart is waiting. A compiler may put
// more jumps back into a loop, which are not taken: a few other blocks that end in one do not reset
// the count. Needs no lock.
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

// Is the hart waiting in this loop? It has looked at an index in vain and has stored next to
// nothing since then. Needs no lock.
static inline bool rules_waits(const struct hart *h)
{
    return h->look.queue && h->stores - h->look.stores <= 8;
}

#endif
