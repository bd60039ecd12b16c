// Learns the queues. queue.h is the contract. Section numbers refer to VirtIO 1.2.

#include "grade/plugins/vqsan/queue.h"

#include "grade/plugins/vqsan/report.h"

#include <stdlib.h>
#include <string.h>

struct queue queues[MAX_QUEUES];
unsigned queue_count;
struct guest_ram ram;
uint64_t direct_map;
uint8_t *ring_pages;
uint64_t rings_start, rings_bytes;

// virtio-mmio registers (4.2.2).
enum {
    REG_DEVICE_ID = 0x08,
    REG_DRIVER_FEATURES = 0x20,
    REG_DRIVER_FEATURES_SEL = 0x24,
    REG_QUEUE_SEL = 0x30,
    REG_QUEUE_NUM = 0x38,
    REG_QUEUE_PFN = 0x40, // legacy interface only
    REG_QUEUE_READY = 0x44,
    REG_QUEUE_NOTIFY = 0x50,
    REG_INTERRUPT_STATUS = 0x60,
    REG_STATUS = 0x70,
    REG_DESC_LOW = 0x80,
    REG_AVAIL_LOW = 0x90,
    REG_USED_LOW = 0xa0,
};

#define FEATURE_EVENT_IDX 29 // feature bits (6)
#define FEATURE_RING_PACKED 34

// What the driver has written to a slot so far.
static struct {
    uint64_t features;
    uint32_t features_sel, queue_sel;
    struct {
        uint32_t num;
        uint64_t desc, avail, used;
    } queue[MAX_QUEUES];
} slots[MAX_SLOTS];

static uint32_t device_ids[MAX_SLOTS];

// Indirect tables. When the array is full, a new table replaces an old one.
#define MAX_INDIRECT 1024
static struct {
    struct queue *queue;
    uint64_t start;
    uint32_t bytes;
} indirect[MAX_INDIRECT];
static unsigned indirect_count;

// ---- addresses ----

uint16_t ram_u16(uint64_t phys)
{
    return __atomic_load_n((const uint16_t *)(const void *)ram_at(phys), __ATOMIC_SEQ_CST);
}

static bool in_ram(uint64_t phys, uint64_t bytes)
{
    return phys >= GUEST_RAM_BASE && bytes <= ram.size && phys - GUEST_RAM_BASE <= ram.size - bytes;
}

static void mark_pages(uint64_t phys, uint64_t bytes)
{
    uint64_t first = (phys - GUEST_RAM_BASE) >> 12,
             last = (phys - GUEST_RAM_BASE + bytes - 1) >> 12;
    uint64_t start = direct_map + GUEST_RAM_BASE + (first << 12);
    uint64_t end = direct_map + GUEST_RAM_BASE + ((last + 1) << 12);
    memset(ring_pages + first, 1, last - first + 1);
    if (rings_bytes && rings_start + rings_bytes > end)
        end = rings_start + rings_bytes;
    if (rings_bytes && rings_start < start)
        start = rings_start;
    // A hart that reads these meanwhile, without the lock, sees an empty range for a moment.
    __atomic_store_n(&rings_bytes, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&rings_start, start, __ATOMIC_RELEASE);
    __atomic_store_n(&rings_bytes, end - start, __ATOMIC_RELEASE);
}

static struct place avail_place(struct queue *q, uint64_t offset, unsigned size)
{
    struct place place = {.queue = q};
    if (offset < 2 && offset + size <= 2) {
        place.field = FIELD_AVAIL_FLAGS;
    } else if (offset < 4) { // or 4 bytes: both flags and index
        place.field = FIELD_AVAIL_IDX;
    } else if (offset - 4 < 2 * (uint64_t)q->size) {
        place.field = FIELD_AVAIL_RING;
        place.number = (offset - 4) / 2;
    } else {
        place.field = FIELD_USED_EVENT;
    }
    return place;
}

static struct place used_place(struct queue *q, uint64_t offset, unsigned size)
{
    struct place place = {.queue = q};
    if (offset < 2 && offset + size <= 2) {
        place.field = FIELD_USED_FLAGS;
    } else if (offset < 4) {
        place.field = FIELD_USED_IDX;
    } else if (offset - 4 < 8 * (uint64_t)q->size) {
        place.field = FIELD_USED_RING;
        place.number = (offset - 4) / 8;
    } else {
        place.field = FIELD_AVAIL_EVENT;
    }
    return place;
}

