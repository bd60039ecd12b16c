// Injection: inject.h is the contract.
//
// Harts run at the same time, so what is held back must never reach a hart that has a right to see it:
// - a used element is held only from q->acquired on, and any hart's r,r that acquires it lets it go for all;
// - what a driver has stored is let go by a fence of any hart that orders such a store, and before any load
//   that is known to read it (found while warming up: most drivers never read what they wrote);
// - a newer store to the same place puts an end to it, whoever made it.
// And a device must never see avail->idx go back: where it is hidden, devices have been standing still since
// before the store.
// To let go too early is always right: it is the outcome of a quicker store buffer.

#include "grade/vqsan/inject.h"

#include "grade/vqsan/report.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WARM_UP_KICKS 4
#define SHORT_NS 5000000ull  // what lasts until nobody needs it any more
#define LONG_NS 100000000ull // what waits for the device to do something

unsigned inject_held;
bool inject_devices_stopped;

static unsigned chosen_kinds, chosen_every = 1;
static uint64_t generator = 1;

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

struct held_store { // wmb: a word of descriptor table or available ring
    uint64_t address;
    uint16_t shown, truth;
};

// Per queue. Everything is allocated when a queue first becomes ready, for its size at that time.
struct held {
    unsigned size;
    struct held_word avail_idx; // mb, iob: hidden from the device
    struct held_word wish;      // mb: avail->flags or used_event, hidden from the device
    struct held_word no_notify; // mb: used->flags as it may have been a moment ago, for the driver
    struct held_element *elements; // rmb: by slot; `shown` is what it held when last acquired
    uint16_t *shadow;          // descriptor table and available ring as the device has seen them
    struct held_store *stores; // wmb
    unsigned store_count;
    uint64_t stores_deadline;
    uint64_t kicks; // since it became ready
};

void inject_configure(unsigned kinds, unsigned every, uint64_t seed)
{
    chosen_kinds = kinds;
    chosen_every = every ? every : 1;
    generator = seed * 0x9e3779b97f4a7c15ull + 1;
}

unsigned inject_kinds(void)
{
    return chosen_kinds;
}

