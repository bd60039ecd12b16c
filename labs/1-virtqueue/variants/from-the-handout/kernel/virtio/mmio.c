// The virtio-mmio transport: mmio.h is the contract. Section numbers are those of VirtIO 1.2.

#include "kernel/virtio/mmio.h"

#include "kernel/abi.h"
#include "kernel/boot/boot.h"
#include "kernel/mm/page.h"
#include "kernel/proc/proc.h"
#include "kernel/virtio/barrier.h"
#include "kernel/virtio/virtio.h"

#define RESET_TIMEOUT_NS 1000000000ul

static uint32_t read_reg(const struct virtio_device *device, uint32_t offset)
{
    return device->regs[offset / 4];
}

static void write_reg(struct virtio_device *device, uint32_t offset, uint32_t value)
{
    device->regs[offset / 4] = value;
}

// The driver sets bits of the status and never clears one, other than by a reset (2.1.1).
static void add_status(struct virtio_device *device, uint32_t bits)
{
    write_reg(device, VIRTIO_MMIO_STATUS, read_reg(device, VIRTIO_MMIO_STATUS) | bits);
}

int virtio_reset(struct virtio_device *device)
{
    uint64_t deadline = time_now() + ns_to_time(RESET_TIMEOUT_NS);
    write_reg(device, VIRTIO_MMIO_STATUS, 0);
    // The reset is over when the status reads 0 (2.4.1, 4.2.3.1).
    while (read_reg(device, VIRTIO_MMIO_STATUS) != 0) {
        if (time_now() > deadline) {
            kprintf("%s: device does not reset\n", device->name);
            return -EIO;
        }
    }
    return 0;
}

// Is there a device of this type in the slot? An empty slot has type 0 (4.2.2.1).
static bool slot_holds(const struct virtio_device *device)
{
    if (read_reg(device, VIRTIO_MMIO_MAGIC) != VIRTIO_MMIO_MAGIC_VALUE ||
        read_reg(device, VIRTIO_MMIO_DEVICE_ID) != device->id)
        return false;
    uint32_t version = read_reg(device, VIRTIO_MMIO_VERSION);
    if (version == VIRTIO_MMIO_VERSION_LEGACY)
        kprintf("%s: legacy device: start QEMU with -global virtio-mmio.force-legacy=false\n",
                device->name);
    return version == VIRTIO_MMIO_VERSION_1;
}

// 3.1.1, steps 1 to 3: resets the device, then says that it was noticed (ACKNOWLEDGE), then that
// there is a driver for it (DRIVER), each by a write of its own to the status register.
// virtio_reset() and add_status() above do the work. 0, or the error of virtio_reset(); then
// nothing more is written.
static int greet(struct virtio_device *device)
{
    int error = virtio_reset(device);
    if (error == 0) {
        add_status(device, VIRTIO_STATUS_ACKNOWLEDGE);
        add_status(device, VIRTIO_STATUS_DRIVER);
    }
    return error;
}

int virtio_find(struct virtio_device *device, uint32_t id, const char *name)
{
    for (unsigned i = 0; i < machine.virtio_count; i++) {
        *device = (struct virtio_device){
            .regs = phys_to_virt(machine.virtio[i].base),
            .irq = machine.virtio[i].irq,
            .id = id,
            .name = name,
        };
        if (slot_holds(device))
            return greet(device);
    }
    return -ENODEV;
}

// The offered features, both windows put together.
static uint64_t read_offer(struct virtio_device *device)
{
    uint64_t offer = 0;
    for (uint32_t half = 0; half < 2; half++) {
        write_reg(device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, half);
        offer |= (uint64_t)read_reg(device, VIRTIO_MMIO_DEVICE_FEATURES) << (32 * half);
    }
    return offer;
}

