// The GPU device (VirtIO 1.2, 5.7), two-dimensional, as the driver behind /dev/fb0.
//
// The picture lies twice in our memory: two buffers, so that one can be drawn while the other is
// shown. For each, the device holds a resource, an image of its own to which TRANSFER copies pixels
// from the buffer. SET_SCANOUT says which resource the display shows, FLUSH that a part of it has
// changed.
//
// Commands go out in batches: all are added, published once and kicked once. A present is one
// batch; two may be in flight. dev/fb.c calls one function at a time, and queue.lock guards what
// completions change.

#include "kernel/abi.h"
#include "kernel/dev/dev.h"
#include "kernel/mm/page.h"
#include "kernel/proc/proc.h"
#include "kernel/virtio/barrier.h"
#include "kernel/virtio/drivers.h"
#include "kernel/virtio/queue.h"
#include "kernel/virtio/virtio.h"

#define BATCHES 2
#define BATCH_COMMANDS (2 * FB_MAX_RECTS + 1) // TRANSFER and FLUSH of each rectangle, SET_SCANOUT
#define QUEUE_SIZE 256
#define SCANOUT 0

_Static_assert(2 * BATCHES * BATCH_COMMANDS <= QUEUE_SIZE, "two descriptors a command");

// A command and its response, where the device can reach them.
struct gpu_dma {
    uint8_t command[64] __attribute__((aligned(8)));
    struct virtio_gpu_header response;
};

struct gpu_batch;

// The token of a command's chain.
struct gpu_command {
    struct gpu_batch *batch;
    struct virtq_buf out, in;
    const struct virtio_gpu_header *response;
    uint32_t expected; // type of the response that means success
};

struct gpu_batch {
    struct gpu_dma *dma;
    struct gpu_command commands[BATCH_COMMANDS];
    unsigned count;   // filled in
    unsigned pending; // with the device; guarded by queue.lock, as the two below
    int error;        // the first that failed
    bool present;     // counts as one when done
};

static struct {
    struct virtio_device device;
    struct virtio_queue queue;
    struct wait_queue sleepers;
    struct gpu_batch batch[BATCHES];
    unsigned next_batch;
    int late_error; // of an asynchronous present, for FB_WAIT to report
    uint64_t presents;
    struct virtio_gpu_display_info *display;
    uint32_t display_width, display_height;

    // The mode; `pixels` is NULL while there is none.
    uint32_t width, height, stride, buffer_bytes;
    void *pixels;
    uint64_t pages;
    uint32_t resource[FB_BUFFERS];
    uint32_t shown;         // the buffer that SET_SCANOUT named last
    uint32_t next_resource; // ids are never used twice
} gpu;

// ---- batches of commands ----

