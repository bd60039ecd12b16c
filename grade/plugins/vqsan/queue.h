// The virtqueues of the guest, learned from what its driver writes to the virtio-mmio registers, and what
// vqsan knows of each.

#ifndef VQSAN_QUEUE_H
#define VQSAN_QUEUE_H

#include "grade/plugins/vqsan/block.h"
#include "grade/plugins/common/qemu.h"

#include <stdbool.h>
#include <stdint.h>

#define MAX_HARTS 32
#define MAX_QUEUES 32
#define MAX_SLOTS 8 // virtio-mmio slots of the `virt` machine

// What a guest address is, in some queue.
enum field {
    FIELD_NONE,
    FIELD_DESC,     // descriptor table: number of the descriptor
    FIELD_INDIRECT, // an indirect table
    FIELD_AVAIL_FLAGS,
    FIELD_AVAIL_IDX,
    FIELD_AVAIL_RING, // slot
    FIELD_USED_EVENT, // the driver's: at which index it wants an interrupt
    FIELD_USED_FLAGS,
    FIELD_USED_IDX,
    FIELD_USED_RING,   // slot
    FIELD_AVAIL_EVENT, // the device's: at which index it wants a kick
    FIELD_DOORBELL,    // of a device; these two are for reports
    FIELD_IRQ_STATUS,
};

struct place {
    struct queue *queue; // NULL if it is none of a queue
    enum field field;
    unsigned number; // of descriptor or slot
};

// An access that a report may name. `pc` 0: none.
struct event {
    uint64_t pc;
    enum field field;
    unsigned number;
};

// Stores of a hart that some fence has yet to order. Two stages, because `.rl` and then
// `.aq` order as much as a fence does: `.rl` moves the stores from fresh to released, `.aq` drops the
// released ones.
struct pending {
    struct event fresh, released;
};

// What one hart has done with a queue (rules.c).
struct view {
    bool loaded;    // used->idx has been loaded and no r,r fence followed
    uint16_t index; // the value
    struct event load;
    bool load_released; // the same, with an `.rl` after it
    uint16_t index_released;
    struct pending ww;      // stores to descriptors and the available ring, no w,w after them
    struct pending wo;      // the same and stores to avail->idx, no w,o
    struct pending wr;      // stores to avail->idx, no w,r
    struct pending armed;   // notifications enabled, no w,r
    struct event unchecked; // notifications enabled, used->idx not loaded since
};

// A loop in which some hart waited for the queue: how often it went round, and in how many of those turns it
// loaded used->idx.
#define MAX_LOOPS 16
struct wait_loop {
    uint64_t pc; // of the jump back
    uint64_t turns, looks;
};

struct held;

struct queue {
    bool live; // the device has it ready
    unsigned slot, index;
    const char *device;
    unsigned size;
    uint64_t desc, avail, used; // guest physical
    bool event_idx;

    // Elements below `acquired` may be read: used->idx was loaded and a fence came after it.
    uint16_t acquired;
    uint16_t taken;        // the next element that the driver has not read
    uint16_t seen;         // used->idx as last loaded by any hart
    uint16_t published;    // avail->idx as last stored
    bool enabled;          // notifications
    uint16_t kick_checked; // avail->idx when the device's wish for kicks was last looked at
    int waiter;            // hart that last loaded used->idx, or -1
    struct event last_look;
    struct event slept;     // on it: R7
    unsigned sleeps_unseen; // in a row, of all harts, with an answer there that none has seen
    unsigned looks;         // at used->idx in a row that found nothing new
    bool moved_unseen;      // the device has moved it since, as a spinning hart was seen to miss

    struct view view[MAX_HARTS];
    struct held *held;       // inject.c
    struct hostile *hostile; // hostile.c

    struct wait_loop loops[MAX_LOOPS];
    struct {
        uint64_t accesses, polls, spins, publishes, kicks, saved, completions, violations;
        uint64_t deepest;           // most chains in flight at one time
        uint64_t sleeps;            // wfi with chains in flight, after a look that found nothing
        uint64_t lost_wakeups;      // sleeps that went on although an answer was there
        uint64_t sleeps_unnotified; // of them those with notifications off: a timer has to end it
        uint64_t injected, corrupted;
    } count;
};

extern struct queue queues[MAX_QUEUES];
extern unsigned queue_count;
extern struct guest_ram ram;

// ---- addresses ----

// The guest's kernel sees memory and device registers at the same distance from their physical addresses
// (0 with paging off or an identity map). It is known once a device register has been written to.
extern uint64_t direct_map;

// Virtual addresses from the lowest page that holds a ring to the highest, and one byte a page of guest memory: is it one?
extern uint64_t rings_start, rings_bytes;
extern uint8_t *ring_pages;

// Does the address lie in a page that holds a ring? Fast, for it is asked of nearly each access of the kernel.
static inline bool near_ring(uint64_t vaddr)
{
    return vaddr - rings_start < rings_bytes &&
           ring_pages[(vaddr - direct_map - GUEST_RAM_BASE) >> 12];
}

// The place at a guest physical address.
struct place queue_place(uint64_t phys, unsigned size);

// Guest memory at a physical address that lies in it; checked when the queue was learned.
static inline uint8_t *ram_at(uint64_t phys)
{
    return ram.host + (phys - GUEST_RAM_BASE);
}
uint16_t ram_u16(uint64_t phys);
static inline uint64_t avail_idx_address(const struct queue *q)
{
    return q->avail + 2;
}
static inline uint64_t used_idx_address(const struct queue *q)
{
    return q->used + 2;
}
static inline uint64_t used_event_address(const struct queue *q)
{
    return q->avail + 4 + 2 * (uint64_t)q->size;
}
static inline uint64_t used_ring_address(const struct queue *q, unsigned slot)
{
    return q->used + 4 + 8 * (uint64_t)slot;
}

// A descriptor that says INDIRECT has been written: its table belongs to the queue from now on.
void queue_learn_indirect(struct queue *q, unsigned desc);

// How far index `a` is ahead of `b`; indices wrap at 65,536.
static inline int ahead(uint16_t a, uint16_t b)
{
    return (int16_t)(uint16_t)(a - b);
}

// ---- registers ----

// Virtual addresses that may be virtio-mmio registers, whatever the direct map.
static inline bool near_registers(uint64_t vaddr)
{
    return (vaddr & 0x3fffffff) - 0x10001000 < MAX_SLOTS * 0x1000;
}

// What a register access meant, beyond what queue_register_written() has done about it.
enum register_event { REGISTER_NOTHING, REGISTER_DOORBELL, REGISTER_QUEUE_READY, REGISTER_RESET };

// Finds out what device the slot of a register is. To be called without the lock: QEMU takes its own.
void queue_learn_device(uint64_t vaddr);
// The driver has written `value` to a register of a slot. `*queue` is the queue rung or made ready.
enum register_event queue_register_written(uint64_t vaddr, uint64_t value, struct queue **queue);
// Is this the interrupt status of a slot? Which?
bool queue_is_irq_status(uint64_t vaddr, unsigned *slot);

#endif
