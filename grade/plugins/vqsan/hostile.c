// The hostile device. hostile.h is the contract.

#include "grade/plugins/vqsan/hostile.h"

#include "grade/plugins/vqsan/report.h"

#include <stdlib.h>
#include <string.h>

#define WARM_UP_ANSWERS 16
#define EARLY_TICKS 2 // milliseconds from the interrupt to the index

static const char *const names[] = {
    [HOSTILE_NONE] = "",
    [HOSTILE_BAD_ID] = "bad-id",
    [HOSTILE_DOUBLE] = "double",
    [HOSTILE_LONG_LEN] = "long-len",
    [HOSTILE_INDEX_JUMP] = "index-jump",
    [HOSTILE_STUCK] = "stuck",
    [HOSTILE_EARLY_IRQ] = "early-irq",
    [HOSTILE_SLOW] = "slow",
};

static enum hostile_mode chosen_mode;
static unsigned every = 1, most;
static uint64_t generator = 1;
static const char *only;

struct hostile {
    uint16_t seen; // elements below this index are done
    uint64_t answers;
    bool frozen;            // STUCK: the device sees avail->idx stay at
    uint16_t avail_idx;     // this value
    uint16_t hidden, truth; // EARLY_IRQ, SLOW: used->idx shows `hidden`, not `truth`
    unsigned ticks;         // EARLY_IRQ: for so many more ticks; 0: not at all
    bool published;         // SLOW: the driver has published and not looked since
    bool late;              // SLOW: used->idx shows `hidden` for this look
};

enum hostile_mode hostile_named(const char *name)
{
    for (unsigned i = 1; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return HOSTILE_NONE;
}

void hostile_configure(enum hostile_mode chosen, unsigned chosen_every, unsigned chosen_most,
                       uint64_t seed, const char *device)
{
    most = chosen_most;
    chosen_mode = chosen;
    every = chosen_every ? chosen_every : chosen == HOSTILE_SLOW ? 1 : 100;
    generator = seed * 0x9e3779b97f4a7c15ull + 1;
    only = device;
}

enum hostile_mode hostile_mode(void)
{
    return chosen_mode;
}

static uint32_t draw(void)
{
    generator ^= generator << 13;
    generator ^= generator >> 7;
    generator ^= generator << 17;
    return generator >> 32;
}

static bool chance(const struct queue *q)
{
    return q->hostile->answers > WARM_UP_ANSWERS && draw() % every == 0 &&
           (most == 0 || q->count.corrupted < most);
}

static void say(struct queue *q)
{
    if (q->count.corrupted++ == 0)
        report_note("from now on the device %s misbehaves: %s", q->device, names[chosen_mode]);
}

static uint16_t *used_idx(const struct queue *q)
{
    return (uint16_t *)(void *)ram_at(used_idx_address(q));
}

static void corrupt(struct queue *q, uint16_t number)
{
    uint32_t *element = (uint32_t *)(void *)ram_at(used_ring_address(q, number & (q->size - 1)));
    uint32_t *before =
        (uint32_t *)(void *)ram_at(used_ring_address(q, (number - 1) & (q->size - 1)));
    switch (chosen_mode) {
    case HOSTILE_BAD_ID:
        element[0] = q->size + draw() % (draw() & 1 ? 16 : 0x7fffffff);
        break;
    case HOSTILE_DOUBLE:
        if (q->size == 1 || element[0] == before[0])
            return;
        element[0] = before[0];
        break;
    case HOSTILE_LONG_LEN:
        element[1] = 0xffffffff - draw() % 4096;
        break;
    case HOSTILE_INDEX_JUMP: // the driver has just loaded the index; its next load sees this
        *used_idx(q) = number + 1 + q->size + 1 + draw() % 1000;
        break;
    default:
        return;
    }
    say(q);
}

static void swap_used_idx(struct queue *q, uint16_t from, uint16_t to)
{
    __atomic_compare_exchange_n(used_idx(q), &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

// A device that is just too late for the first look. Not while notifications are on: the device may
// have finished in time and therefore sent no interrupt.
void hostile_before_look(void)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct queue *q = &queues[i];
        struct hostile *hostile = q->hostile;
        if (!q->live || !hostile || !hostile->published || q->enabled || draw() % every != 0)
            continue;
        hostile->late = true;
        hostile->truth = ram_u16(used_idx_address(q));
        hostile->hidden = q->seen;
        swap_used_idx(q, hostile->truth, hostile->hidden);
    }
}

// The look is over.
static void show_again(struct queue *q)
{
    struct hostile *hostile = q->hostile;
    if (!hostile || !hostile->late)
        return;
    hostile->late = false;
    swap_used_idx(q, hostile->hidden, hostile->truth);
    if (hostile->hidden != hostile->truth)
        say(q);
}

void hostile_used_idx_loaded(struct queue *q)
{
    struct hostile *hostile = q->hostile;
    if (!hostile || chosen_mode == HOSTILE_STUCK || chosen_mode == HOSTILE_EARLY_IRQ)
        return;
    if (chosen_mode == HOSTILE_SLOW) {
        hostile->published = false;
        for (unsigned i = 0; i < queue_count; i++)
            show_again(&queues[i]);
        return;
    }
    uint16_t index = ram_u16(used_idx_address(q));
    if (ahead(index, hostile->seen) > (int)q->size) // vqsan's own jump
        return;
    for (; hostile->seen != index; hostile->seen++) {
        hostile->answers++;
        if (chance(q))
            corrupt(q, hostile->seen);
    }
}

void hostile_published(struct queue *q)
{
    struct hostile *hostile = q->hostile;
    if (hostile)
        hostile->published = true;
    if (!hostile || chosen_mode != HOSTILE_STUCK)
        return;
    uint16_t *avail_idx = (uint16_t *)(void *)ram_at(avail_idx_address(q));
    hostile->answers++;
    if (!hostile->frozen && chance(q)) {
        hostile->frozen = true;
        say(q);
    }
    if (hostile->frozen)
        *avail_idx = hostile->avail_idx;
    else
        hostile->avail_idx = *avail_idx;
}

void hostile_interrupt(unsigned slot)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct queue *q = &queues[i];
        struct hostile *hostile = q->hostile;
        if (!q->live || q->slot != slot || !hostile || chosen_mode != HOSTILE_EARLY_IRQ ||
            hostile->ticks)
            continue;
        hostile->answers++;
        hostile->truth = ram_u16(used_idx_address(q));
        hostile->hidden = q->seen;
        if (hostile->truth == hostile->hidden || !chance(q))
            continue;
        *used_idx(q) = hostile->hidden;
        hostile->ticks = EARLY_TICKS;
        say(q);
    }
}

void hostile_tick(void)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct queue *q = &queues[i];
        struct hostile *hostile = q->hostile;
        if (!q->live || !hostile || hostile->ticks == 0 || --hostile->ticks > 0)
            continue;
        swap_used_idx(q, hostile->hidden,
                      hostile->truth); // unless the device has written a newer index
    }
}

void hostile_start(struct queue *q)
{
    if (chosen_mode == HOSTILE_NONE || (only && strcmp(only, q->device) != 0))
        return;
    if (!q->hostile)
        q->hostile = calloc(1, sizeof(*q->hostile));
    if (!q->hostile)
        abort();
    *q->hostile = (struct hostile){.seen = ram_u16(used_idx_address(q)),
                                   .avail_idx = ram_u16(avail_idx_address(q))};
}
