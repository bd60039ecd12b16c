// Batches of GPU commands: all of a batch go to the device under one kick, each is carried out and
// answered, and the batch has one error, that of the first command that failed. A command that
// fails does not keep the device from those after it. The console says which was refused.
//
// There are two batches, which take turns, so at most two are in flight. The callers see to it that
// one process at a time is in here (dev/fb.c holds a mutex). Waiting polls, then sleeps.

#ifndef RINGFENCE_GPU_BATCH_H
#define RINGFENCE_GPU_BATCH_H

#include "kernel/abi.h"
#include "kernel/lib.h"

// TRANSFER and FLUSH of each rectangle, and SET_SCANOUT.
#define GPU_BATCH_COMMANDS (2 * FB_MAX_RECTS + 1)

struct gpu_batch;

// Finds the device and sets it up. 0, or a negative E number (after a line, unless it is just
// absent).
int gpu_batch_init(void);

// An empty batch to be filled, sent and, unless it may fail unseen, finished. Waits if both are
// with the device.
struct gpu_batch *gpu_batch_next(void);

// Adds a command of `size` bytes (at most 64; at most GPU_BATCH_COMMANDS commands) and returns it,
// zeroed but for the type in its header, to be filled in. Success is VIRTIO_GPU_RESP_OK_NODATA.
void *gpu_batch_add(struct gpu_batch *batch, uint32_t type, uint32_t size);

// The command added last is answered by `size` bytes into `response`, in the direct map, and the
// type that means success is `type`.
void gpu_batch_expect(struct gpu_batch *batch, void *response, uint32_t size, uint32_t type);

// Hands the batch to the device and returns. Waits first if the queue has no room for it beside the
// other batch: so each batch is one kick. A `present` is counted when it has succeeded.
void gpu_batch_send(struct gpu_batch *batch, bool present);
// Waits until a batch that was sent is done: 0, -ENOMEM, -EINVAL (says the device), -EIO or
// -ETIMEDOUT.
int gpu_batch_finish(struct gpu_batch *batch);
// Both.
int gpu_batch_run(struct gpu_batch *batch);

// Waits for every batch. The errors of those that nobody finished are kept:
void gpu_batch_finish_all(void);
// the last of them since the last call, or 0.
int gpu_batch_late_error(void);

uint64_t gpu_batch_presents(void); // succeeded since boot

#endif
