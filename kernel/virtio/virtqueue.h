// The split virtqueue (VirtIO 1.2, section 2.7): the ring that driver and device share.
//
//   descriptor table   driver writes, device reads: address, length, flags, next
//   available ring     driver writes, device reads: heads of chains that the device may take
//   used ring          device writes, driver reads: chains that the device is done with
//
// A struct virtq, called a virtq (`q` in this file), is one such ring and what the driver remembers
// about it. A struct virtio_queue (queue.h), called a queue, is a virtq with a lock, an interrupt
// and processes that wait.
//
// This file knows nothing about disks, displays or registers. It also compiles for the host, where
// unit tests run it against a mock device. It takes no lock and never sleeps: hold the lock of the
// queue around each call.
//
// The driver does not trust the device. What it needs again, it keeps in private memory (struct
// virtq_chain), and it checks every value from the used ring. If the device violates the protocol,
// the virtq is broken: from then on calls return -EIO, and virtq_take_back() returns the tokens in
// flight, so that you can fail their requests.

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
    uint16_t idx;   // only counts up, and wraps at 65,536; the slot is idx % size
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

// ---- private to the driver ----

// A buffer of a chain: physical address and length in bytes.
struct virtq_buf {
    uint64_t addr;
    uint32_t len;
};

// What the driver remembers about descriptor i. The device cannot see it.
struct virtq_chain {
    void *token;       // of the chain that starts here, NULL if none is in flight
    uint32_t writable; // bytes the device may write in that chain
    uint16_t next;     // next descriptor of the chain, or of the free list
    uint16_t count;    // descriptors of the chain that starts here
};

struct virtq_stats {
    uint64_t adds, completions;
    uint64_t bytes; // written by the device, as it says
    uint64_t kicks, kicks_saved;
    uint64_t polls, spins, fences;
    uint64_t interrupts, sleeps; // counted by the callers
    uint64_t errors;             // 1 once broken
};

struct virtq {
    uint16_t size;             // power of two, 1 to VIRTQ_MAX_SIZE
    bool broken;               // by a violation of the protocol, or by virtq_break()
    const char *broken_by;     // the reason, for the message; NULL while not broken
    uint32_t broken_value;     // the value that was wrong
    bool callbacks;            // the driver has asked for interrupts
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
    uint32_t index;              // of this queue: the value to store in the doorbell
    const char *name;            // for messages
    struct virtq_stats stats;
};

// A completion, as poll_used() returns it.
struct virtq_done {
    void *token;
    uint32_t len; // bytes written, checked against what was writable
};

// How many bytes of ring memory a virtq of `size` descriptors needs.
size_t virtq_ring_bytes(uint16_t size);

// Makes an empty virtq. `ring` is its memory: zeroed, 4096-aligned, physically contiguous and
// virtq_ring_bytes(size) long. `chain` has `size` entries. Both stay yours, and must live as long
// as the virtq. Interrupts start disabled. Returns 0, or -EINVAL if size is not a power of two from
// 1 to VIRTQ_MAX_SIZE.
int virtq_init(struct virtq *q, uint16_t size, void *ring, struct virtq_chain *chain,
               volatile uint32_t *doorbell, uint32_t index, const char *name);

// Builds a descriptor chain (2.7.13.1): first the `nout` buffers that the device reads, then the
// `nin` buffers that it writes. The buffers belong to the device until poll_used() returns `token`.
// The device does not see the chain before virtq_publish(). Returns 0, or the first of these that
// applies: -EIO if the virtq is broken; -EINVAL if token is NULL, if there are no buffers or more
// than the virtq can ever hold, if a buffer is empty, or if the device could write 4 GiB or more
// (`writable` has 32 bits); -ENOSPC if there are too few free descriptors now.
int virtq_add(struct virtq *q, const struct virtq_buf out[], unsigned nout,
              const struct virtq_buf in[], unsigned nin, void *token);

// Makes every chain added so far visible to the device (2.7.13.3): write barrier, then the index.
void virtq_publish(struct virtq *q);

// Rings the doorbell, unless the device has asked for no notifications (2.7.13.4): full barrier,
// flags, doorbell. Returns true if it rang.
bool virtq_kick(struct virtq *q);

// Takes one completion off the used ring (2.7.14). Returns 1 and fills in *done, 0 if there is
// none, or -EIO if the virtq is broken or breaks now. virtq_poll() counts polls and spins, this
// does not.
int poll_used(struct virtq *q, struct virtq_done *done);

// Polls until there is a completion, at most `budget` times. Returns what poll_used() returns.
int virtq_poll(struct virtq *q, unsigned budget, struct virtq_done *done);

// Asks the device for interrupts, then looks at the used ring once more (2.7.7, 2.7.14). Returns
// true if there is nothing to take: you may sleep. Returns false if completions are waiting, or if
// the virtq is broken: poll again.
bool virtq_enable_cb(struct virtq *q);
// Asks the device for no interrupts. It may send some all the same.
void virtq_disable_cb(struct virtq *q);

// Breaks the virtq for a reason that you give (a static string), such as no answer in time. The
// message shows the value after the reason: "used id out of range: 12".
void virtq_break(struct virtq *q, const char *reason, uint32_t value);

// Call it in a loop after the virtq broke: returns the token of one chain in flight, and NULL when
// none is left. Reset the device first: until then it may still write to the buffers.
void *virtq_take_back(struct virtq *q);

#endif
