// Batches of GPU commands. All commands of a batch go to the device with one kick. The device
// carries out and answers each one, also those behind a command that failed. The batch has one
// error: that of the first command that failed. A line on the console says which command the device
// refused.
//
// There are two batches, used in turn, so at most two are in flight. Only one process at a time may
// call these functions: dev/fb.c holds a mutex. Waiting polls first, then sleeps.

#ifndef RINGFENCE_GPU_BATCH_H
#define RINGFENCE_GPU_BATCH_H

#include "kernel/abi.h"
#include "kernel/lib.h"

// One TRANSFER and one FLUSH for each rectangle, and a SET_SCANOUT.
#define GPU_BATCH_COMMANDS (2 * FB_MAX_RECTS + 1)

struct gpu_batch;

// Finds the device and sets it up. Returns 0, or a negative E number. Prints a line if the device
// is there but cannot be used.
int gpu_batch_init(void);

// Returns an empty batch. Fill it, send it, and finish it if you need its error. Waits if both
// batches are with the device. May sleep.
struct gpu_batch *gpu_batch_next(void);

// Adds a command of `size` bytes and returns it: the type is set in its header, the rest is zero
// and yours to fill in. The limits are 64 bytes and GPU_BATCH_COMMANDS commands. The command
// succeeds if the device answers VIRTIO_GPU_RESP_OK_NODATA.
void *gpu_batch_add(struct gpu_batch *batch, uint32_t type, uint32_t size);

// Changes how the device answers the command added last: with `size` bytes at `response`, which
// must lie in the direct map, and with `type` in their header for success.
void gpu_batch_expect(struct gpu_batch *batch, void *response, uint32_t size, uint32_t type);

// Gives the batch to the device, with one kick, and returns. If the queue has no room for it beside
// the other batch, it first waits, and may sleep. If `present` is set, a batch that succeeds counts
// as a present.
void gpu_batch_send(struct gpu_batch *batch, bool present);
// Waits until a batch that was sent is done; may sleep. Returns 0, -EIO, -ETIMEDOUT, or what the
// device reported: -ENOMEM, -EINVAL.
int gpu_batch_finish(struct gpu_batch *batch);
// Sends and finishes.
int gpu_batch_run(struct gpu_batch *batch);

// Waits for both batches. Keeps the error of a batch that you have not finished.
void gpu_batch_finish_all(void);
// Returns the last error that was kept, or 0, and forgets it.
int gpu_batch_late_error(void);

uint64_t gpu_batch_presents(void); // presents that succeeded since boot

#endif
