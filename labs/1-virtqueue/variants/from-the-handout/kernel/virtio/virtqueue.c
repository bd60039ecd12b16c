// The split virtqueue: virtqueue.h is the contract.
//
// Two rings carry heads of descriptor chains between driver and device. The driver puts heads into
// the available ring and counts up avail->idx; the device takes them, does the work in any order,
// puts them into the used ring and counts up used->idx. Each side writes its own ring only. An
// index is what makes an entry valid, so the whole protocol is about order: an entry is written
// before the index that covers it, and read after it.

#include "kernel/virtio/virtqueue.h"

#include "kernel/abi.h"
#include "kernel/lib.h"
#include "kernel/virtio/barrier.h"

_Static_assert(sizeof(struct virtq_desc) == 16, "2.7.5");
_Static_assert(sizeof(struct virtq_used_elem) == 8, "2.7.8");

// The descriptor table is followed by the available ring and, on a cache line of its own, the used
// ring. Both rings end with a word for EVENT_IDX (2.7.6, 2.7.8), which is there whether negotiated
// or not.
static size_t avail_offset(uint16_t size)
{
    return size * sizeof(struct virtq_desc);
}

static size_t used_offset(uint16_t size)
{
    size_t end = avail_offset(size) + sizeof(struct virtq_avail) + (size + 1) * sizeof(uint16_t);
    return (end + 63) & ~(size_t)63;
}

size_t virtq_ring_bytes(uint16_t size)
{
    return used_offset(size) + sizeof(struct virtq_used) + size * sizeof(struct virtq_used_elem) +
           sizeof(uint16_t);
}

// ---- private helpers ----

// A barrier and its count in one, so that neither is forgotten.
#define ORDER(q, barrier)                                                                          \
    do {                                                                                           \
        barrier();                                                                                 \
        (q)->stats.fences++;                                                                       \
    } while (0)

static uint16_t slot(const struct virtq *q, uint16_t count)
{
    return count & (q->size - 1);
}

// Sets every field of *q, so that the queue is empty and all descriptors are free: `size` of them,
// linked by chain[].next from free_first to free_last. The memory at `chain` holds garbage, so
// every field of every entry that will be read has to be set; the ring is zeroed already. The three
// parts of the ring lie where avail_offset() and used_offset() say. Notifications start disabled,
// by virtq_disable_cb(), which writes to the available ring. An invalid size (virtqueue.h) is
// refused before anything is written.
int virtq_init(struct virtq *q, uint16_t size, void *ring, struct virtq_chain *chain,
               volatile uint32_t *doorbell, uint32_t index, const char *name)
{
    if (size == 0 || size > VIRTQ_MAX_SIZE || (size & (size - 1)) != 0)
        return -EINVAL;
    char *base = ring;
    *q = (struct virtq){
        .size = size,
        .desc = (struct virtq_desc *)base,
        .avail = (struct virtq_avail *)(base + avail_offset(size)),
        .used = (struct virtq_used *)(base + used_offset(size)),
        .chain = chain,
        .free_first = 0,
        .free_last = size - 1,
        .free_count = size,
        .doorbell = doorbell,
        .index = index,
        .name = name,
    };
    for (uint16_t i = 0; i < size; i++)
        chain[i] = (struct virtq_chain){.next = (i + 1) % size};
    virtq_disable_cb(q);
    return 0;
}

void virtq_break(struct virtq *q, const char *reason, uint32_t value)
{
    if (q->broken)
        return;
    q->broken = true;
    q->broken_by = reason;
    q->broken_value = value;
    q->stats.errors++;
}

// ---- to the device ----

// Adds the lengths of `bufs` to *bytes; false if one of them is empty.
static bool sum_lengths(const struct virtq_buf bufs[], unsigned n, uint64_t *bytes)
{
    bool all_filled = true;
    *bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        *bytes += bufs[i].len;
        all_filled = all_filled && bufs[i].len != 0;
    }
    return all_filled;
}

// Is this a chain that an empty queue could hold? *writable is then the size of in[].
static bool acceptable(const struct virtq *q, const struct virtq_buf out[], unsigned nout,
                       const struct virtq_buf in[], unsigned nin, uint32_t *writable)
{
    uint64_t out_bytes, in_bytes;
    // One at a time: their sum could wrap.
    if (nout > q->size || nin > q->size - nout || nout + nin == 0)
        return false;
    if (!sum_lengths(out, nout, &out_bytes) || !sum_lengths(in, nin, &in_bytes))
        return false;
    *writable = (uint32_t)in_bytes;
    return in_bytes <= UINT32_MAX; // what struct virtq_chain can remember
}

