// Constants and structures of VirtIO 1.2, in the order of its sections. All numbers are
// little-endian.

#ifndef RINGFENCE_VIRTIO_H
#define RINGFENCE_VIRTIO_H

#include <stdint.h>

// ---- device types (5) ----

#define VIRTIO_ID_BLOCK 2
#define VIRTIO_ID_ENTROPY 4
#define VIRTIO_ID_GPU 16

// ---- device status (2.1) ----

#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER 2
#define VIRTIO_STATUS_DRIVER_OK 4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 64
#define VIRTIO_STATUS_FAILED 128

// ---- feature bits of every device (6) ----

#define VIRTIO_F_VERSION_1 (1ull << 32)

// ---- the registers of virtio-mmio (4.2.2), byte offsets ----

#define VIRTIO_MMIO_MAGIC 0x000
#define VIRTIO_MMIO_VERSION 0x004
#define VIRTIO_MMIO_DEVICE_ID 0x008
#define VIRTIO_MMIO_DEVICE_FEATURES 0x010
#define VIRTIO_MMIO_DEVICE_FEATURES_SEL 0x014
#define VIRTIO_MMIO_DRIVER_FEATURES 0x020
#define VIRTIO_MMIO_DRIVER_FEATURES_SEL 0x024
#define VIRTIO_MMIO_QUEUE_SEL 0x030
#define VIRTIO_MMIO_QUEUE_NUM_MAX 0x034
#define VIRTIO_MMIO_QUEUE_NUM 0x038
#define VIRTIO_MMIO_QUEUE_READY 0x044
#define VIRTIO_MMIO_QUEUE_NOTIFY 0x050
#define VIRTIO_MMIO_INTERRUPT_STATUS 0x060
#define VIRTIO_MMIO_INTERRUPT_ACK 0x064
#define VIRTIO_MMIO_STATUS 0x070
#define VIRTIO_MMIO_QUEUE_DESC_LOW 0x080
#define VIRTIO_MMIO_QUEUE_DESC_HIGH 0x084
#define VIRTIO_MMIO_QUEUE_DRIVER_LOW 0x090
#define VIRTIO_MMIO_QUEUE_DRIVER_HIGH 0x094
#define VIRTIO_MMIO_QUEUE_DEVICE_LOW 0x0a0
#define VIRTIO_MMIO_QUEUE_DEVICE_HIGH 0x0a4
#define VIRTIO_MMIO_CONFIG_GENERATION 0x0fc
#define VIRTIO_MMIO_CONFIG 0x100

#define VIRTIO_MMIO_MAGIC_VALUE 0x74726976 // "virt"
#define VIRTIO_MMIO_VERSION_LEGACY 1
#define VIRTIO_MMIO_VERSION_1 2

#define VIRTIO_INTERRUPT_QUEUE 1
#define VIRTIO_INTERRUPT_CONFIG 2

// ---- block device (5.2) ----

#define VIRTIO_BLK_F_SEG_MAX (1ull << 2)
#define VIRTIO_BLK_F_RO (1ull << 5)
#define VIRTIO_BLK_F_FLUSH (1ull << 9)

// In the configuration space (5.2.4).
#define VIRTIO_BLK_CONFIG_CAPACITY 0 // u64, sectors
#define VIRTIO_BLK_CONFIG_SEG_MAX 12 // u32, data segments of one request

#define VIRTIO_BLK_SECTOR 512 // bytes: the unit of every sector number, on every disk

#define VIRTIO_BLK_T_IN 0
#define VIRTIO_BLK_T_OUT 1
#define VIRTIO_BLK_T_FLUSH 4

// 5.2.6: a request is this header, the data, and one status byte that the device writes.
struct virtio_blk_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};
#define VIRTIO_BLK_S_OK 0
#define VIRTIO_BLK_S_IOERR 1
#define VIRTIO_BLK_S_UNSUPP 2

// ---- GPU device (5.7) ----

#define VIRTIO_GPU_QUEUE_CONTROL 0

#define VIRTIO_GPU_CMD_GET_DISPLAY_INFO 0x0100
#define VIRTIO_GPU_CMD_RESOURCE_CREATE_2D 0x0101
#define VIRTIO_GPU_CMD_RESOURCE_UNREF 0x0102
#define VIRTIO_GPU_CMD_SET_SCANOUT 0x0103
#define VIRTIO_GPU_CMD_RESOURCE_FLUSH 0x0104
#define VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D 0x0105
#define VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING 0x0106
#define VIRTIO_GPU_RESP_OK_NODATA 0x1100
#define VIRTIO_GPU_RESP_OK_DISPLAY_INFO 0x1101
#define VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY 0x1201
#define VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER 0x1205

#define VIRTIO_GPU_FORMAT_B8G8R8X8 2 // a pixel is the little-endian word 0x00RRGGBB
#define VIRTIO_GPU_MAX_SCANOUTS 16

// 5.7.6.7: every command and every response begins with this.
struct virtio_gpu_header {
    uint32_t type;
    uint32_t flags;
    uint64_t fence_id;
    uint32_t ctx_id;
    uint8_t ring_idx;
    uint8_t padding[3];
};

struct virtio_gpu_rect {
    uint32_t x, y, width, height;
};

// 5.7.6.8: the commands, in the order of their numbers.
struct virtio_gpu_display_info {
    struct virtio_gpu_header header;
    struct {
        struct virtio_gpu_rect rect;
        uint32_t enabled;
        uint32_t flags;
    } modes[VIRTIO_GPU_MAX_SCANOUTS];
};

struct virtio_gpu_create_2d {
    struct virtio_gpu_header header;
    uint32_t resource_id;
    uint32_t format;
    uint32_t width, height;
};

struct virtio_gpu_unref {
    struct virtio_gpu_header header;
    uint32_t resource_id;
    uint32_t padding;
};

struct virtio_gpu_set_scanout {
    struct virtio_gpu_header header;
    struct virtio_gpu_rect rect;
    uint32_t scanout_id;
    uint32_t resource_id;
};

struct virtio_gpu_flush {
    struct virtio_gpu_header header;
    struct virtio_gpu_rect rect;
    uint32_t resource_id;
    uint32_t padding;
};

struct virtio_gpu_transfer {
    struct virtio_gpu_header header;
    struct virtio_gpu_rect rect;
    uint64_t offset; // of the rectangle's first pixel, in bytes from the start of the backing
    uint32_t resource_id;
    uint32_t padding;
};

// With one entry of backing memory; the specification allows more.
struct virtio_gpu_attach_backing {
    struct virtio_gpu_header header;
    uint32_t resource_id;
    uint32_t nr_entries;
    uint64_t addr;
    uint32_t length;
    uint32_t padding;
};

#endif
