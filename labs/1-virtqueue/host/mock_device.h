// A VirtIO device made of a few functions, for unit tests of the virtqueue: it works on the same
// rings as the driver, in the same program, and keeps its own indices as a real device does. It can
// complete in any order, several at a time, and lie. Addresses in descriptors are host pointers.

#ifndef RINGFENCE_MOCK_DEVICE_H
#define RINGFENCE_MOCK_DEVICE_H

#include "kernel/virtio/virtqueue.h"

#define MOCK_NO_KICK 0xdeadbeef // in the doorbell: not rung since the last look

struct mock_device {
    uint16_t size;
    const struct virtq_desc *desc;
    const struct virtq_avail *avail;
    struct virtq_used *used;
    uint16_t avail_seen;        // how far it has taken chains
    uint16_t used_next;         // where its next used element goes
    volatile uint32_t doorbell; // the driver's QueueNotify
    const char *complaint;      // what the driver did wrong, NULL if nothing
};

// A chain as the device finds it.
struct mock_chain {
    uint16_t head;
    unsigned nout, nin;
    struct virtq_buf out[VIRTQ_MAX_SIZE], in[VIRTQ_MAX_SIZE];
};

// Where the rings are, as the transport would tell it.
void mock_attach(struct mock_device *device, const struct virtq *q);

// Takes the next available chain; false if there is none, or the chain is not well formed (then
// there is a complaint).
bool mock_take(struct mock_device *device, struct mock_chain *chain);
// How many chains it could take now.
unsigned mock_available(const struct mock_device *device);

// Puts an element into the used ring, true or not; the driver sees it after mock_show().
void mock_put(struct mock_device *device, uint32_t id, uint32_t len);
void mock_show(struct mock_device *device);
// Both.
void mock_complete(struct mock_device *device, uint32_t id, uint32_t len);
// Sets used->idx to what it likes.
void mock_set_index(struct mock_device *device, uint16_t idx);

// Asks for no kicks, or for kicks.
void mock_no_notify(struct mock_device *device, bool no_notify);
// Has the driver asked for interrupts?
bool mock_may_interrupt(const struct mock_device *device);
// Has the doorbell been rung, with `index`, since the last call?
bool mock_kicked(struct mock_device *device, uint32_t index);

// Overwrites what the driver alone should write: a driver that reads it back is led astray.
void mock_scribble(struct virtq *q);

#endif