// Adds a command of `size` bytes to the batch and returns it, zeroed but for its type, to be filled
// in.
static void *add_command(struct gpu_batch *batch, uint32_t type, uint32_t size)
{
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

// Hands the whole batch to the device with one kick, without waiting.
static void send(struct gpu_batch *batch)
{
    virtio_queue_lock(&gpu.queue);
    for (unsigned i = 0; i < batch->count && !batch->error; i++) {
        struct gpu_command *command = &batch->commands[i];
        batch->error = virtq_add(&gpu.queue.vq, &command->out, 1, &command->in, 1, command);
        if (!batch->error)
            batch->pending++;
    }
    virtq_publish(&gpu.queue.vq);
    virtq_kick(&gpu.queue.vq);
    virtio_queue_unlock(&gpu.queue);
}

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

static void gpu_complete(struct virtio_queue *queue, void *token, long result)
{
    struct gpu_command *command = token;
    struct gpu_batch *batch = command->batch;
    int error = response_error(command, result);
    (void)queue;
    if (error && !batch->error)
        batch->error = error;
    if (--batch->pending > 0)
        return;
    if (batch->present && !batch->error)
        gpu.presents++;
    wake_all(&gpu.sleepers);
}

// Waits until the device is done with the batch and empties it for reuse; its error.
static int finish(struct gpu_batch *batch)
{
    virtio_queue_lock(&gpu.queue);
    while (batch->pending > 0)
        virtio_queue_wait(&gpu.queue, &gpu.sleepers);
    virtio_queue_unlock(&gpu.queue);
    int error = batch->error;
    batch->count = 0;
    batch->error = 0;
    batch->present = false;
    return error;
}

// Makes a batch free that may still be with the device, sent without waiting: its error is kept for
// FB_WAIT.
static void settle(struct gpu_batch *batch)
{
    int error = batch->count > 0 ? finish(batch) : 0;
    if (error)
        gpu.late_error = error;
}

// The next batch to fill: they take turns.
static struct gpu_batch *next_batch(void)
{
    struct gpu_batch *batch = &gpu.batch[gpu.next_batch++ % BATCHES];
    settle(batch);
    return batch;
}

static void settle_all(void)
{
    for (unsigned i = 0; i < BATCHES; i++)
        settle(&gpu.batch[i]);
}

static int run(struct gpu_batch *batch)
{
    send(batch);
    return finish(batch);
}

// ---- the commands (5.7.6.8) ----

static void create_resource(struct gpu_batch *batch, uint32_t id, uint32_t width, uint32_t height)
{
    struct virtio_gpu_create_2d *c =
        add_command(batch, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, sizeof(*c));
    c->resource_id = id;
    c->format = VIRTIO_GPU_FORMAT_B8G8R8X8;
    c->width = width;
    c->height = height;
}

static void attach_backing(struct gpu_batch *batch, uint32_t id, const void *memory, uint32_t bytes)
{
    struct virtio_gpu_attach_backing *c =
        add_command(batch, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, sizeof(*c));
    c->resource_id = id;
    c->nr_entries = 1;
    c->addr = virt_to_phys(memory);
    c->length = bytes;
}

static void unref_resource(struct gpu_batch *batch, uint32_t id)
{
    struct virtio_gpu_unref *c = add_command(batch, VIRTIO_GPU_CMD_RESOURCE_UNREF, sizeof(*c));
    c->resource_id = id;
}

static void set_scanout(struct gpu_batch *batch, uint32_t id, uint32_t width, uint32_t height)
{
    struct virtio_gpu_set_scanout *c = add_command(batch, VIRTIO_GPU_CMD_SET_SCANOUT, sizeof(*c));
    c->rect = (struct virtio_gpu_rect){0, 0, width, height};
    c->scanout_id = SCANOUT;
    c->resource_id = id;
}

// Copies the rectangle from the buffer to the resource. The offset is that of its first pixel in
// the buffer; from there on the device steps by whole rows of the picture.
static void transfer(struct gpu_batch *batch, uint32_t id, const struct fb_rect *rect)
{
    struct virtio_gpu_transfer *c =
        add_command(batch, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, sizeof(*c));
    c->rect = (struct virtio_gpu_rect){rect->x, rect->y, rect->width, rect->height};
    c->offset = (uint64_t)rect->y * gpu.stride + rect->x * sizeof(uint32_t);
    c->resource_id = id;
}

static void flush(struct gpu_batch *batch, uint32_t id, const struct fb_rect *rect)
{
    struct virtio_gpu_flush *c = add_command(batch, VIRTIO_GPU_CMD_RESOURCE_FLUSH, sizeof(*c));
    c->rect = (struct virtio_gpu_rect){rect->x, rect->y, rect->width, rect->height};
    c->resource_id = id;
}

// Asks which size the display has. Unknown (0) if the device does not say.
static void ask_display(void)
{
    struct gpu_batch *batch = next_batch();
    add_command(batch, VIRTIO_GPU_CMD_GET_DISPLAY_INFO, sizeof(struct virtio_gpu_header));
    struct gpu_command *command = &batch->commands[0];
    memset(gpu.display, 0, sizeof(*gpu.display));
    command->in = (struct virtq_buf){virt_to_phys(gpu.display), sizeof(*gpu.display)};
    command->response = &gpu.display->header;
    command->expected = VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
    if (run(batch) == 0 && gpu.display->modes[SCANOUT].enabled) {
        gpu.display_width = gpu.display->modes[SCANOUT].rect.width;
        gpu.display_height = gpu.display->modes[SCANOUT].rect.height;
    }
}

// ---- modes ----

static void put_pixels(char *first, uint64_t pages)
{
    for (uint64_t i = 0; first && i < pages; i++)
        page_put(first + i * PAGE_SIZE);
}

// Has the device forget both resources, first and first+1. One that it never made is an error
// without consequence.
static void drop_resources(uint32_t first)
{
    struct gpu_batch *batch = next_batch();
    for (unsigned i = 0; i < FB_BUFFERS; i++)
        unref_resource(batch, first + i);
    run(batch);
}

// Makes the resources first and first+1 for the two buffers at `pixels` and shows the first.
static int make_resources(uint32_t first, char *pixels, uint32_t width, uint32_t height,
                          uint32_t buffer_bytes)
{
    struct gpu_batch *batch = next_batch();
    for (unsigned i = 0; i < FB_BUFFERS; i++) {
        create_resource(batch, first + i, width, height);
        attach_backing(batch, first + i, pixels + i * buffer_bytes, buffer_bytes);
    }
    int error = run(batch);
    if (error)
        return error;
    batch = next_batch();
    set_scanout(batch, first, width, height);
    return run(batch);
}

// Every change of mode gives fresh, black buffers, even one to the same size. The old ones stay
// with those who have mapped them; if anything fails, the old mode stays.
static int gpu_set_mode(uint32_t width, uint32_t height)
{
    uint32_t stride = width * sizeof(uint32_t), first = gpu.next_resource;
    uint32_t buffer_bytes = ALIGN_UP(stride * height, (uint32_t)PAGE_SIZE);
    uint64_t pages = FB_BUFFERS * (uint64_t)buffer_bytes / PAGE_SIZE;
    char *pixels = page_alloc_contiguous(pages);
    if (!pixels)
        return -ENOMEM;
    memset(pixels, 0, pages * PAGE_SIZE);

    settle_all();
    gpu.next_resource += FB_BUFFERS;
    int error = make_resources(first, pixels, width, height, buffer_bytes);
    if (error) {
        drop_resources(first);
        put_pixels(pixels, pages);
        return error;
    }
    if (gpu.pixels) {
        drop_resources(gpu.resource[0]);
        put_pixels(gpu.pixels, gpu.pages);
    }
    gpu.width = width;
    gpu.height = height;
    gpu.stride = stride;
    gpu.buffer_bytes = buffer_bytes;
    gpu.pixels = pixels;
    gpu.pages = pages;
    for (unsigned i = 0; i < FB_BUFFERS; i++)
        gpu.resource[i] = first + i;
    gpu.shown = 0;
    ask_display();
    return 0;
}

static void *gpu_pixels(uint64_t *pages)
{
    *pages = gpu.pages;
    return gpu.pixels;
}

static void gpu_info(struct fb_info *info)
{
    virtio_queue_lock(&gpu.queue);
    *info = (struct fb_info){
        .width = gpu.width,
        .height = gpu.height,
        .stride = gpu.stride,
        .buffer_bytes = gpu.buffer_bytes,
        .display_width = gpu.display_width,
        .display_height = gpu.display_height,
        .presents = gpu.presents,
    };
    virtio_queue_unlock(&gpu.queue);
}

// ---- presents ----

// FB_WAIT: every present so far is done. Reports what failed since the last one.
static int gpu_wait(void)
{
    settle_all();
    int error = gpu.late_error;
    gpu.late_error = 0;
    return error;
}

// All transfers come first, so that the flushes, which follow without a pause, show a whole
// picture. A present that waits, waits for the one before it too: then both buffers are the
// caller's again.
static int gpu_present(const struct fb_present *present)
{
    uint32_t id = gpu.resource[present->buffer];
    struct gpu_batch *batch = next_batch();
    for (uint32_t i = 0; i < present->nrects; i++)
        transfer(batch, id, &present->rects[i]);
    if (gpu.shown != present->buffer)
        set_scanout(batch, id, gpu.width, gpu.height);
    for (uint32_t i = 0; i < present->nrects; i++)
        flush(batch, id, &present->rects[i]);
    gpu.shown = present->buffer;
    batch->present = true;
    send(batch);
    if (present->flags & FB_ASYNC)
        return 0;
    int error = finish(batch);
    settle_all();
    return error;
}

// ---- at boot ----

static bool init_memory(void)
{
    // A batch's commands fill two pages at most; the display information has one of its own.
    _Static_assert(BATCH_COMMANDS * sizeof(struct gpu_dma) <= 2 * PAGE_SIZE, "");
    _Static_assert(sizeof(struct virtio_gpu_display_info) <= PAGE_SIZE, "");
    char *memory = page_alloc_contiguous(2 * BATCHES + 1);
    if (!memory)
        return false;
    for (unsigned i = 0; i < BATCHES; i++)
        gpu.batch[i].dma = (struct gpu_dma *)(memory + i * 2 * PAGE_SIZE);
    gpu.display = (struct virtio_gpu_display_info *)(memory + BATCHES * 2 * PAGE_SIZE);
    return true;
}

void gpu_init(void)
{
    static const struct fb_driver gpu_driver = {
        .info = gpu_info,
        .set_mode = gpu_set_mode,
        .present = gpu_present,
        .wait = gpu_wait,
        .pixels = gpu_pixels,
    };
    if (virtio_find(&gpu.device, VIRTIO_ID_GPU, "gpu0") < 0 ||
        virtio_negotiate(&gpu.device, 0) < 0 ||
        virtio_queue_create(&gpu.queue, &gpu.device, VIRTIO_GPU_QUEUE_CONTROL, QUEUE_SIZE,
                            "gpu0.control", gpu_complete, NULL) < 0)
        return;
    bool room = gpu.queue.vq.size >= 2 * BATCHES * BATCH_COMMANDS;
    if (!room || !init_memory()) {
        kprintf("gpu0: %s\n", room ? "no memory" : "queue too small");
        virtio_failed(&gpu.device);
        return;
    }
    gpu.next_resource = 1; // 0 means none (5.7.6.8)
    virtio_driver_ok(&gpu.device);
    fb_register(&gpu_driver);
}
