// Rules R1 to R8. rules.h is the contract; docs/ordering.md explains them at length.
//
// Above each rule is its litmus test: what driver and device do, and the outcome that a missing
// fence allows. The memory model is RVWMO; a device counts as another hart. Indices are 16 bits and
// wrap.

#include "grade/plugins/vqsan/rules.h"

#include "grade/plugins/vqsan/inject.h"
#include "grade/plugins/vqsan/report.h"

#define MANY_LOOKS 100 // looks at an index that does not move: the hart is waiting
// A hart that wakes up while an answer is there looks at it. If all harts go back to sleep this
// many times without looking, the wake-up is lost.
#define SLEEPS_TOO_MANY 3

struct order fence_order(const struct insn *insn)
{
    uint8_t p = insn->pred, s = insn->succ;
    return (struct order){
        .rr = (p & ORDER_R) && (s & ORDER_R),
        .ww = (p & ORDER_W) && (s & ORDER_W),
        .wr = (p & ORDER_W) && (s & ORDER_R) && !insn->tso,
        .wo = (p & ORDER_W) && (s & ORDER_O),
        .ir = (p & ORDER_I) && (s & ORDER_R),
    };
}

static struct event event_at(const struct site *site, struct place place)
{
    return (struct event){site->pc, place.field, place.number};
}

static const struct event *pending(const struct pending *p)
{
    if (p->fresh.pc)
        return &p->fresh;
    return p->released.pc ? &p->released : NULL;
}

static void order_pending(struct pending *p)
{
    *p = (struct pending){0};
}

static void acquire_up_to(struct queue *q, uint16_t index)
{
    uint16_t from = q->acquired;
    if (ahead(index, from) > 0) {
        q->acquired = index;
        inject_acquired(q, from);
    }
}

// ---- loads ----

// R5: the driver enables notifications, then loads used->idx, without w,r in between.
//
//     driver                      device
//     avail->flags = 0            used->idx = n + 1
//     (fence w,r)                 fence w,r
//     load used->idx -> n         load avail->flags -> NO_INTERRUPT
//
// Each looks before it sees the other's store: no interrupt, and the driver sleeps.
static void check_recheck(struct hart *h, struct queue *q, struct event load)
{
    const struct event *enabled = pending(&q->view[h->number].armed);
    if (enabled)
        report(RULE_RECHECK, q, h->number, *enabled, load);
}

// R8: the driver reads the interrupt status, then loads used->idx, without i,r in between.
//
//     driver                               device
//     load InterruptStatus -> 1            used->idx = n + 1
//     (fence i,r)                          interrupt
//     load used->idx -> n
//
// The index is older than the interrupt that announced it, and the interrupt is already
// acknowledged.
static void check_irq(struct hart *h, struct queue *q, struct event load)
{
    if (h->irq_read.pc && h->irq_slot == q->slot) {
        report(RULE_IRQ, q, h->number, h->irq_read, load);
        h->irq_read.pc = 0;
    }
}

// R7, see rules_sleep(): the hart slept, and the device moved the index in the meantime.
static void check_slept(struct queue *q, struct hart *h, uint16_t index)
{
    if (q->slept.pc && index != q->seen)
        report(RULE_UNSEEN, q, h->number, q->last_look, q->slept);
    q->slept.pc = 0;
}

static void used_idx_loaded(struct hart *h, struct queue *q, const struct site *site,
                            struct event load)
{
    struct view *v = &q->view[h->number];
    uint16_t index = ram_u16(used_idx_address(q));
    check_recheck(h, q, load);
    check_irq(h, q, load);
    check_slept(q, h, index);
    order_pending(&v->armed);
    v->unchecked.pc = 0;

    q->count.polls++;
    q->waiter = h->number;
    q->seen = index;
    q->last_look = load;
    q->moved_unseen = false;
    q->sleeps_unseen = 0;
    h->look.atomic = false;
    h->look.queue = NULL;
    if (index == q->taken) {
        q->count.spins++;
        q->looks++;
        h->look.queue = q;
        h->look.stores = h->stores;
        h->look.fresh = true;
    } else {
        q->looks = 0;
    }
    if (ahead(index, q->acquired) > 0) {
        v->loaded = true;
        v->index = index;
        v->load = load;
        h->stake = true;
        dependency_start(&h->dependency, site);
        h->dependency_queue = q;
    }
}

