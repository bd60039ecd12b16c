// The initrd as a block device: requests are copies and are done when submit() returns. It can be
// written to; the changes are gone at power-off.

#include "kernel/abi.h"
#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/fs/block.h"
#include "kernel/mm/page.h"

#define MAX_SEGMENTS 256

static int ramdisk_transfer(struct block_device *device, const struct block_request *request)
{
    char *disk = (char *)device->driver + request->block * BLOCK_SIZE;
    int error = block_check(device, request);
    if (error || request->op == BLOCK_FLUSH)
        return error;
    for (unsigned i = 0; i < request->count; i++) {
        const struct block_segment *segment = &request->segments[i];
        if (request->op == BLOCK_READ)
            memcpy(segment->memory, disk, segment->length);
        else
            memcpy(disk, segment->memory, segment->length);
        disk += segment->length;
    }
    return 0;
}

static void ramdisk_submit(struct block_device *device, struct block_request *chain)
{
    while (chain) {
        struct block_request *request = chain;
        chain = request->next; // done() may free the request
        request->status = ramdisk_transfer(device, request);
        if (request->done)
            request->done(request);
    }
}

static int ramdisk_wait(struct block_device *device, struct block_request *request)
{
    (void)device;
    return request->status;
}

void ramdisk_init(void)
{
    static struct block_device ramdisk = {
        .name = "initrd",
        .max_segments = MAX_SEGMENTS,
        .submit = ramdisk_submit,
        .wait = ramdisk_wait,
    };
    ramdisk.blocks = (machine.initrd_end - machine.initrd_start) / BLOCK_SIZE;
    if (ramdisk.blocks == 0)
        return;
    ramdisk.driver = phys_to_virt(machine.initrd_start);
    block_register(&ramdisk);
}