static bool chance(const struct queue *q, unsigned kind)
{
    if (!(chosen_kinds & kind) || !q->held || q->held->kicks < WARM_UP_KICKS)
        return false;
    generator ^= generator << 13;
    generator ^= generator >> 7;
    generator ^= generator << 17;
    return (generator >> 32) % chosen_every == 0;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void count_held(int change)
{
    __atomic_fetch_add(&inject_held, change, __ATOMIC_SEQ_CST);
}

// ---- words ----

static uint16_t *word_at(uint64_t phys)
{
    return (uint16_t *)(void *)ram_at(phys);
}
static uint32_t *element_at(const struct queue *q, unsigned slot)
{
    return (uint32_t *)(void *)ram_at(used_ring_address(q, slot));
}

static void swap_word(uint64_t phys, uint16_t from, uint16_t to)
{
    __atomic_compare_exchange_n(word_at(phys), &from, to, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
}

static void hold_word(struct held_word *w, struct queue *q, unsigned hart, uint64_t phys,
                      uint16_t shown, uint64_t duration)
{
    uint16_t truth = ram_u16(phys);
    if (shown == truth)
        return;
    if (!w->held)
        count_held(1);
    *w = (struct held_word){
        .held = true,
        .hart = hart,
        .address = phys,
        .shown = shown,
        .truth = truth,
        .deadline = now_ns() + duration,
        .used_idx = ram_u16(used_idx_address(q)),
    };
    q->count.injected++;
    swap_word(phys, truth, shown);
}

// Somebody has stored something newer there.
static void forget_word(struct held_word *w)
{
    if (w->held)
        count_held(-1);
    w->held = false;
}

static void let_go_word(struct held_word *w)
{
    if (w->held)
        swap_word(w->address, w->shown, w->truth);
    forget_word(w);
}

// ---- rmb: used elements ----
//
// After the load of used->idx the slots that it announces show what they held before, as if the hart had
// loaded them first, until some hart acquires them. Not where the address of the element depends on the
// index: no hart can load such an element early.

static void let_go_element(struct queue *q, unsigned slot)
{
    struct held_element *e = &q->held->elements[slot];
    if (!e->held)
        return;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t shown = e->shown[i];
        __atomic_compare_exchange_n(element_at(q, slot) + i, &shown, e->truth[i], false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    e->held = false;
    count_held(-1);
}

static void let_go_elements(struct queue *q)
{
    for (unsigned slot = 0; q->held && slot < q->held->size; slot++)
        let_go_element(q, slot);
}

void inject_acquired(struct queue *q, uint16_t from)
{
    for (uint16_t i = from; q->held && i != q->acquired; i++) {
        unsigned slot = i & (q->size - 1);
        let_go_element(q, slot);
        memcpy(q->held->elements[slot].shown, element_at(q, slot), 8);
    }
}

static void hold_elements(struct queue *q, uint16_t index)
{
    if (ahead(index, q->acquired) > (int)q->size)
        return;
    for (uint16_t i = q->acquired; i != index; i++) {
        unsigned slot = i & (q->size - 1);
        struct held_element *e = &q->held->elements[slot];
        if (e->held || memcmp(element_at(q, slot), e->shown, 8) == 0)
            continue;
        memcpy(e->truth, element_at(q, slot), 8);
        for (unsigned word = 0; word < 2; word++)
            __atomic_store_n(element_at(q, slot) + word, e->shown[word], __ATOMIC_SEQ_CST);
        e->held = true;
        count_held(1);
        q->count.injected++;
    }
}

void inject_dependent_block(struct queue *q)
{
    let_go_elements(q);
}

static void used_idx_loaded(struct hart *h, const struct site *site, struct queue *q)
{
    const struct view *v = &q->view[h->number];
    if (v->loaded && !site->insn.aq && !site->feeds_address && chance(q, INJECT_RMB))
        hold_elements(q, v->index);
}

// ---- wmb: what a publish covers ----
//
// R3 has found the index stored first. The device sees the index, and descriptors and ring entries as they
// were, until the doorbell has returned.

static unsigned shadow_words(const struct queue *q)
{
    return (16 * q->size + 6 + 2 * q->size) / 2;
}

// Descriptor table and available ring in one: the address of word i.
static uint64_t shadow_address(const struct queue *q, unsigned i)
{
    return i < 8 * q->size ? q->desc + 2 * (uint64_t)i : q->avail + 2 * (uint64_t)(i - 8 * q->size);
}

static void refresh_shadow(struct queue *q)
{
    for (unsigned i = 0; i < shadow_words(q); i++)
        q->held->shadow[i] = ram_u16(shadow_address(q, i));
}

static void let_go_stores(struct queue *q)
{
    struct held *held = q->held;
    if (!held || held->store_count == 0)
        return;
    for (unsigned i = 0; i < held->store_count; i++)
        swap_word(held->stores[i].address, held->stores[i].shown, held->stores[i].truth);
    held->store_count = 0;
    count_held(-1);
    refresh_shadow(q);
}

void inject_unordered_publish(struct queue *q)
{
    struct held *held = q->held;
    if (!inject_devices_stopped || !chance(q, INJECT_WMB) || held->store_count > 0)
        return;
    for (unsigned i = 0; i < shadow_words(q); i++) {
        uint64_t address = shadow_address(q, i);
        uint16_t truth = ram_u16(address);
        if (truth == held->shadow[i] || address == q->avail || address == avail_idx_address(q) ||
            address == used_event_address(q))
            continue;
        held->stores[held->store_count++] = (struct held_store){address, held->shadow[i], truth};
        swap_word(address, truth, held->shadow[i]);
    }
    if (held->store_count > 0) {
        count_held(1);
        held->stores_deadline = now_ns() + SHORT_NS;
        q->count.injected++;
    }
}

// ---- mb and iob: the index that is published ----
//
// iob: the device sees the old index until a w,o fence, or until the doorbell has returned: the doorbell has
// overtaken the store. A w,r fence ends it where no doorbell need follow, for from then on the device may
// count on having been able to see it: when it has asked not to be kicked.
//
// mb: the wish that the driver reads next is an old one, of when the device was still at work and wanted no
// kick, until a w,r fence, or until it has been read.

// Is it certain that the driver will ring the doorbell, if it does as the device wishes?
static bool wants_kick(const struct queue *q, uint16_t old_idx)
{
    if (q->event_idx) // or it may be moving its event index just now
        return ram_u16(used_idx_address(q)) == old_idx;
    return !(ram_u16(q->used) & 1);
}

static void avail_idx_stored(struct hart *h, struct queue *q)
{
    struct held *held = q->held;
    // What the device has seen last: the one hidden so far comes before the one stored now.
    uint16_t old = held->avail_idx.held ? held->avail_idx.truth : held->shadow[8 * q->size + 1];
    forget_word(&held->avail_idx);
    held->shadow[8 * q->size + 1] = ram_u16(avail_idx_address(q));
    if (inject_devices_stopped && chance(q, INJECT_IOB))
        hold_word(&held->avail_idx, q, h->number, avail_idx_address(q), old, SHORT_NS);
    if (!q->event_idx && chance(q, INJECT_MB))
        hold_word(&held->no_notify, q, h->number, q->used, ram_u16(q->used) | 1, SHORT_NS);
    if (!(held->store_count > 0))
        refresh_shadow(q);
    held->shadow[8 * q->size + 1] =
        held->avail_idx.held ? held->avail_idx.truth : ram_u16(avail_idx_address(q));
}

// The driver has read whether the device wants a kick. If not, no doorbell follows.
static void wish_loaded(struct queue *q)
{
    struct held *held = q->held;
    let_go_word(&held->no_notify);
    if (held->avail_idx.held && ram_u16(q->used) & 1)
        let_go_word(&held->avail_idx);
}

// ---- mb: the wish for an interrupt ----
//
// The device sees notifications still off until a w,r fence, or until it has completed something in that
// belief: 5 ms later at most it sees the store.

static void wish_stored(struct hart *h, struct queue *q, uint64_t address, unsigned shadow_index)
{
    struct held *held = q->held;
    uint16_t old = held->wish.held ? held->wish.truth : held->shadow[shadow_index];
    forget_word(&held->wish);
    held->shadow[shadow_index] = ram_u16(address);
    if (q->view[h->number].armed.fresh.pc && chance(q, INJECT_MB))
        hold_word(&held->wish, q, h->number, address, old, LONG_NS);
}

// ---- what a driver does ----

void inject_store(struct hart *h, struct site *site, struct place place)
{
    struct queue *q = place.queue;
    if (!q->held)
        return;
    site->publishes |= place.field == FIELD_AVAIL_IDX;
    if (place.field == FIELD_AVAIL_IDX)
        avail_idx_stored(h, q);
    else if (place.field == FIELD_AVAIL_FLAGS && !q->event_idx)
        wish_stored(h, q, q->avail, 8 * q->size);
    else if (place.field == FIELD_USED_EVENT && q->event_idx)
        wish_stored(h, q, used_event_address(q), 8 * q->size + 2 + q->size);
}

void inject_load(struct hart *h, struct site *site, struct place place)
{
    struct queue *q = place.queue;
    if (!q->held)
        return;
    switch (place.field) {
    case FIELD_USED_IDX:
        used_idx_loaded(h, site, q);
        break;
    case FIELD_USED_FLAGS:
        wish_loaded(q);
        break;
    case FIELD_DESC:
    case FIELD_INDIRECT:
    case FIELD_AVAIL_FLAGS:
    case FIELD_AVAIL_IDX:
    case FIELD_AVAIL_RING:
    case FIELD_USED_EVENT:
        site->reads_driver_area = true;
        break;
    default:
        break;
    }
}

void inject_doorbell(struct queue *q)
{
    if (!q->held)
        return;
    q->held->kicks++;
    let_go_word(&q->held->avail_idx);
    let_go_stores(q);
}

void inject_before_load(void)
{
    for (unsigned i = 0; i < queue_count; i++) {
        if (!queues[i].held)
            continue;
        let_go_word(&queues[i].held->avail_idx);
        let_go_word(&queues[i].held->wish);
        let_go_stores(&queues[i]);
    }
}

// ---- order ----

static void ordered(struct queue *q, bool wr, bool wo)
{
    struct held *held = q->held;
    if (wr) {
        let_go_word(&held->wish);
        let_go_word(&held->no_notify);
        if (held->avail_idx.held && !wants_kick(q, held->avail_idx.shown))
            let_go_word(&held->avail_idx);
    }
    if (wo)
        let_go_word(&held->avail_idx);
}

void inject_order(struct order order)
{
    for (unsigned i = 0; i < queue_count; i++)
        if (queues[i].held && (order.wr || order.wo))
            ordered(&queues[i], order.wr, order.wo);
}

void inject_release(struct hart *h)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct held *held = queues[i].held;
        if (!held)
            continue;
        held->wish.released |= held->wish.hart == h->number;
        held->avail_idx.released |= held->avail_idx.hart == h->number;
        held->no_notify.released |= held->no_notify.hart == h->number;
    }
}

void inject_acquire(struct hart *h)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct held *held = queues[i].held;
        if (held && ((held->wish.released && held->wish.hart == h->number) ||
                     (held->no_notify.released && held->no_notify.hart == h->number) ||
                     (held->avail_idx.released && held->avail_idx.hart == h->number)))
            ordered(&queues[i], true, false);
    }
}

