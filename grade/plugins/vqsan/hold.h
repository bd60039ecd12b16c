// Holding back: values in the guest's memory that are shown to driver or device as they were before, and let
// go later. inject.c decides what is held and for how long; here is how.
//
// Letting go restores a value only where the shown one is still found: what anybody has stored since is newer.
// All functions are called with vqsan's lock held.

#ifndef VQSAN_HOLD_H
#define VQSAN_HOLD_H

#include "grade/plugins/vqsan/queue.h"

// A value of 16 bits that the device (or, for used->flags, the driver) is not to see yet.
struct held_word {
    bool held;
    bool released; // its hart has executed an `.rl` since
    bool late;     // the device has completed something since
    unsigned hart;
    uint64_t address;
    uint16_t shown, truth;
    uint64_t deadline; // ns
    uint16_t used_idx; // when it began
};

// A used element, as its two words.
struct held_element {
    bool held;
    uint32_t shown[2], truth[2];
};

// A word of descriptor table or available ring.
struct held_store {
    uint64_t address;
    uint16_t shown, truth;
};

// Of one queue, from when it is ready until it is not.
struct held {
    unsigned size;
    struct held_word avail_idx;    // iob: hidden from the device
    struct held_word wish;         // mb: avail->flags or used_event, hidden from the device
    struct held_word no_notify;    // mb: used->flags as it may have been, for the driver
    struct held_element *elements; // rmb: by slot; `shown` is what it held when last acquired
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

// Shows `shown` at an address, instead of what is there.
void hold_word(struct held_word *w, struct queue *q, unsigned hart, uint64_t phys, uint16_t shown,
               uint64_t duration);
void let_go_word(struct held_word *w);
// Somebody has stored something newer there: nothing to restore.
void forget_word(struct held_word *w);

// Shows the elements from q->acquired up to `index` as their slots were before.
void hold_elements(struct queue *q, uint16_t index);
void let_go_elements(struct queue *q);
// The element in a slot may be read now: let it go, and remember it as the last.
void element_acquired(struct queue *q, unsigned slot);

// Shows descriptor table and available ring, indices and flags excepted, as they were when last published.
void hold_stores(struct queue *q, uint64_t duration);
void let_go_stores(struct queue *q);
// They have been published as they are now.
void refresh_shadow(struct queue *q);
// Where in the shadow the fields of the available ring are.
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
