// Requests for a block device, one or many at a time: block.h is the contract.

#include "kernel/fs/block.h"

void block_list_add(struct block_list *list, uint64_t block, void *page)
{
    struct block_request *last = list->count ? &list->requests[list->count - 1] : NULL;
    if (!last || last->block + last->count != block || last->count == list->device->max_segments) {
        struct block_request *request = &list->requests[list->count++];
        *request = (struct block_request){
            .op = list->op, .block = block, .segments = &list->segments[list->blocks]};
        if (last)
            last->next = request;
        last = request;
    }
    last->count++;
    list->segments[list->blocks++] = (struct block_segment){page, BLOCK_SIZE};
}

int block_run(struct block_device *device, struct block_request *requests, unsigned count)
{
    int error = 0;
    if (count > 0)
        block_submit(device, requests);
    for (unsigned i = 0; i < count; i++) {
        int status = block_wait(device, &requests[i]);
        error = error ? error : status;
    }
    return error;
}

int block_transfer(struct block_device *device, enum block_op op, uint64_t block, void *page)
{
    struct block_segment segment = {page, BLOCK_SIZE};
    struct block_request request = {.op = op, .block = block, .segments = &segment, .count = 1};
    return block_do(device, &request);
}

int block_flush(struct block_device *device)
{
    struct block_request request = {.op = BLOCK_FLUSH};
    return block_do(device, &request);
}