// The sequence number of the element in `slot`. The driver reads the next element, or the previous
// one again, or one further ahead.
static uint16_t element_number(const struct queue *q, uint16_t index, unsigned slot)
{
    unsigned next = q->taken & (q->size - 1);
    if (slot == ((q->taken - 1) & (q->size - 1)) && (q->size > 1 || index == q->taken))
        return q->taken - 1;
    return q->taken + ((slot - next) & (q->size - 1));
}

// R1: the driver loads an element after the index that covers it, without r,r in between.
// R2: the driver loads an element before it knows that the element is there.
//
//     device                      driver
//     used->ring[k] = element     load used->idx -> n + 1
//     fence w,w                   (fence r,r)
//     used->idx = n + 1           load used->ring[k] -> what was there before
//
// A branch between the two loads orders nothing, because the processor may guess it. An address
// that is computed from the index does order them. R2 is R1 after the compiler has reordered the
// loads, if no fence stops it.
static void element_loaded(struct hart *h, struct queue *q, const struct site *site,
                           struct event load)
{
    struct view *v = &q->view[h->number];
    uint16_t number = element_number(q, v->loaded ? v->index : q->acquired, load.number);
    bool published = ahead(ram_u16(used_idx_address(q)), number) > 0;
    if (ahead(number, q->acquired) >= 0) {
        bool known = v->loaded && ahead(v->index, number) > 0;
        if (!known)
            report(RULE_EARLY, q, h->number, q->last_look, load);
        else if (h->dependency_queue != q || !dependency_holds(&h->dependency, site))
            report(RULE_ELEMENT, q, h->number, v->load, load);
        published = published && known;
    }
    if (number == q->taken && published) {
        q->taken++;
        q->count.completions++;
    }
}

// R6: the driver stores avail->idx, then checks whether the device wants a kick, without w,r.
//
//     driver                          device
//     avail->idx = n + 1              used->flags = 0
//     (fence w,r)                     fence w,r
//     load used->flags -> NO_NOTIFY   load avail->idx -> n
//
// Each looks before it sees the other's store: no kick, and the device sleeps.
static void wish_loaded(struct hart *h, struct queue *q, struct event load)
{
    struct view *v = &q->view[h->number];
    const struct event *published = pending(&v->wr);
    bool wanted = !(ram_u16(q->used) & 1);
    if (published)
        report(RULE_KICK, q, h->number, *published, load);
    order_pending(&v->wr);
    if (q->event_idx) {
        uint16_t event = ram_u16(used_ring_address(q, q->size));
        uint16_t new = ram_u16(avail_idx_address(q));
        wanted = (uint16_t)(new - event - 1) < (uint16_t)(new - q->kick_checked);
        q->kick_checked = new;
    }
    if (!wanted)
        q->count.saved++;
}

void rules_load(struct hart *h, const struct site *site, struct place place)
{
    struct queue *q = place.queue;
    struct event load = event_at(site, place);
    q->count.accesses++;
    if (place.field == FIELD_USED_IDX)
        used_idx_loaded(h, q, site, load);
    else if (place.field == FIELD_USED_RING)
        element_loaded(h, q, site, load);
    else if (place.field == (q->event_idx ? FIELD_AVAIL_EVENT : FIELD_USED_FLAGS))
        wish_loaded(h, q, load);
}

void rules_irq_status(struct hart *h, const struct site *site, unsigned slot)
{
    h->irq_read = (struct event){site->pc, FIELD_IRQ_STATUS, 0};
    h->irq_slot = slot;
    h->stake = true;
}

// ---- stores ----

// The hart publishes, or switches notifications, and will look before it waits. Another hart that
// looked last did so for somebody else, as an interrupt handler does: if it sleeps now, it does not
// wait for this queue.
static void drives(struct hart *h, struct queue *q)
{
    if (q->waiter != (int)h->number)
        q->waiter = -1;
}

