// Holding values back: for a while the driver or the device sees an old value in the guest's
// memory, then vqsan lets the new one go. inject.c decides what to hold and for how long; hold.c
// does it.
//
// Letting go restores a value only if memory still holds the value shown: anything else is newer.
// Call all functions with vqsan's lock held.

#ifndef VQSAN_HOLD_H
#define VQSAN_HOLD_H

#include "grade/plugins/vqsan/queue.h"

// A 16-bit value that the device (or, for used->flags, the driver) must not see yet.
struct held_word {
    bool held;
    bool released; // the hart has executed an `.rl` since then
    bool late;     // the device has completed something since then
    unsigned hart;
    uint64_t address;
    uint16_t shown, truth;
    uint64_t deadline; // ns
    uint16_t used_idx; // used->idx when vqsan began to hold the value
};

// A used element: its two words.
struct held_element {
    bool held;
    uint32_t shown[2], truth[2];
};

// A word of the descriptor table or the available ring.
struct held_store {
    uint64_t address;
    uint16_t shown, truth;
};

// What vqsan holds back of one queue, as long as the queue is ready.
struct held {
    unsigned size;
    struct held_word avail_idx;    // iob: hidden from the device
    struct held_word wish;         // mb: avail->flags or used_event, hidden from the device
    struct held_word no_notify;    // mb: an older used->flags, shown to the driver
    struct held_element *elements; // rmb: by slot; `shown` is the slot's content when last acquired
    uint16_t *shadow;              // descriptor table and available ring when last published
    struct held_store *stores;     // wmb
    unsigned store_count;
    uint64_t stores_deadline;
    uint64_t kicks;
};

uint64_t now_ns(void);

struct held *held_new(const struct queue *q);
// Lets everything go.
void held_free(struct queue *q);

// Shows `shown` at an address instead of the true value, for at most `duration` ns.
void hold_word(struct held_word *w, struct queue *q, unsigned hart, uint64_t phys, uint16_t shown,
               uint64_t duration);
void let_go_word(struct held_word *w);
// Somebody has stored a newer value: restores nothing.
void forget_word(struct held_word *w);

// In the slots of the elements from q->acquired up to `index`, shows what was there before.
void hold_elements(struct queue *q, uint16_t index);
void let_go_elements(struct queue *q);
// The driver may read the element in a slot now: lets it go, and remembers it as the last one.
void element_acquired(struct queue *q, unsigned slot);

// Shows the descriptor table and the available ring as last published, except indices and flags.
void hold_stores(struct queue *q, uint64_t duration);
void let_go_stores(struct queue *q);
// The driver has published the descriptor table and the available ring as they are now.
void refresh_shadow(struct queue *q);
// Where the shadow keeps the fields of the available ring.
static inline unsigned shadow_flags(const struct queue *q)
{
    return 8 * q->size;
}
static inline unsigned shadow_idx(const struct queue *q)
{
    return 8 * q->size + 1;
}
static inline unsigned shadow_event(const struct queue *q)
{
    return 8 * q->size + 2 + q->size;
}

#endif