// ---- time ----

static void tick_word(struct held_word *w, uint64_t now)
{
    if (w->held && now > w->deadline)
        let_go_word(w);
}

void inject_tick(void)
{
    uint64_t now = now_ns();
    for (unsigned i = 0; i < queue_count; i++) {
        struct queue *q = &queues[i];
        struct held *held = q->held;
        if (!held)
            continue;
        struct held_word *wish = &held->wish;
        if (wish->held && !wish->late && ram_u16(used_idx_address(q)) != wish->used_idx) {
            wish->late = true;
            wish->deadline = now + SHORT_NS;
        }
        tick_word(wish, now);
        tick_word(&held->avail_idx, now);
        tick_word(&held->no_notify, now);
        if (now > held->stores_deadline)
            let_go_stores(q);
    }
}

// ---- begin and end ----

void inject_stop(struct queue *q)
{
    struct held *held = q->held;
    if (!held)
        return;
    let_go_word(&held->avail_idx);
    let_go_word(&held->wish);
    let_go_word(&held->no_notify);
    let_go_elements(q);
    let_go_stores(q);
    free(held->elements);
    free(held->shadow);
    free(held->stores);
    free(held);
    q->held = NULL;
}

void inject_start(struct queue *q)
{
    struct held *held;
    if (chosen_kinds == 0)
        return;
    held = calloc(1, sizeof(*held));
    if (!held)
        abort();
    held->size = q->size;
    held->elements = calloc(q->size, sizeof(*held->elements));
    held->shadow = calloc(shadow_words(q), sizeof(*held->shadow));
    held->stores = calloc(shadow_words(q), sizeof(*held->stores));
    if (!held->elements || !held->shadow || !held->stores)
        abort();
    q->held = held;
    for (unsigned slot = 0; slot < q->size; slot++)
        memcpy(held->elements[slot].shown, element_at(q, slot), 8);
    refresh_shadow(q);
}