static void write_choice(struct virtio_device *device, uint64_t features)
{
    for (uint32_t half = 0; half < 2; half++) {
        write_reg(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        write_reg(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
}

static int give_up(struct virtio_device *device, const char *why)
{
    kprintf("%s: cannot use the device: %s\n", device->name, why);
    virtio_failed(device);
    return -ENODEV;
}

// 3.1.1, steps 4 to 6. Features are 64 bits, seen through a window of 32: DEVICE_FEATURES_SEL says
// which half DEVICE_FEATURES shows, 0 for bits 0 to 31, 1 for bits 32 to 63; DRIVER_FEATURES_SEL
// and DRIVER_FEATURES likewise for what the driver accepts (4.2.2).
//
//   4. Read both halves of what the device offers. Without VIRTIO_F_VERSION_1 among it we cannot
//      work with the device. Else accept that and those of `wanted` that it offers, and no other
//      bit: write both halves, and note them in device->features.
//   5. Add FEATURES_OK to the status.
//   6. Read the status again. The device has left FEATURES_OK out if it cannot work with what we
//      accepted; then it must not be used.
//
// Where the device cannot be used: print one line that says why (kprintf, with device->name), mark
// it with virtio_failed(), return -ENODEV. Otherwise 0.
int virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
    uint64_t offer = read_offer(device);
    if (!(offer & VIRTIO_F_VERSION_1))
        return give_up(device, "it does not offer VIRTIO_F_VERSION_1");
    device->features = offer & (wanted | VIRTIO_F_VERSION_1);
    write_choice(device, device->features);
    add_status(device, VIRTIO_STATUS_FEATURES_OK);
    if (!(read_reg(device, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK))
        return give_up(device, "it refuses the features that we accept");
    return 0;
}

uint32_t virtio_queue_max(struct virtio_device *device, uint32_t index)
{
    write_reg(device, VIRTIO_MMIO_QUEUE_SEL, index);
    return read_reg(device, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

// `low` is the register of the low half; that of the high half is the next one.
static void write_address(struct virtio_device *device, uint32_t low, uint64_t address)
{
    write_reg(device, low, (uint32_t)address);
    write_reg(device, low + 4, (uint32_t)(address >> 32));
}

// 3.1.1, step 7, in the order of 4.2.3.2: select queue `index`; read QUEUE_READY, and if it is not
// 0 the queue is in use already (-EBUSY; nothing is written); write the size to QUEUE_NUM; write
// where the three parts of the ring are, each address in two halves of 32 bits (the `avail` ring is
// what the registers call DRIVER, the `used` ring DEVICE); write 1 to QUEUE_READY.
//
// From that last write on the device may read the ring, and it must find there what has been stored
// in memory before this call. A store to memory and a store to a device register are ordered by a
// barrier only; barrier.h has one for this.
int virtio_set_queue(struct virtio_device *device, uint32_t index, uint16_t size, uint64_t desc,
                     uint64_t avail, uint64_t used)
{
    write_reg(device, VIRTIO_MMIO_QUEUE_SEL, index);
    if (read_reg(device, VIRTIO_MMIO_QUEUE_READY) != 0)
        return -EBUSY;
    write_reg(device, VIRTIO_MMIO_QUEUE_NUM, size);
    write_address(device, VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
    write_address(device, VIRTIO_MMIO_QUEUE_DRIVER_LOW, avail);
    write_address(device, VIRTIO_MMIO_QUEUE_DEVICE_LOW, used);
    // Keeps the stores that initialised the ring (memory) before the store to QUEUE_READY (I/O).
    virtio_doorbell_mb();
    write_reg(device, VIRTIO_MMIO_QUEUE_READY, 1);
    return 0;
}

volatile uint32_t *virtio_doorbell(struct virtio_device *device)
{
    return &device->regs[VIRTIO_MMIO_QUEUE_NOTIFY / 4];
}

// 3.1.1, step 8: adds DRIVER_OK to the status. Only now may the device take buffers and complete
// them (2.1.2), so a doorbell rung before it is a mistake.
void virtio_driver_ok(struct virtio_device *device)
{
    add_status(device, VIRTIO_STATUS_DRIVER_OK);
}

void virtio_failed(struct virtio_device *device)
{
    add_status(device, VIRTIO_STATUS_FAILED);
}

uint32_t virtio_ack_interrupt(struct virtio_device *device)
{
    uint32_t status = read_reg(device, VIRTIO_MMIO_INTERRUPT_STATUS);
    write_reg(device, VIRTIO_MMIO_INTERRUPT_ACK, status);
    // Acknowledge, then look: a completion that comes after the look interrupts again. The other
    // way round its interrupt would be acknowledged unseen.
    virtio_interrupt_mb();
    return status;
}

uint32_t virtio_config32(struct virtio_device *device, uint32_t offset)
{
    return read_reg(device, VIRTIO_MMIO_CONFIG + offset);
}

uint64_t virtio_config64(struct virtio_device *device, uint32_t offset)
{
    uint32_t generation, low, high;
    unsigned tries = 0;
    // Two reads: valid if the generation is the same before and after (2.5.3). A device that
    // changes it for ever gets the last answer believed; it hurts only itself.
    do {
        generation = read_reg(device, VIRTIO_MMIO_CONFIG_GENERATION);
        low = virtio_config32(device, offset);
        high = virtio_config32(device, offset + 4);
    } while (read_reg(device, VIRTIO_MMIO_CONFIG_GENERATION) != generation && ++tries < 1000);
    return (uint64_t)high << 32 | low;
}
