// Batches of GPU commands: gpu_batch.h is the contract.

#include "kernel/virtio/gpu_batch.h"

#include "kernel/mm/page.h"
#include "kernel/proc/proc.h"
#include "kernel/virtio/barrier.h"
#include "kernel/virtio/gpu_wait.h"
#include "kernel/virtio/queue.h"
#include "kernel/virtio/virtio.h"

#define BATCHES 2
#define BATCH_PAGES 2 // for the commands of one
#define QUEUE_SIZE 64 // what QEMU's device has; up to QEMU 10 it lets a driver ask for more
#define QUEUE_NEEDED (2 * GPU_BATCH_COMMANDS) // two descriptors a command

_Static_assert(QUEUE_NEEDED <= QUEUE_SIZE, "an empty queue has room for a whole batch");

// A command and its response, where the device can reach them.
struct gpu_dma {
    uint8_t command[64] __attribute__((aligned(8)));
    struct virtio_gpu_header response;
};

// The token of a command's chain.
struct gpu_command {
    struct gpu_batch *batch;
    struct virtq_buf out, in;
    const struct virtio_gpu_header *response;
    uint32_t expected; // type of the response that means success
};

struct gpu_batch {
    struct gpu_dma *dma;
    struct gpu_command commands[GPU_BATCH_COMMANDS];
    unsigned count; // filled in; 0 once finished
    bool present;
    unsigned pending; // with the device; guarded by queue.lock, as `error`
    int error;        // the first
};

static struct {
    struct virtio_device device;
    struct virtio_queue queue;
    struct wait_queue sleepers;
    uint64_t presents; // guarded by queue.lock
    struct gpu_batch batch[BATCHES];
    unsigned next_batch;
    int late_error;
    uint32_t refused, refusal; // command and answer that the console has named last
} gpu_control;

// ---- filling and sending ----

void *gpu_batch_add(struct gpu_batch *batch, uint32_t type, uint32_t size)
{
    if (batch->count == GPU_BATCH_COMMANDS || size > sizeof(batch->dma->command))
        panic("gpu0: a batch holds %d commands of at most %lu bytes", GPU_BATCH_COMMANDS,
              sizeof(batch->dma->command));
    struct gpu_dma *dma = &batch->dma[batch->count];
    struct virtio_gpu_header *header = (struct virtio_gpu_header *)dma->command;
    batch->commands[batch->count++] = (struct gpu_command){
        .batch = batch,
        .out = {virt_to_phys(dma->command), size},
        .in = {virt_to_phys(&dma->response), sizeof(dma->response)},
        .response = &dma->response,
        .expected = VIRTIO_GPU_RESP_OK_NODATA,
    };
    memset(dma, 0, sizeof(*dma));
    header->type = type;
    return header;
}

void gpu_batch_expect(struct gpu_batch *batch, void *response, uint32_t size, uint32_t type)
{
    struct gpu_command *command = &batch->commands[batch->count - 1];
    memset(response, 0, size);
    command->in = (struct virtq_buf){virt_to_phys(response), size};
    command->response = response;
    command->expected = type;
}

void gpu_batch_send(struct gpu_batch *batch, bool present)
{
    struct virtq *virtq = &gpu_control.queue.virtq;
    virtio_queue_lock(&gpu_control.queue);
    // The other batch may take up the room that this one needs.
    while (virtq->in_flight > 0 && virtq->free_count < 2 * batch->count)
        gpu_wait(&gpu_control.queue, &gpu_control.sleepers);
    batch->present = present;
    for (unsigned i = 0; i < batch->count && !batch->error; i++) {
        struct gpu_command *command = &batch->commands[i];
        batch->error = virtq_add(virtq, &command->out, 1, &command->in, 1, command);
        if (!batch->error)
            batch->pending++;
    }
    virtq_publish(virtq);
    virtq_kick(virtq);
    virtio_queue_unlock(&gpu_control.queue);
}

// ---- completion ----

static int response_error(const struct gpu_command *command, long result)
{
    uint32_t type = READ_ONCE(command->response->type);
    if (result < 0)
        return result;
    if (type == command->expected)
        return 0;
    if (type == VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY)
        return -ENOMEM;
    return type == VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER ? -EINVAL : -EIO;
}