// Takes nout + nin descriptors from the front of the free list and makes them a chain, in the order
// of the buffers: first out[], which the device reads, then in[], which it writes (2.7.4.2). In
// each descriptor (2.7.5):
//
//   addr, len   the buffer
//   flags       VIRTQ_DESC_F_WRITE for a buffer the device writes; VIRTQ_DESC_F_NEXT in all but the
//               last; nothing else
//   next        number of the next descriptor, where VIRTQ_DESC_F_NEXT is set
//
// The links are also kept in chain[].next, which the device cannot overwrite: nothing that is in
// the descriptor table is read back, ever. chain[head] remembers the token, the number of
// descriptors and the bytes of in[] together. Then the head's number goes into the available ring,
// in slot avail_next modulo the queue's size (2.7.6), and avail_next, in_flight, free_count and
// stats.adds follow. avail->idx does not move yet: until it does, the device does not look at any
// of this.
//
// If the call fails (virtqueue.h has the errors) nothing has changed. -ENOSPC means "later": the
// chain would fit if enough others came back. out or in may be NULL if its number is 0.
int virtq_add(struct virtq *q, const struct virtq_buf out[], unsigned nout,
              const struct virtq_buf in[], unsigned nin, void *token)
{
    uint32_t writable;
    if (q->broken)
        return -EIO;
    if (!token || !acceptable(q, out, nout, in, nin, &writable))
        return -EINVAL;
    unsigned total = nout + nin;
    if (total > q->free_count)
        return -ENOSPC;

    uint16_t head = q->free_first;
    for (unsigned n = 0; n < total; n++) {
        uint16_t i = q->free_first;
        struct virtq_desc *desc = &q->desc[i];
        const struct virtq_buf *buf = n < nout ? &out[n] : &in[n - nout];
        q->free_first = q->chain[i].next; // also the next one of this chain
        bool last = n + 1 == total;
        desc->addr = buf->addr;
        desc->len = buf->len;
        desc->flags = (n < nout ? 0 : VIRTQ_DESC_F_WRITE) | (last ? 0 : VIRTQ_DESC_F_NEXT);
        desc->next = last ? 0 : q->free_first;
    }
    q->free_count -= total;
    q->chain[head].token = token;
    q->chain[head].count = total;
    q->chain[head].writable = writable;
    q->avail->ring[slot(q, q->avail_next++)] = head;
    q->in_flight++;
    q->stats.adds++;
    return 0;
}

// Stores avail_next in avail->idx (2.7.13.3): from then on the device may take every chain added so
// far, at once and on its own initiative. Whatever virtq_add() has stored, descriptors and ring
// entries, must be visible to the device before this store is, which program order does not
// promise: barrier.h has what does. The index itself is stored with WRITE_ONCE. Each barrier is
// counted in stats.fences.
void virtq_publish(struct virtq *q)
{
    // Keeps virtq_add()'s stores (descriptors, ring entries) before the store of the index.
    ORDER(q, virtio_wmb);
    WRITE_ONCE(q->avail->idx, q->avail_next);
}

// Rings the doorbell, that is, stores the queue's index in *doorbell, and returns true; unless the
// queue is broken or the device has set VIRTQ_USED_F_NO_NOTIFY in used->flags (2.7.10): then false.
//
// Two promises of order. The store of avail->idx comes before the load of used->flags, for the
// device stores that flag and then looks at the index: if both sides looked first, a chain would
// lie in the ring with nobody told (2.7.13.4). And what was stored in memory comes before the store
// to the doorbell, which is not memory but a device register. Each barrier is counted in
// stats.fences, each ring of the doorbell in stats.kicks, each that was not wanted in
// stats.kicks_saved.
bool virtq_kick(struct virtq *q)
{
    if (q->broken)
        return false;
    // Keeps the store of avail->idx before the load of used->flags.
    ORDER(q, virtio_mb);
    if (READ_ONCE(q->used->flags) & VIRTQ_USED_F_NO_NOTIFY) {
        q->stats.kicks_saved++;
        return false;
    }
    // Keeps all stores to the ring (memory), the index last, before the store to the register (I/O).
    ORDER(q, virtio_doorbell_mb);
    *q->doorbell = q->index;
    q->stats.kicks++;
    return true;
}

// ---- from the device ----

// How many elements of the used ring we have not taken, if the device is to be believed.
static uint16_t used_ahead(const struct virtq *q)
{
    return READ_ONCE(q->used->idx) - q->last_used;
}

