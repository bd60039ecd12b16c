// The guest's virtqueues, learned from what its driver writes to the virtio-mmio registers, and
// what vqsan knows about each.

#ifndef VQSAN_QUEUE_H
#define VQSAN_QUEUE_H

#include "grade/plugins/common/qemu.h"
#include "grade/plugins/vqsan/block.h"

#include <stdbool.h>
#include <stdint.h>

#define MAX_HARTS 32
#define MAX_QUEUES 32
#define MAX_SLOTS 8 // virtio-mmio slots of the `virt` machine

// The field of a queue that a guest address belongs to.
enum field {
    FIELD_NONE,
    FIELD_DESC,     // in the descriptor table
    FIELD_INDIRECT, // in an indirect table
    FIELD_AVAIL_FLAGS,
    FIELD_AVAIL_IDX,
    FIELD_AVAIL_RING, // an entry
    FIELD_USED_EVENT, // written by the driver: the index at which it wants an interrupt
    FIELD_USED_FLAGS,
    FIELD_USED_IDX,
    FIELD_USED_RING,   // an entry
    FIELD_AVAIL_EVENT, // written by the device: the index at which it wants a kick
    FIELD_DOORBELL,    // a device register, like the next one; only for reports
    FIELD_IRQ_STATUS,
};

struct place {
    struct queue *queue; // NULL if the address is in no queue
    enum field field;
    unsigned number; // of the descriptor or ring entry
};

// An access that a report may name. `pc` is 0 if there was none.
struct event {
    uint64_t pc;
    enum field field;
    unsigned number;
};

// A hart's stores that no fence has ordered yet. There are two stages, because `.rl` followed by
// `.aq` orders as much as a fence does: `.rl` moves the stores from fresh to released, `.aq` drops
// the released ones.
struct pending {
    struct event fresh, released;
};

// What one hart has done with a queue; rules.c uses it. "no w,w" means: no such fence followed yet.
struct view {
    bool loaded;    // the hart has loaded used->idx, no r,r
    uint16_t index; // the value loaded
    struct event load;
    bool load_released; // like `loaded`, with an `.rl` after it
    uint16_t index_released;
    struct pending ww;      // stores to descriptors and the available ring, no w,w
    struct pending wo;      // like `ww`, and stores to avail->idx; no w,o
    struct pending wr;      // stores to avail->idx, no w,r
    struct pending armed;   // notifications enabled, no w,r
    struct event unchecked; // notifications enabled, used->idx not loaded since then
};

// A loop in which some hart waited for the queue: how many turns it made, and in how many of them
// it loaded used->idx.
#define MAX_LOOPS 16
struct wait_loop {
    uint64_t pc; // of the jump back to the loop's start
    uint64_t turns, looks;
};

struct held;

struct queue {
    bool live; // the driver has made it ready
    unsigned slot, index;
    const char *device;
    unsigned size;
    uint64_t desc, avail, used; // guest physical
    bool event_idx;

    // The driver may read elements below `acquired`: it has loaded used->idx, then executed a
    // fence.
    uint16_t acquired;
    uint16_t taken;        // the next element for the driver to read
    uint16_t seen;         // used->idx as last loaded by any hart
    uint16_t published;    // avail->idx as last stored
    bool enabled;          // notifications
    uint16_t kick_checked; // avail->idx when the driver last checked for a kick
    int waiter;            // the hart that last loaded used->idx, or -1
    struct event last_look;
    struct event slept;     // a sleep that did not look first: R7
    unsigned sleeps_unseen; // sleeps of all harts, in a row, while an answer was there unseen
    unsigned looks;         // loads of used->idx, in a row, that found nothing new
    bool moved_unseen;      // a spinning hart has already missed that the device moved used->idx

    struct view view[MAX_HARTS];
    struct held *held;       // inject.c
    struct hostile *hostile; // hostile.c

    struct wait_loop loops[MAX_LOOPS];
    struct {
        uint64_t accesses, polls, spins, publishes, kicks, saved, completions, violations;
        uint64_t deepest;           // most chains in flight at once
        uint64_t sleeps;            // wfi with chains in flight, after a vain look
        uint64_t lost_wakeups;      // sleeps that continued although an answer was there
        uint64_t sleeps_unnotified; // sleeps with notifications off: only a timer ends them
        uint64_t injected, corrupted;
    } count;
};

extern struct queue queues[MAX_QUEUES];
extern unsigned queue_count;
extern struct guest_ram ram;

// ---- addresses ----

// In the guest kernel, the virtual addresses of memory and device registers all differ from the
// physical ones by the same amount (0 with paging off or an identity map). vqsan learns it when the
// kernel first writes to a device register.
extern uint64_t direct_map;

// The range of virtual addresses from the lowest page that holds a ring to the highest; and for
// each page of guest memory one byte: does it hold a ring?
extern uint64_t rings_start, rings_bytes;
extern uint8_t *ring_pages;

// Does the address lie in a page that holds a ring? Must be fast: nearly every access of the kernel
// asks.
static inline bool near_ring(uint64_t vaddr)
{
    return vaddr - rings_start < rings_bytes &&
           ring_pages[(vaddr - direct_map - GUEST_RAM_BASE) >> 12];
}

// What a guest physical address belongs to. `size` of the access in bytes.
struct place queue_place(uint64_t phys, unsigned size);

// Host address of guest memory. queue_ready() has checked that the rings are in range.
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

// The driver has written a descriptor. If it says INDIRECT, its table now belongs to the queue.
void queue_learn_indirect(struct queue *q, unsigned desc);

// How far index `a` is ahead of `b`. Indices wrap at 65,536.
static inline int ahead(uint16_t a, uint16_t b)
{
    return (int16_t)(uint16_t)(a - b);
}

// ---- registers ----

// May this virtual address be a virtio-mmio register, whatever the direct map is?
static inline bool near_registers(uint64_t vaddr)
{
    return (vaddr & 0x3fffffff) - 0x10001000 < MAX_SLOTS * 0x1000;
}

// What a register write means, beyond what queue_register_written() has already recorded.
enum register_event { REGISTER_NOTHING, REGISTER_DOORBELL, REGISTER_QUEUE_READY, REGISTER_RESET };

// Finds out which device the register's slot holds. Call it without vqsan's lock: QEMU takes its
// own.
void queue_learn_device(uint64_t vaddr);
// The driver has written `value` to a register. Sets `*queue` to the queue rung or made ready.
enum register_event queue_register_written(uint64_t vaddr, uint64_t value, struct queue **queue);
// Is this a slot's interrupt status register? Sets `*slot`.
bool queue_is_irq_status(uint64_t vaddr, unsigned *slot);

#endif