struct place queue_place(uint64_t phys, unsigned size)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct queue *q = &queues[i];
        if (!q->live)
            continue;
        if (phys - q->desc < 16 * (uint64_t)q->size)
            return (struct place){q, FIELD_DESC, (phys - q->desc) / 16};
        if (phys - q->avail < 6 + 2 * (uint64_t)q->size)
            return avail_place(q, phys - q->avail, size);
        if (phys - q->used < 6 + 8 * (uint64_t)q->size)
            return used_place(q, phys - q->used, size);
    }
    for (unsigned i = 0; i < indirect_count; i++)
        if (indirect[i].queue->live && phys - indirect[i].start < indirect[i].bytes)
            return (struct place){indirect[i].queue, FIELD_INDIRECT,
                                  (phys - indirect[i].start) / 16};
    return (struct place){0};
}

void queue_learn_indirect(struct queue *q, unsigned desc)
{
    uint64_t start;
    uint32_t bytes;
    uint16_t flags;
    memcpy(&start, ram_at(q->desc + 16 * desc), sizeof(start));
    memcpy(&bytes, ram_at(q->desc + 16 * desc + 8), sizeof(bytes));
    memcpy(&flags, ram_at(q->desc + 16 * desc + 12), sizeof(flags));
    if (!(flags & 4) || bytes == 0 || bytes > 65536 || !in_ram(start, bytes))
        return;
    unsigned i = 0;
    while (i < indirect_count && indirect[i].start != start)
        i++;
    if (i == MAX_INDIRECT)
        i = start / 16 % MAX_INDIRECT;
    else if (i == indirect_count)
        indirect_count++;
    indirect[i].queue = q;
    indirect[i].start = start;
    indirect[i].bytes = bytes;
    mark_pages(start, bytes);
}

// ---- queues ----

static uint32_t slot_of(uint64_t vaddr)
{
    return ((vaddr & 0x3fffffff) - 0x10001000) >> 12;
}

void queue_learn_device(uint64_t vaddr)
{
    unsigned slot = slot_of(vaddr);
    uint32_t id;
    if (__atomic_load_n(&device_ids[slot], __ATOMIC_RELAXED) == 0 &&
        qemu_read_register(0x10001000 + 0x1000 * slot + REG_DEVICE_ID, &id))
        __atomic_store_n(&device_ids[slot], id, __ATOMIC_RELAXED);
}

static const char *device_name(unsigned slot)
{
    static const char *const names[] = {
        [1] = "net", [2] = "blk",  [3] = "console", [4] = "rng",    [8] = "scsi",
        [9] = "9p",  [16] = "gpu", [18] = "input",  [19] = "vsock",
    };
    uint32_t id = __atomic_load_n(&device_ids[slot], __ATOMIC_RELAXED);
    return id < sizeof(names) / sizeof(names[0]) && names[id] ? names[id] : "virtio";
}

static struct queue *find(unsigned slot, unsigned index)
{
    for (unsigned i = 0; i < queue_count; i++)
        if (queues[i].slot == slot && queues[i].index == index)
            return &queues[i];
    return NULL;
}

