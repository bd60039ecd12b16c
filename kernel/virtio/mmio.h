// The virtio-mmio transport (VirtIO 1.2, 4.2): finds a device and accesses its registers. It knows
// nothing about rings: queue.c connects the two.
//
// A driver starts a device in the order of section 3.1.1:
//
//     virtio_find        1. reset, 2. ACKNOWLEDGE, 3. DRIVER
//     virtio_negotiate   4. read and write features, 5. FEATURES_OK, 6. read it again
//     virtio_set_queue   7. once for each queue
//     virtio_driver_ok   8. DRIVER_OK: the device may work
//
// Nothing here sleeps or takes a lock. Except for virtio_ack_interrupt() and virtio_reset(), it all
// runs at boot, on one hart.

#ifndef RINGFENCE_MMIO_H
#define RINGFENCE_MMIO_H

#include "kernel/lib.h"

struct virtio_device {
    volatile uint32_t *regs; // in the direct map
    uint32_t irq;            // at the PLIC
    uint32_t id;             // VIRTIO_ID_*
    uint64_t features;       // negotiated
    const char *name;        // for messages
};

// Finds the first device of type `id`, resets it, and tells it that it has a driver. Returns 0;
// -ENODEV if there is none, or only a legacy device (then it prints what to do); -EIO if the device
// does not reset.
int virtio_find(struct virtio_device *device, uint32_t id, const char *name);

// Accepts VIRTIO_F_VERSION_1 and the features of `wanted` that the device offers, and stores them
// in device->features. Returns 0; or prints why not, marks the device FAILED and returns -ENODEV.
int virtio_negotiate(struct virtio_device *device, uint64_t wanted);

// The largest size of queue `index`, 0 if the device has no such queue.
uint32_t virtio_queue_max(struct virtio_device *device, uint32_t index);

// Tells the device where the three parts of a virtq are (physical addresses) and makes it ready.
// Returns 0, or -EBUSY if the queue is in use already.
int virtio_set_queue(struct virtio_device *device, uint32_t index, uint16_t size, uint64_t desc,
                     uint64_t avail, uint64_t used);

// The doorbell register, the same for all queues: store a queue's index in it.
volatile uint32_t *virtio_doorbell(struct virtio_device *device);

void virtio_driver_ok(struct virtio_device *device);
void virtio_failed(struct virtio_device *device); // gives up the device (2.1.2)

// Stops the device. After it has returned 0, the device accesses no memory. Returns -EIO if the
// device does not answer within a second.
int virtio_reset(struct virtio_device *device);

// Acknowledges the device's interrupt and returns its reasons (VIRTIO_INTERRUPT_*). You may read
// the ring right after it: it contains the barrier.
uint32_t virtio_ack_interrupt(struct virtio_device *device);

// Reads 32 or 64 bits of the device's configuration space (2.5), at a multiple of 4. The 64 bits
// belong together, even if the device changes them at that moment.
uint32_t virtio_config32(struct virtio_device *device, uint32_t offset);
uint64_t virtio_config64(struct virtio_device *device, uint32_t offset);

#endif
