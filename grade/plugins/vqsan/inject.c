// Injection. inject.h is the contract.
//
// Harts run at the same time, so vqsan must never show a held-back value to a hart that may see the
// new one:
// - It holds used elements only from q->acquired on. When any hart's r,r acquires one, vqsan lets
//   it go for all harts.
// - It lets go what a driver has stored at a fence of any hart that orders such a store, and before
//   any load known to read it. (It learns these loads while warming up: most drivers never read
//   what they wrote.)
// - A newer store to the same place ends it, whichever hart made it.
//
// A device must never see avail->idx go back. Therefore vqsan stops devices before any store of
// avail->idx that it may hide.
//
// Letting go too early is always correct: it is the outcome of a faster store buffer.

#include "grade/plugins/vqsan/inject.h"

#include "grade/plugins/vqsan/hold.h"

#define WARM_UP_KICKS 4
#define SHORT_NS 5000000ull  // for a value that ends as soon as nobody needs it
#define LONG_NS 100000000ull // for a value that waits until the device does something

bool inject_devices_stopped;

static unsigned chosen_kinds, chosen_every = 1;
static uint64_t generator = 1;

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

// ---- rmb: used elements ----
//
// After a load of used->idx, the slots that it announces show their old content until some hart
// acquires them, as if the hart had loaded them first. Not if the address of the element depends on
// the index: no hart can load such an element early.

void inject_acquired(struct queue *q, uint16_t from)
{
    for (uint16_t i = from; q->held && i != q->acquired; i++)
        element_acquired(q, i & (q->size - 1));
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
// R3 has found that the driver stored the index first. Until the doorbell has returned, the device
// sees the new index with old descriptors and ring entries.

void inject_unordered_publish(struct queue *q)
{
    if (inject_devices_stopped && chance(q, INJECT_WMB))
        hold_stores(q, SHORT_NS);
}

// ---- mb and iob: the index that is published ----
//
// iob: the device sees the old index until a w,o fence, or until the doorbell has returned: the
// doorbell has overtaken the store. A w,r fence also ends it if no doorbell has to follow, that is,
// if the device has asked not to be kicked: after that fence the device may assume that it can see
// the index.
//
// mb: the driver next reads an old used->flags, from when the device was still busy and wanted no
// kick. This lasts until a w,r fence, or until the driver has read it.

// Is it certain that a driver that does what the device wants will ring the doorbell?
static bool wants_kick(const struct queue *q, uint16_t old_idx)
{
    if (q->event_idx) // the device may be moving its event index right now
        return ram_u16(used_idx_address(q)) == old_idx;
    return !(ram_u16(q->used) & 1);
}

static void avail_idx_stored(struct hart *h, struct queue *q)
{
    struct held *held = q->held;
    // The index to show instead of the new one: the previous one, even if it was hidden until now.
    uint16_t old = held->avail_idx.held ? held->avail_idx.truth : held->shadow[shadow_idx(q)];
    forget_word(&held->avail_idx);
    held->shadow[shadow_idx(q)] = ram_u16(avail_idx_address(q));
    if (inject_devices_stopped && chance(q, INJECT_IOB))
        hold_word(&held->avail_idx, q, h->number, avail_idx_address(q), old, SHORT_NS);
    if (!q->event_idx && chance(q, INJECT_MB))
        hold_word(&held->no_notify, q, h->number, q->used, ram_u16(q->used) | 1, SHORT_NS);
    if (held->store_count == 0)
        refresh_shadow(q);
    held->shadow[shadow_idx(q)] =
        held->avail_idx.held ? held->avail_idx.truth : ram_u16(avail_idx_address(q));
}

// The driver has checked whether the device wants a kick. If it wants none, no doorbell follows.
static void wish_loaded(struct queue *q)
{
    struct held *held = q->held;
    let_go_word(&held->no_notify);
    if (held->avail_idx.held && ram_u16(q->used) & 1)
        let_go_word(&held->avail_idx);
}

// ---- mb: the wish for an interrupt ----
//
// The device sees notifications still off until a w,r fence, or until it has completed something
// while it sees them off: at most 5 ms later, it sees the store.

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
        wish_stored(h, q, q->avail, shadow_flags(q));
    else if (place.field == FIELD_USED_EVENT && q->event_idx)
        wish_stored(h, q, used_event_address(q), shadow_event(q));
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
    held_free(q);
}

void inject_start(struct queue *q)
{
    if (chosen_kinds)
        q->held = held_new(q);
}