static struct queue *queue_ready(unsigned slot, unsigned index)
{
    uint32_t size = slots[slot].queue[index].num;
    uint64_t desc = slots[slot].queue[index].desc, avail = slots[slot].queue[index].avail;
    uint64_t used = slots[slot].queue[index].used;
    struct queue *q = find(slot, index);
    if (slots[slot].features >> FEATURE_RING_PACKED & 1) {
        report_note("slot %u queue %u is a packed ring; vqsan does not watch it", slot, index);
        return NULL;
    }
    if (size == 0 || size > 32768 || (size & (size - 1)) != 0 || !in_ram(desc, 16 * size) ||
        !in_ram(avail, 6 + 2 * size) || !in_ram(used, 6 + 8 * size)) {
        report_note("slot %u queue %u: size %u or an address is invalid; not watched", slot, index,
                    size);
        return NULL;
    }
    if (!q) {
        if (queue_count == MAX_QUEUES)
            return NULL;
        q = &queues[queue_count];
    }
    // Counts and allocations survive a reset of the device; everything else starts again.
    struct queue old = *q;
    memset(q, 0, sizeof(*q));
    q->count = old.count;
    memcpy(q->loops, old.loops, sizeof(q->loops));
    q->held = old.held;
    q->hostile = old.hostile;
    q->slot = slot;
    q->index = index;
    q->device = device_name(slot);
    q->size = size;
    q->desc = desc;
    q->avail = avail;
    q->used = used;
    q->event_idx = slots[slot].features >> FEATURE_EVENT_IDX & 1;
    q->taken = q->acquired = q->seen = ram_u16(used_idx_address(q));
    q->published = ram_u16(avail_idx_address(q));
    q->enabled = !(ram_u16(avail) & 1);
    q->waiter = -1;
    q->live = true;
    mark_pages(desc, 16 * size);
    mark_pages(avail, 6 + 2 * size);
    mark_pages(used, 6 + 8 * size);
    if (q == &queues[queue_count])
        queue_count++;
    return q;
}

static void reset_slot(unsigned slot)
{
    memset(&slots[slot], 0, sizeof(slots[slot]));
    for (unsigned i = 0; i < queue_count; i++)
        if (queues[i].slot == slot)
            queues[i].live = false;
}

// ---- registers ----

static void set_half(uint64_t *target, bool high, uint64_t value)
{
    unsigned shift = high ? 32 : 0;
    *target = (*target & ~((uint64_t)0xffffffff << shift)) | (value & 0xffffffff) << shift;
}

static enum register_event queue_made_ready(unsigned slot, bool ready, struct queue **queue)
{
    unsigned index = slots[slot].queue_sel;
    *queue = ready ? queue_ready(slot, index) : find(slot, index);
    if (!ready && *queue)
        (*queue)->live = false;
    return *queue ? (ready ? REGISTER_QUEUE_READY : REGISTER_RESET) : REGISTER_NOTHING;
}

enum register_event queue_register_written(uint64_t vaddr, uint64_t value, struct queue **queue)
{
    unsigned slot = slot_of(vaddr), reg = vaddr & 0xfff;
    unsigned sel = slots[slot].queue_sel;
    direct_map = vaddr & ~(uint64_t)0x3fffffff;
    *queue = NULL;
    switch (reg) {
    case REG_DRIVER_FEATURES_SEL:
        slots[slot].features_sel = value;
        break;
    case REG_DRIVER_FEATURES:
        if (slots[slot].features_sel < 2)
            set_half(&slots[slot].features, slots[slot].features_sel, value);
        break;
    case REG_QUEUE_SEL:
        slots[slot].queue_sel = value < MAX_QUEUES ? value : MAX_QUEUES - 1;
        break;
    case REG_QUEUE_NUM:
        slots[slot].queue[sel].num = value;
        break;
    case REG_QUEUE_PFN:
        report_note("slot %u uses the legacy interface, which vqsan does not watch: "
                    "use -global virtio-mmio.force-legacy=false",
                    slot);
        break;
    case REG_DESC_LOW:
    case REG_DESC_LOW + 4:
        set_half(&slots[slot].queue[sel].desc, reg & 4, value);
        break;
    case REG_AVAIL_LOW:
    case REG_AVAIL_LOW + 4:
        set_half(&slots[slot].queue[sel].avail, reg & 4, value);
        break;
    case REG_USED_LOW:
    case REG_USED_LOW + 4:
        set_half(&slots[slot].queue[sel].used, reg & 4, value);
        break;
    case REG_QUEUE_READY:
        return queue_made_ready(slot, value & 1, queue);
    case REG_QUEUE_NOTIFY:
        *queue = find(slot, value & 0xffff);
        return *queue && (*queue)->live ? REGISTER_DOORBELL : REGISTER_NOTHING;
    case REG_STATUS:
        if (value == 0) {
            reset_slot(slot);
            return REGISTER_RESET;
        }
    }
    return REGISTER_NOTHING;
}

bool queue_is_irq_status(uint64_t vaddr, unsigned *slot)
{
    *slot = slot_of(vaddr);
    return (vaddr & 0xfff) == REG_INTERRUPT_STATUS;
}