// R3: the driver stores avail->idx while a descriptor or ring entry that it covers lacks w,w.
//
//     driver                      device
//     avail->ring[k] = head       load avail->idx -> n + 1
//     (fence w,w)                 fence r,r
//     avail->idx = n + 1          load avail->ring[k] -> what was there before
//
// The device uses an old descriptor. An `.rl` on the store of the index is as good as the fence.
static void published(struct hart *h, struct queue *q, const struct site *site, struct event store)
{
    struct view *v = &q->view[h->number];
    const struct event *entry = pending(&v->ww);
    if (entry && !site->insn.rl) {
        report(RULE_PUBLISH, q, h->number, *entry, store);
        inject_unordered_publish(q);
    }
    order_pending(&v->ww);
    v->wo.fresh = v->wr.fresh = store;
    drives(h, q);
    q->published = ram_u16(avail_idx_address(q));
    if ((uint16_t)(q->published - q->taken) > q->count.deepest)
        q->count.deepest = (uint16_t)(q->published - q->taken);
    q->count.publishes++;
    q->looks = 0;
    q->slept.pc = 0;
    h->look.queue = NULL;
}

static void notifications(struct hart *h, struct queue *q, struct event store, bool enable)
{
    struct view *v = &q->view[h->number];
    drives(h, q);
    if (enable) {
        // Storing the same value again causes no race; a new event index does.
        if (!q->enabled || q->event_idx)
            v->armed.fresh = v->unchecked = store;
    } else {
        for (unsigned i = 0; i < MAX_HARTS; i++) {
            order_pending(&q->view[i].armed);
            q->view[i].unchecked.pc = 0;
        }
    }
    q->enabled = enable;
    if (enable)
        q->slept.pc = 0;
}

void rules_store(struct hart *h, const struct site *site, struct place place)
{
    struct queue *q = place.queue;
    struct event store = event_at(site, place);
    q->count.accesses++;
    h->stake = true;
    switch (place.field) {
    case FIELD_DESC:
        queue_learn_indirect(q, place.number);
        // fall through
    case FIELD_INDIRECT:
    case FIELD_AVAIL_RING:
        q->view[h->number].ww.fresh = q->view[h->number].wo.fresh = store;
        break;
    case FIELD_AVAIL_IDX:
        published(h, q, site, store);
        break;
    case FIELD_AVAIL_FLAGS:
        if (!q->event_idx)
            notifications(h, q, store, !(ram_u16(q->avail) & 1));
        break;
    case FIELD_USED_EVENT:
        // An index beyond the next completions asks for no interrupt soon.
        if (q->event_idx)
            notifications(h, q, store,
                          (uint16_t)(ram_u16(used_event_address(q)) - q->taken) < q->size);
        break;
    default:
        break;
    }
}

// R4: the driver rings the doorbell while an entry lacks w,o.
//
//     driver                      device
//     avail->idx = n + 1          sees the doorbell
//     (fence w,o)                 load avail->idx -> n
//     QueueNotify = q
//
// The doorbell overtakes the index: the device finds nothing and sleeps. To order memory and device
// registers, a fence must name both; `fence rw,rw` and every AMO order only memory.
void rules_doorbell(struct hart *h, const struct site *site, struct queue *q)
{
    struct view *v = &q->view[h->number];
    const struct event *entry = pending(&v->wo);
    if (entry)
        report(RULE_DOORBELL, q, h->number, *entry, (struct event){site->pc, FIELD_DOORBELL, 0});
    order_pending(&v->wo);
    order_pending(&v->wr);
    q->count.kicks++;
    q->looks = 0;
}

// ---- order ----

// Does the hart have anything left that a fence could order?
static void recompute_stake(struct hart *h)
{
    h->stake = h->irq_read.pc != 0;
    for (unsigned i = 0; i < queue_count && !h->stake; i++) {
        const struct view *v = &queues[i].view[h->number];
        h->stake = queues[i].live && (v->loaded || v->load_released || pending(&v->ww) ||
                                      pending(&v->wo) || pending(&v->wr) || pending(&v->armed));
    }
    if (!h->stake)
        h->dependency.live = false;
}

