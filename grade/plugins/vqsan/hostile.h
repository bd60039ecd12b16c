// A hostile device. Before the driver reads a good device's answers, vqsan changes them into what a
// broken or malicious device might put into the used ring.
//
// The driver must detect each one (2.7.8, and its own records): mark the queue broken, fail the
// requests, continue. Call all functions with vqsan's lock held.

#ifndef VQSAN_HOSTILE_H
#define VQSAN_HOSTILE_H

#include "grade/plugins/vqsan/queue.h"

enum hostile_mode {
    HOSTILE_NONE,
    HOSTILE_BAD_ID,     // an id that belongs to no chain
    HOSTILE_DOUBLE,     // the id of the previous completion
    HOSTILE_LONG_LEN,   // a length greater than the chain's buffers
    HOSTILE_INDEX_JUMP, // used->idx runs ahead of the requests
    HOSTILE_STUCK,      // it accepts no more requests
    HOSTILE_EARLY_IRQ,  // the interrupt comes before the index
    HOSTILE_SLOW,       // not hostile, only slow: the first look after a publish finds nothing
};

enum hostile_mode hostile_mode(void);
// The mode with this name, as in device=bad-id; HOSTILE_NONE if the name is unknown.
enum hostile_mode hostile_named(const char *name);
// Changes one answer in `every` (0: one in 100, or each one if slow), at random from `seed`. Only
// on devices called `only`, unless that is NULL. At most `most` times per queue, unless that is 0.
void hostile_configure(enum hostile_mode mode, unsigned every, unsigned most, uint64_t seed,
                       const char *only);

void hostile_start(struct queue *q);
// Call before a load instruction that has loaded some used->idx before, with devices stopped.
void hostile_before_look(void);
// The driver has loaded used->idx; it will read elements next.
void hostile_used_idx_loaded(struct queue *q);
// The driver has stored avail->idx; the doorbell comes next.
void hostile_published(struct queue *q);
// The driver has read a slot's interrupt status; it will load used->idx next.
void hostile_interrupt(unsigned slot);
// Call about once a millisecond.
void hostile_tick(void);

#endif
