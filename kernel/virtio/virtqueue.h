// The split virtqueue (VirtIO 1.2, section 2.7): the ring that driver and device share.
//
//   descriptor table   driver writes, device reads: address, length, flags, next
//   available ring     driver writes, device reads: heads of chains that the device may take
//   used ring          device writes, driver reads: chains that the device is done with
//
// This file knows nothing of disks, displays or transports. It compiles for the host too, where
// unit tests run it against a mock device. It takes no lock and never sleeps: the caller holds the
// lock of the device that owns the queue around each call.
//
// The device is not trusted. What the driver needs again it keeps in private memory (struct
// virtq_chain), and every value from the used ring is checked. A violation marks the queue broken:
// from then on calls return -EIO and virtq_take_back() gives the tokens in flight back, to be
// failed.

#ifndef RINGFENCE_VIRTQUEUE_H
#define RINGFENCE_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTQ_MAX_SIZE 1024

// ---- shared with the device (little-endian; 2.7.5, 2.7.6, 2.7.8) ----

struct virtq_desc {
    uint64_t addr; // physical
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};
#define VIRTQ_DESC_F_NEXT 1  // the chain goes on at `next`
#define VIRTQ_DESC_F_WRITE 2 // the device writes this buffer (else it reads it)

struct virtq_avail {
    uint16_t flags; // VIRTQ_AVAIL_F_NO_INTERRUPT
    uint16_t idx;   // counts up for ever, wraps at 65,536; the slot is idx % size
    uint16_t ring[];
};
#define VIRTQ_AVAIL_F_NO_INTERRUPT 1

struct virtq_used_elem {
    uint32_t id;  // head of the chain
    uint32_t len; // bytes written by the device
};

struct virtq_used {
    uint16_t flags; // VIRTQ_USED_F_NO_NOTIFY
    uint16_t idx;
    struct virtq_used_elem ring[];
};
#define VIRTQ_USED_F_NO_NOTIFY 1

// ---- the driver's own ----

// A buffer of a chain: physical address and bytes.
struct virtq_buf {
    uint64_t addr;
    uint32_t len;
};

// What the driver remembers of descriptor i; the device cannot see it.
struct virtq_chain {
    void *token;       // of the chain that starts here, NULL if none is in flight
    uint32_t writable; // bytes the device may write in that chain
    uint16_t next;     // next descriptor of the chain, or of the free list
    uint16_t count;    // descriptors of the chain that starts here
};

struct virtq_stats {
    uint64_t adds, completions;
    uint64_t bytes; // that the device says it wrote
    uint64_t kicks, kicks_saved;
    uint64_t polls, spins, fences;
    uint64_t interrupts, sleeps; // counted by the driver
    uint64_t errors;
};

struct virtq {
    uint16_t size;             // power of two, 1 to VIRTQ_MAX_SIZE
    bool broken;               // the device has violated the protocol, or virtq_break() was called
    const char *broken_by;     // how, for the message; NULL while all is well
    uint32_t broken_value;     // the offending value
    bool callbacks;            // notifications are enabled
    struct virtq_desc *desc;   // written by the driver only
    struct virtq_avail *avail; // written by the driver only
    struct virtq_used *used;   // written by the device only: trust nothing
    struct virtq_chain *chain; // private, `size` entries
    uint16_t free_first;       // free descriptors, linked by chain[].next: first in, first out
    uint16_t free_last;
    uint16_t free_count;
    uint16_t in_flight;  // chains added and not yet taken back
    uint16_t avail_next; // where the next chain goes; avail->idx catches up at virtq_publish()
    uint16_t last_used;  // how far poll_used() has come
    volatile uint32_t *doorbell; // QueueNotify register
    uint32_t index;              // of this queue, what the doorbell is given
    const char *name;            // for messages
    struct virtq_stats stats;
};

// A completion as poll_used() returns it.
struct virtq_done {
    void *token;
    uint32_t len; // bytes written, checked against what was writable
};

// Bytes of ring memory for a queue of `size`, and where available and used ring start in it.
size_t virtq_ring_bytes(uint16_t size);

// Prepares an empty queue in `ring` (zeroed, 4096-aligned, virtq_ring_bytes(size) long, physically
// contiguous) and `chain` (`size` entries). Notifications start disabled. 0, or -EINVAL if size is
// not a power of two from 1 to VIRTQ_MAX_SIZE.
int virtq_init(struct virtq *q, uint16_t size, void *ring, struct virtq_chain *chain,
               volatile uint32_t *doorbell, uint32_t index, const char *name);

// Builds a descriptor chain (2.7.13.1): first the `nout` buffers that the device reads, then the
// `nin` that it writes. The buffers belong to the device until the chain comes back from
// poll_used() with `token`. The device does not see the chain before virtq_publish(). 0, or the
// first of these that holds: -EIO if the queue is broken; -EINVAL for no token (NULL), no buffers,
// more than the queue can ever hold, an empty one, or 4 GiB or more to write (`writable` has 32
// bits); -ENOSPC if there are too few free descriptors now.
int virtq_add(struct virtq *q, const struct virtq_buf out[], unsigned nout,
              const struct virtq_buf in[], unsigned nin, void *token);

// Lets the device see every chain added so far (2.7.13.3): write barrier, then the index.
void virtq_publish(struct virtq *q);

// Tells the device, unless it asked not to be told (2.7.13.4): full barrier, flags, doorbell. True
// if the doorbell was rung.
bool virtq_kick(struct virtq *q);

// Takes one completion off the used ring (2.7.14): 1 and *done, 0 if there is none, -EIO if the
// queue is or now becomes broken. Counts neither polls nor spins: virtq_poll() does.
int poll_used(struct virtq *q, struct virtq_done *done);

// Polls until there is a completion, at most `budget` times; results as poll_used().
int virtq_poll(struct virtq *q, unsigned budget, struct virtq_done *done);

// Asks the device for interrupts, then looks once more (2.7.7, 2.7.14): true if there is nothing to
// take, so the caller may sleep; false if completions are waiting (or the queue is broken): poll
// again.
bool virtq_enable_cb(struct virtq *q);
void virtq_disable_cb(struct virtq *q);

// Marks the queue broken for a reason of the caller's (a static string), such as no answer in time.
// Messages show the value after the reason: "used id out of range: 12".
void virtq_break(struct virtq *q, const char *reason, uint32_t value);

// After the queue broke or the device was reset: the token of one chain still in flight, NULL when
// no more is. The device must have been reset before its buffers are used again.
void *virtq_take_back(struct virtq *q);

#endif