void rules_order(struct hart *h, struct order order)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct queue *q = &queues[i];
        struct view *v = &q->view[h->number];
        if (!q->live)
            continue;
        if (order.rr && v->loaded) {
            acquire_up_to(q, v->index);
            v->loaded = v->load_released = false;
        }
        if (order.ww)
            order_pending(&v->ww);
        if (order.wo)
            order_pending(&v->wo);
        if (order.wr) {
            order_pending(&v->wr);
            order_pending(&v->armed);
        }
    }
    if (order.rr)
        h->dependency.live = false;
    if (order.ir)
        h->irq_read.pc = 0;
    recompute_stake(h);
}

static void release_pending(struct pending *p)
{
    if (p->fresh.pc)
        p->released = p->fresh;
    p->fresh.pc = 0;
}

void rules_release(struct hart *h)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct view *v = &queues[i].view[h->number];
        if (v->loaded) {
            v->load_released = true;
            v->index_released = v->index;
        }
        release_pending(&v->ww);
        release_pending(&v->wr);
        release_pending(&v->armed);
    }
}

void rules_acquire(struct hart *h, const struct site *site)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct queue *q = &queues[i];
        struct view *v = &q->view[h->number];
        if (q->live && v->load_released)
            acquire_up_to(q, v->index_released);
        // The load of the index may itself carry the `.aq`.
        if (q->live && v->loaded && v->load.pc == site->pc)
            acquire_up_to(q, v->index);
        v->load_released = false;
        v->ww.released.pc = v->wr.released.pc = v->armed.released.pc = 0;
    }
}

// ---- waiting ----

// R7: the driver waits for completions, the device has moved its index, and the driver does not
// look. docs/ordering.md explains how that happens. vqsan recognizes two cases. A hart goes round a
// loop a thousand times, stores nothing and loads from the same addresses. Or a hart has waited,
// slept with notifications off, and finds the index moved when it looks again. After an atomic,
// such a loop waits for a lock instead.
void rules_spinning(struct hart *h, const struct block *block)
{
    if (h->look.atomic)
        return;
    for (unsigned i = 0; i < queue_count; i++) {
        struct queue *q = &queues[i];
        // With notifications on, an interrupt will end the wait.
        if (!q->live || q->waiter != (int)h->number || q->looks == 0 || q->enabled)
            continue;
        q->looks = MANY_LOOKS; // it waits, however it does so
        if (ram_u16(used_idx_address(q)) == q->seen)
            continue;
        if (q->moved_unseen) { // true a thousand turns ago already
            report(RULE_UNSEEN, q, h->number, q->last_look,
                   (struct event){block->last_pc, FIELD_NONE, 0});
            q->looks = 0; // one report for each missing look
        }
        q->moved_unseen = true;
    }
}

// The same as a number: in how many turns of its waiting loops does the hart load used->idx? In a
// correct loop, in every turn.
void rules_turn(struct hart *h, const struct block *block)
{
    struct wait_loop *loop = h->look.queue->loops;
    unsigned i = 0;
    while (i < MAX_LOOPS && loop[i].pc && loop[i].pc != block->last_pc)
        i++;
    if (i == MAX_LOOPS || (!loop[i].pc && !h->look.fresh))
        return;
    loop[i].pc = block->last_pc;
    loop[i].turns++;
    loop[i].looks += h->look.fresh;
    h->look.fresh = false;
}

void rules_sleep(struct hart *h, const struct site *site, bool all)
{
    struct event sleep = {site->pc, FIELD_NONE, 0};
    for (unsigned i = 0; i < queue_count; i++) {
        struct queue *q = &queues[i];
        struct view *v = &q->view[h->number];
        if (!q->live)
            continue;
        if (v->unchecked.pc) {
            report(RULE_RECHECK, q, h->number, v->unchecked, sleep);
            v->unchecked.pc = 0;
        }
        if (q->waiter != (int)h->number)
            continue;
        if (h->look.queue == q && q->published != q->taken) {
            q->count.sleeps++;
            q->count.sleeps_unnotified += !q->enabled;
        }
        if (ram_u16(used_idx_address(q)) == q->seen || !q->enabled)
            q->sleeps_unseen = 0;
        else if (all && ++q->sleeps_unseen == SLEEPS_TOO_MANY)
            q->count.lost_wakeups++;
        // The next look shows whether this sleep was wrong.
        if (q->looks >= MANY_LOOKS && !q->enabled)
            q->slept = sleep;
        q->looks = 0;
    }
    h->look.queue = NULL;
}
