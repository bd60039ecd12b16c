// The virtio-mmio transport (VirtIO 1.2, 4.2): finding a device and talking to its registers. It
// knows nothing of rings; queue.c brings the two together.
//
// A driver brings a device up in the order of section 3.1.1:
//
//     virtio_find        1. reset, 2. ACKNOWLEDGE, 3. DRIVER
//     virtio_negotiate   4. read and write features, 5. FEATURES_OK, 6. read it again
//     virtio_set_queue   7. once a queue
//     virtio_driver_ok   8. DRIVER_OK: the device is live
//
// None of these sleeps or takes a lock: they run at boot, on one hart.

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

// Looks for the first device of type `id`, resets it, and tells it that there is a driver. 0;
// -ENODEV if there is none, or only a legacy one (then a line says what to do); -EIO if it does not
// reset.
int virtio_find(struct virtio_device *device, uint32_t id, const char *name);

// Accepts VIRTIO_F_VERSION_1 and those of `wanted` that the device offers; device->features says
// which. 0, or -ENODEV after a line that says why, with the device marked FAILED.
int virtio_negotiate(struct virtio_device *device, uint64_t wanted);

// The largest size of queue `index`, 0 if the device has no such queue.
uint32_t virtio_queue_max(struct virtio_device *device, uint32_t index);

// Tells the device where a queue's three parts are (physical addresses) and makes it ready. 0, or
// -EBUSY if it is in use already.
int virtio_set_queue(struct virtio_device *device, uint32_t index, uint16_t size, uint64_t desc,
                     uint64_t avail, uint64_t used);

// What a queue's doorbell is rung by: the index goes there.
volatile uint32_t *virtio_doorbell(struct virtio_device *device);

void virtio_driver_ok(struct virtio_device *device);
void virtio_failed(struct virtio_device *device); // gives the device up (2.1.2)

// Stops the device: when it returns 0 the device touches no memory any more. -EIO if it does not
// answer.
int virtio_reset(struct virtio_device *device);

// Acknowledges what the device interrupts for and returns it (VIRTIO_INTERRUPT_*). The ring may be
// read after it: the order is seen to.
uint32_t virtio_ack_interrupt(struct virtio_device *device);

// Reads 32 or 64 bits of the device's configuration space (2.5), at a multiple of 4. The 64 bits
// belong together even if the device changes them meanwhile.
uint32_t virtio_config32(struct virtio_device *device, uint32_t offset);
uint64_t virtio_config64(struct virtio_device *device, uint32_t offset);

#endif
