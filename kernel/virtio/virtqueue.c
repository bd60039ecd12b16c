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

#if SOLVED_VIRTQUEUE
int virtq_init(struct virtq *q, uint16_t size, void *ring, struct virtq_chain *chain,
               volatile uint32_t *doorbell, uint32_t index, const char *name)
{
    if (size == 0 || size > VIRTQ_MAX_SIZE || (size & (size - 1)) != 0)
        return -EINVAL;
    *q = (struct virtq){
        .size = size,
        .desc = ring,
        .avail = (struct virtq_avail *)((char *)ring + avail_offset(size)),
        .used = (struct virtq_used *)((char *)ring + used_offset(size)),
        .chain = chain,
        .free_last = size - 1,
        .free_count = size,
        .doorbell = doorbell,
        .index = index,
        .name = name,
    };
    for (uint16_t i = 0; i < size; i++)
        chain[i] = (struct virtq_chain){.next = i + 1};
    virtq_disable_cb(q);
    return 0;
}
#else
// Sets every field of *q, so that the queue is empty and all descriptors are free: `size` of them,
// linked by chain[].next from free_first to free_last. The memory at `chain` holds garbage, so
// every field of every entry that will be read has to be set; the ring is zeroed already. The three
// parts of the ring lie where avail_offset() and used_offset() say. Notifications start disabled,
// by virtq_disable_cb(), which writes to the available ring. An invalid size (virtqueue.h) is
// refused before anything is written.
int virtq_init(struct virtq *q, uint16_t size, void *ring, struct virtq_chain *chain,
               volatile uint32_t *doorbell, uint32_t index, const char *name)
{
    (void)q, (void)size, (void)ring, (void)chain, (void)doorbell, (void)index, (void)name;
    return lab_todo("lab 1: virtq_init");
}
#endif // SOLVED_VIRTQUEUE

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

#if SOLVED_VIRTQUEUE
// Sums up the buffers; -EINVAL if one is empty or the sum does not fit 32 bits, as a used length
// must.
static int total_length(const struct virtq_buf buf[], unsigned n, uint32_t *total)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++) {
        if (buf[i].len == 0)
            return -EINVAL;
        sum += buf[i].len;
    }
    *total = sum;
    return sum > UINT32_MAX ? -EINVAL : 0;
}

// Writes one descriptor. `next` also goes to the table when there is none: the device ignores it
// then.
static void write_desc(struct virtq_desc *desc, const struct virtq_buf *buf, uint16_t flags,
                       uint16_t next)
{
    desc->addr = buf->addr;
    desc->len = buf->len;
    desc->flags = flags;
    desc->next = next;
}

int virtq_add(struct virtq *q, const struct virtq_buf out[], unsigned nout,
              const struct virtq_buf in[], unsigned nin, void *token)
{
    uint32_t readable, writable;
    unsigned count = nout + nin;
    if (q->broken)
        return -EIO;
    if (nout > q->size || nin > q->size || count == 0 || count > q->size || token == NULL ||
        total_length(out, nout, &readable) < 0 || total_length(in, nin, &writable) < 0)
        return -EINVAL;
    if (count > q->free_count)
        return -ENOSPC;

    // The first `count` free descriptors are linked already: they become the chain as they stand.
    uint16_t head = q->free_first, i = head;
    for (unsigned n = 0; n < count; n++) {
        bool write = n >= nout;
        uint16_t flags = (write ? VIRTQ_DESC_F_WRITE : 0) | (n + 1 < count ? VIRTQ_DESC_F_NEXT : 0);
        write_desc(&q->desc[i], write ? &in[n - nout] : &out[n], flags, q->chain[i].next);
        i = q->chain[i].next;
    }
    q->free_first = i;
    q->free_count -= count;
    q->chain[head].token = token;
    q->chain[head].writable = writable;
    q->chain[head].count = count;

    // The device reads this entry only once avail->idx covers it, see virtq_publish().
    q->avail->ring[q->avail_next % q->size] = head;
    q->avail_next++;
    q->in_flight++;
    q->stats.adds++;
    return 0;
}