// Ends the chain that starts at `head`: its descriptors go, in their order, to the end of the free
// list. The links inside it are those of the free list already; only its two ends are new.
static void *free_chain(struct virtq *q, uint16_t head)
{
    struct virtq_chain *first = &q->chain[head];
    void *token = first->token;
    uint16_t last = head;
    for (uint16_t n = 1; n < first->count; n++)
        last = q->chain[last].next;
    if (q->free_count == 0)
        q->free_first = head;
    else
        q->chain[q->free_last].next = head;
    q->free_last = last;
    q->free_count += first->count;
    q->in_flight--;
    first->token = NULL;
    return token;
}

static int violated(struct virtq *q, const char *how, uint32_t value)
{
    virtq_break(q, how, value);
    return -EIO;
}

// Takes one completion off the used ring (2.7.8, 2.7.14). The device has put used->idx elements
// into the ring since it was reset; we have taken last_used of them. If there is one to take:
//
//   - its id is the head of a chain in flight. The descriptors of the whole chain return to the end
//     of the free list, found by chain[].next and .count, and the token is forgotten:
//     chain[id].token is NULL while no chain starts there.
//   - done->token and done->len tell the caller; last_used, in_flight, free_count,
//     stats.completions and stats.bytes follow.
//
// The device may change its memory at any moment, between a check and a use too, so each of its
// values is loaded once, into a local variable, and then checked. It breaks the protocol if
//
//   - used->idx is further ahead of last_used than there are chains in flight (modulo 65,536),
//   - an id is not the head of a chain in flight, or no descriptor at all,
//   - a length is more than that chain has to write to.
//
// Then virtq_break() is called with a reason and the value, nothing is taken, and the result is
// -EIO, now and in every later call. Elements before the bad one are delivered as usual.
//
// Which value may be believed when is for you to work out; section 2.7.14 has the rule. Barriers
// are counted in stats.fences.
int poll_used(struct virtq *q, struct virtq_done *done)
{
    if (q->broken)
        return -EIO;
    uint16_t ahead = used_ahead(q);
    if (ahead == 0)
        return 0;
    if (ahead > q->in_flight)
        return violated(q, "used index runs ahead by", ahead);
    // Keeps the load of used->idx before the loads of the element (and of the buffers) it covers.
    ORDER(q, virtio_rmb);
    const struct virtq_used_elem *element = &q->used->ring[slot(q, q->last_used)];
    uint32_t id = READ_ONCE(element->id);
    uint32_t len = READ_ONCE(element->len);
    if (id >= q->size || !q->chain[id].token)
        return violated(q, "completion of no chain in flight", id);
    if (len > q->chain[id].writable)
        return violated(q, "completion longer than its buffers", len);
    q->last_used++;
    done->token = free_chain(q, id);
    done->len = len;
    q->stats.completions++;
    q->stats.bytes += len;
    return 1;
}

int virtq_poll(struct virtq *q, unsigned budget, struct virtq_done *done)
{
    unsigned turns;
    int got = 0;
    for (turns = 0; turns < budget; turns++) {
        got = poll_used(q, done);
        if (got != 0)
            break;
    }
    q->stats.polls += got != 0 ? turns + 1 : turns;
    q->stats.spins += turns;
    return got;
}

// Asks for interrupts: clears VIRTQ_AVAIL_F_NO_INTERRUPT in avail->flags and notes it in
// q->callbacks. Then looks at the used ring once more, for a completion may have come in the
// meantime, whose interrupt nobody asked for (2.7.7): true only if there is none to take and the
// queue is not broken. The device, on its side, moves used->idx and then looks at our flag.
bool virtq_enable_cb(struct virtq *q)
{
    q->callbacks = true;
    WRITE_ONCE(q->avail->flags, 0);
    // Keeps the store of our flag before the load of used->idx.
    ORDER(q, virtio_mb);
    return used_ahead(q) == 0 && !q->broken;
}

// Asks for no interrupts: the flag is set, q->callbacks is false. It is a hint (2.7.7): interrupts
// may come all the same, so the moment at which the device sees it does not matter.
void virtq_disable_cb(struct virtq *q)
{
    q->callbacks = false;
    WRITE_ONCE(q->avail->flags, VIRTQ_AVAIL_F_NO_INTERRUPT);
}

// Takes any one chain in flight out of the queue, as poll_used() does with a completed one but
// without a look at the used ring; its token, or NULL when none is in flight. Called in a loop,
// after the device was reset, until it returns NULL: by then every descriptor is free. It works on
// a broken queue, which is what it is for. stats.completions does not count these.
void *virtq_take_back(struct virtq *q)
{
    for (uint16_t head = 0; q->in_flight > 0 && head < q->size; head++)
        if (q->chain[head].token)
            return free_chain(q, head);
    return NULL;
}
