// The list of block devices.

#include "kernel/fs/block.h"

#include "kernel/abi.h"

#define MAX_BLOCK_DEVICES 4

// Registered at boot, by one hart; never removed.
static struct block_device *block_devices[MAX_BLOCK_DEVICES];

void block_register(struct block_device *device)
{
    for (unsigned i = 0; i < MAX_BLOCK_DEVICES; i++) {
        if (!block_devices[i]) {
            block_devices[i] = device;
            return;
        }
    }
    panic("more than %d block devices", MAX_BLOCK_DEVICES);
}

struct block_device *block_find(const char *name)
{
    for (unsigned i = 0; i < MAX_BLOCK_DEVICES; i++)
        if (block_devices[i] && strcmp(block_devices[i]->name, name) == 0)
            return block_devices[i];
    return NULL;
}

int block_do(struct block_device *device, struct block_request *request)
{
    request->done = NULL;
    request->next = NULL;
    block_submit(device, request);
    return block_wait(device, request);
}

int block_check(const struct block_device *device, const struct block_request *request)
{
    uint64_t total = 0;
    if (request->op == BLOCK_FLUSH)
        return 0;
    if (request->op == BLOCK_WRITE && device->read_only)
        return -EROFS;
    if (request->count == 0 || request->count > device->max_segments)
        return -EINVAL;
    for (unsigned i = 0; i < request->count; i++) {
        uint32_t length = request->segments[i].length;
        if (length == 0 || length % 512 != 0)
            return -EINVAL;
        total += length;
    }
    if (request->block > device->blocks || total > (device->blocks - request->block) * BLOCK_SIZE)
        return -EINVAL;
    return 0;
}