void virtq_publish(struct virtq *q)
{
    // The device must find descriptors and ring entries complete when it sees the index (2.7.13.3).
    virtio_wmb();
    q->stats.fences++;
    WRITE_ONCE(q->avail->idx, q->avail_next);
}

bool virtq_kick(struct virtq *q)
{
    if (q->broken)
        return false;
    // The device clears its flag, then looks at avail->idx; we store avail->idx, then look at the
    // flag. With a full barrier on both sides at least one sees the other's store, and no kick is
    // lost (2.7.13.4).
    virtio_mb();
    q->stats.fences++;
    if (READ_ONCE(q->used->flags) & VIRTQ_USED_F_NO_NOTIFY) {
        q->stats.kicks_saved++;
        return false;
    }
    // The device may act on the doorbell at once: our stores to memory have to be there before it.
    virtio_doorbell_mb();
    q->stats.fences++;
    WRITE_ONCE(*q->doorbell, q->index);
    q->stats.kicks++;
    return true;
}
#else
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
// the descriptor table is read back, ever, and so no `|=` there either. chain[head] remembers the
// token, the number of descriptors and the bytes of in[] together. Then the head's number goes into
// the available ring, in slot avail_next modulo the queue's size (2.7.6), and avail_next,
// in_flight, free_count and stats.adds follow. avail->idx does not move yet: until it does, the
// device does not look at any of this.
//
// If the call fails (virtqueue.h has the errors) nothing has changed. -ENOSPC means "later": the
// chain would fit if enough others came back. out or in may be NULL if its number is 0.
int virtq_add(struct virtq *q, const struct virtq_buf out[], unsigned nout,
              const struct virtq_buf in[], unsigned nin, void *token)
{
    (void)q, (void)out, (void)nout, (void)in, (void)nin, (void)token;
    return lab_todo("lab 1: virtq_add");
}

// Stores avail_next in avail->idx (2.7.13.3): from then on the device may take every chain added so
// far, at once and on its own initiative. Whatever virtq_add() has stored, descriptors and ring
// entries, must be visible to the device before this store is, which program order does not
// promise: barrier.h has what does. The index itself is stored with WRITE_ONCE. Each barrier is
// counted in stats.fences.
void virtq_publish(struct virtq *q)
{
    (void)q;
    lab_todo("lab 1: virtq_publish");
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
    (void)q;
    lab_todo("lab 1: virtq_kick");
    return false;
}
#endif // SOLVED_VIRTQUEUE

// ---- from the device ----

#if SOLVED_VIRTQUEUE
// Puts the chain at the end of the free list and returns its token. First in, first out: a
// descriptor rests as long as can be, so an id that comes from an old ring entry seldom looks right
// by accident.
static void *free_chain(struct virtq *q, uint16_t head)
{
    void *token = q->chain[head].token;
    uint16_t count = q->chain[head].count, last = head;
    for (uint16_t n = 1; n < count; n++)
        last = q->chain[last].next;
    q->chain[head].token = NULL;
    if (q->free_count == 0)
        q->free_first = head;
    else
        q->chain[q->free_last].next = head;
    q->free_last = last;
    q->free_count += count;
    q->in_flight--;
    return token;
}

static bool refuse(struct virtq *q, const char *reason, uint32_t value)
{
    virtq_break(q, reason, value);
    return false;
}

// Takes the element at last_used, which `used_idx` says is there; false if it breaks the rules.
// Nothing in it is believed: a wrong id would free a chain that the device still writes to, a wrong
// length would show a reader stale memory. Not inline: it is the rarer path.
static __attribute__((noinline)) bool take_used(struct virtq *q, uint16_t used_idx,
                                                struct virtq_done *done)
{
    if (q->broken)
        return false;
    if ((uint16_t)(used_idx - q->last_used) > q->in_flight)
        return refuse(q, "used index beyond what is in flight", used_idx);

