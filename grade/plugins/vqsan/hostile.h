// A hostile device: what a broken or malicious one would put into the used ring, made out of a good one's
// answers before the driver reads them.
//
// The driver must refuse each (2.7.8 and its own books): mark the queue broken, fail the requests, go on.
// All functions are called with vqsan's lock held.

#ifndef VQSAN_HOSTILE_H
#define VQSAN_HOSTILE_H

#include "grade/plugins/vqsan/queue.h"

enum hostile_mode {
    HOSTILE_NONE,
    HOSTILE_BAD_ID,     // the id of no chain
    HOSTILE_DOUBLE,     // the id of the completion before it
    HOSTILE_LONG_LEN,   // more bytes than the chain can take
    HOSTILE_INDEX_JUMP, // used->idx runs ahead of what was asked
    HOSTILE_STUCK,      // it takes no request any more
    HOSTILE_EARLY_IRQ,  // the interrupt comes some time before the index
    HOSTILE_SLOW,       // not hostile, but slow: the first look after a publish finds nothing yet
};

enum hostile_mode hostile_mode(void);
// The mode with this name, as in device=bad-id; HOSTILE_NONE for no such name.
enum hostile_mode hostile_named(const char *name);
// One answer in `every` (0: one in 100; for a slow device, each), by a generator that starts from `seed`; only of devices called `only`, unless
// that is NULL. At most `most` times a queue, unless that is 0.
void hostile_configure(enum hostile_mode mode, unsigned every, unsigned most, uint64_t seed,
                       const char *only);

void hostile_start(struct queue *q);
// Before a load that has been seen to load a used->idx, while devices stand still.
void hostile_before_look(void);
// The driver has loaded used->idx; it will read elements next.
void hostile_used_idx_loaded(struct queue *q);
// The driver has stored avail->idx; the doorbell comes next.
void hostile_published(struct queue *q);
// The driver has read the interrupt status of a slot; it will load used->idx next.
void hostile_interrupt(unsigned slot);
// Called about once a millisecond.
void hostile_tick(void);

#endif
