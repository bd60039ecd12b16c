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

int virtio_find(struct virtio_device *device, uint32_t id, const char *name)
{
    for (unsigned i = 0; i < machine.virtio_count; i++) {
        *device = (struct virtio_device){
            .regs = phys_to_virt(machine.virtio[i].base),
            .irq = machine.virtio[i].irq,
            .id = id,
            .name = name,
        };
        if (!slot_holds(device))
            continue;
        // 3.1.1, steps 1 to 3.
        if (virtio_reset(device) < 0)
            return -EIO;
        add_status(device, VIRTIO_STATUS_ACKNOWLEDGE);
        add_status(device, VIRTIO_STATUS_DRIVER);
        return 0;
    }
    return -ENODEV;
}

// Features are 64 bits, seen through a window of 32 that a second register moves (4.2.2).
static uint64_t offered_features(struct virtio_device *device)
{
    uint64_t features = 0;
    for (uint32_t word = 0; word < 2; word++) {
        write_reg(device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, word);
        features |= (uint64_t)read_reg(device, VIRTIO_MMIO_DEVICE_FEATURES) << 32 * word;
    }
    return features;
}

static void accept_features(struct virtio_device *device, uint64_t features)
{
    for (uint32_t word = 0; word < 2; word++) {
        write_reg(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
        write_reg(device, VIRTIO_MMIO_DRIVER_FEATURES, features >> 32 * word);
    }
    device->features = features;
}

int virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
    // 3.1.1, step 4: a subset of what is offered.
    uint64_t offered = offered_features(device);
    if (!(offered & VIRTIO_F_VERSION_1)) {
        kprintf("%s: device does not offer VIRTIO_F_VERSION_1\n", device->name);
        virtio_failed(device);
        return -ENODEV;
    }
    accept_features(device, offered & (wanted | VIRTIO_F_VERSION_1));

    // Steps 5 and 6: the device clears the bit if it cannot work with that subset.
    add_status(device, VIRTIO_STATUS_FEATURES_OK);
    if (!(read_reg(device, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK)) {
        kprintf("%s: device refuses features 0x%lx\n", device->name, device->features);
        virtio_failed(device);
        return -ENODEV;
    }
    return 0;
}

uint32_t virtio_queue_max(struct virtio_device *device, uint32_t index)
{
    write_reg(device, VIRTIO_MMIO_QUEUE_SEL, index);
    return read_reg(device, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

static void write_address(struct virtio_device *device, uint32_t low, uint64_t address)
{
    write_reg(device, low, address);
    write_reg(device, low + 4, address >> 32);
}

int virtio_set_queue(struct virtio_device *device, uint32_t index, uint16_t size, uint64_t desc,
                     uint64_t avail, uint64_t used)
{
    // The order is that of 4.2.3.2.
    write_reg(device, VIRTIO_MMIO_QUEUE_SEL, index);
    if (read_reg(device, VIRTIO_MMIO_QUEUE_READY) != 0)
        return -EBUSY;
    write_reg(device, VIRTIO_MMIO_QUEUE_NUM, size);
    write_address(device, VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
    write_address(device, VIRTIO_MMIO_QUEUE_DRIVER_LOW, avail);
    write_address(device, VIRTIO_MMIO_QUEUE_DEVICE_LOW, used);
    // The device may read the ring from here on: what we cleared in it has to be there.
    virtio_doorbell_mb();
    write_reg(device, VIRTIO_MMIO_QUEUE_READY, 1);
    return 0;
}

volatile uint32_t *virtio_doorbell(struct virtio_device *device)
{
    return &device->regs[VIRTIO_MMIO_QUEUE_NOTIFY / 4];
}

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