static const char *command_name(uint32_t type)
{
    static const char *const names[] = {
        "GET_DISPLAY_INFO", "RESOURCE_CREATE_2D",  "RESOURCE_UNREF",          "SET_SCANOUT",
        "RESOURCE_FLUSH",   "TRANSFER_TO_HOST_2D", "RESOURCE_ATTACH_BACKING",
    };
    uint32_t index = type - VIRTIO_GPU_CMD_GET_DISPLAY_INFO;
    return index < sizeof(names) / sizeof(names[0]) ? names[index] : "a command";
}

// Tells of a refusal on the console, but not a thousand times of the same.
static void say_refused(const struct gpu_batch *batch, const struct gpu_command *command)
{
    const struct gpu_dma *dma = &batch->dma[command - batch->commands];
    uint32_t type = ((const struct virtio_gpu_header *)dma->command)->type;
    uint32_t answer = READ_ONCE(command->response->type);
    if (type != gpu_control.refused || answer != gpu_control.refusal)
        kprintf("gpu0: %s was answered 0x%x\n", command_name(type), answer);
    gpu_control.refused = type;
    gpu_control.refusal = answer;
}

static void gpu_complete(struct virtio_queue *queue, void *token, long result)
{
    struct gpu_command *command = token;
    struct gpu_batch *batch = command->batch;
    int error = response_error(command, result);
    (void)queue;
    if (error && result >= 0)
        say_refused(batch, command);
    if (error && !batch->error)
        batch->error = error;
    if (--batch->pending > 0)
        return;
    if (batch->present && !batch->error)
        gpu_control.presents++;
    wake_all(&gpu_control.sleepers);
}

int gpu_batch_finish(struct gpu_batch *batch)
{
    virtio_queue_lock(&gpu_control.queue);
    while (batch->pending > 0)
        gpu_wait(&gpu_control.queue, &gpu_control.sleepers);
    int error = batch->error;
    batch->error = 0;
    batch->count = 0;
    virtio_queue_unlock(&gpu_control.queue);
    return error;
}

int gpu_batch_run(struct gpu_batch *batch)
{
    gpu_batch_send(batch, false);
    return gpu_batch_finish(batch);
}

// Finishes a batch if nobody has.
static void finish_if_sent(struct gpu_batch *batch)
{
    int error = batch->count > 0 ? gpu_batch_finish(batch) : 0;
    if (error)
        gpu_control.late_error = error;
}

struct gpu_batch *gpu_batch_next(void)
{
    struct gpu_batch *batch = &gpu_control.batch[gpu_control.next_batch++ % BATCHES];
    finish_if_sent(batch);
    return batch;
}

void gpu_batch_finish_all(void)
{
    for (unsigned i = 0; i < BATCHES; i++)
        finish_if_sent(&gpu_control.batch[i]);
}

int gpu_batch_late_error(void)
{
    int error = gpu_control.late_error;
    gpu_control.late_error = 0;
    return error;
}

uint64_t gpu_batch_presents(void)
{
    virtio_queue_lock(&gpu_control.queue);
    uint64_t presents = gpu_control.presents;
    virtio_queue_unlock(&gpu_control.queue);
    return presents;
}

// ---- at boot ----

static int init_memory(void)
{
    _Static_assert(GPU_BATCH_COMMANDS * sizeof(struct gpu_dma) <= BATCH_PAGES * PAGE_SIZE, "");
    char *memory = page_alloc_contiguous(BATCHES * BATCH_PAGES);
    if (!memory)
        return -ENOMEM;
    for (unsigned i = 0; i < BATCHES; i++)
        gpu_control.batch[i].dma = (struct gpu_dma *)(memory + i * BATCH_PAGES * PAGE_SIZE);
    return 0;
}

int gpu_batch_init(void)
{
    int error = virtio_find(&gpu_control.device, VIRTIO_ID_GPU, "gpu0");
    if (!error)
        error = virtio_negotiate(&gpu_control.device, 0);
    if (!error)
        error =
            virtio_queue_create(&gpu_control.queue, &gpu_control.device, VIRTIO_GPU_QUEUE_CONTROL,
                                QUEUE_SIZE, "gpu0.control", gpu_complete, NULL);
    if (error)
        return error;
    error = gpu_control.queue.virtq.size < QUEUE_NEEDED ? -EINVAL : init_memory();
    if (error) {
        kprintf("gpu0: %s\n", error == -EINVAL ? "queue too small" : "no memory");
        virtio_failed(&gpu_control.device);
        return error;
    }
    virtio_driver_ok(&gpu_control.device);
    return 0;
}