    // One load each, into locals: the device can change its memory between a check and a use.
    const struct virtq_used_elem *element = &q->used->ring[q->last_used % q->size];
    uint32_t id = READ_ONCE(element->id);
    uint32_t len = READ_ONCE(element->len);
    if (id >= q->size)
        return refuse(q, "used id out of range", id);
    if (q->chain[id].token == NULL)
        return refuse(q, "used id not in flight", id);
    if (len > q->chain[id].writable)
        return refuse(q, "used length beyond what is writable", len);

    q->last_used++;
    q->stats.completions++;
    q->stats.bytes += len;
    done->token = free_chain(q, id);
    done->len = len;
    return true;
}

#if SOLVED_WHEEL
// Not inline: a breakpoint here is hit once for every look at the ring, and GDB can show q and
// done.
__attribute__((noinline)) int poll_used(struct virtq *q, struct virtq_done *done)
{
    uint16_t used_idx = READ_ONCE(q->used->idx);
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    // The element may be read only after the index that covers it. The comparison above does not
    // see to that: a processor may load the element before it knows how the branch goes (2.7.14).
    virtio_rmb();
    q->stats.fences++;
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
#else
int poll_used(struct virtq *q, struct virtq_done *done)
{
    uint16_t used_idx = q->used->idx;
    if (used_idx == q->last_used)
        return q->broken ? -EIO : 0;
    virtio_rmb();
    q->stats.fences++;
    return take_used(q, used_idx, done) ? 1 : -EIO;
}
#endif // SOLVED_WHEEL
#else
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
    (void)q, (void)done;
    return lab_todo("lab 1: poll_used");
}
#endif // SOLVED_VIRTQUEUE

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

#if SOLVED_VIRTQUEUE
bool virtq_enable_cb(struct virtq *q)
{
    q->callbacks = true;
    WRITE_ONCE(q->avail->flags, 0);
    // The device writes used->idx, then looks at our flag; we write the flag, then look at
    // used->idx. A read barrier would not keep our store before our load: it takes a full one, or
    // both sides may miss each other and the wake-up is lost (2.7.7, 2.7.14).
    virtio_mb();
    q->stats.fences++;
    return !q->broken && READ_ONCE(q->used->idx) == q->last_used;
}

void virtq_disable_cb(struct virtq *q)
{
    // A hint: the device may interrupt all the same, so no barrier is needed (2.7.7).
    q->callbacks = false;
    WRITE_ONCE(q->avail->flags, VIRTQ_AVAIL_F_NO_INTERRUPT);
}

void *virtq_take_back(struct virtq *q)
{
    for (uint16_t i = 0; i < q->size && q->in_flight > 0; i++)
        if (q->chain[i].token != NULL)
            return free_chain(q, i);
    return NULL;
}
#else
// Asks for interrupts: clears VIRTQ_AVAIL_F_NO_INTERRUPT in avail->flags and notes it in
// q->callbacks. Then looks at the used ring once more, for a completion may have come in the
// meantime, whose interrupt nobody asked for (2.7.7): true only if there is none to take and the
// queue is not broken.
//
// A promise of order, as in virtq_kick(): the store of our flag comes before the load of used->idx,
// for the device, on its side, moves used->idx and then looks at our flag. Each barrier is counted
// in stats.fences.
bool virtq_enable_cb(struct virtq *q)
{
    (void)q;
    lab_todo("lab 1: virtq_enable_cb");
    return false;
}

// Asks for no interrupts: the flag is set, q->callbacks is false. It is a hint (2.7.7): interrupts
// may come all the same, so the moment at which the device sees it does not matter.
void virtq_disable_cb(struct virtq *q)
{
    (void)q;
    lab_todo("lab 1: virtq_disable_cb");
}

// Takes any one chain in flight out of the queue, as poll_used() does with a completed one but
// without a look at the used ring; its token, or NULL when none is in flight. Called in a loop,
// after the device was reset, until it returns NULL: by then every descriptor is free. It works on
// a broken queue, which is what it is for. stats.completions does not count these.
void *virtq_take_back(struct virtq *q)
{
    (void)q;
    lab_todo("lab 1: virtq_take_back");
    return NULL;
}
#endif // SOLVED_VIRTQUEUE
