// The GPU device (VirtIO 1.2, 5.7), two-dimensional, as the driver behind /dev/fb0.
//
// The picture lies twice in our memory: two buffers, so that one can be drawn while the other is
// shown. For each, the device holds a resource, an image of its own to which TRANSFER copies pixels
// from the buffer. SET_SCANOUT says which resource the display shows, FLUSH that a part of it has
// changed.
//
// dev/fb.c calls one of these functions at a time; so nothing here needs a lock.

#include "kernel/abi.h"
#include "kernel/dev/dev.h"
#include "kernel/mm/page.h"
#include "kernel/virtio/drivers.h"
#include "kernel/virtio/gpu_batch.h"
#include "kernel/virtio/virtio.h"

#define SCANOUT 0

static struct {
    struct virtio_gpu_display_info *display; // a page, for the device to answer into
    uint32_t display_width, display_height;

    // The mode; `pixels` is NULL while there is none.
    uint32_t width, height, stride, buffer_bytes;
    void *pixels;
    uint64_t pages;
    uint32_t resource[FB_BUFFERS];
    uint32_t shown;         // the buffer that SET_SCANOUT named last
    uint32_t next_resource; // ids are never used twice; 0 means none (5.7.6.8)
} gpu = {.next_resource = 1};

// ---- the commands (5.7.6.8) ----

#if SOLVED_GPU
static void create_resource(struct gpu_batch *batch, uint32_t id, uint32_t width, uint32_t height)
{
    struct virtio_gpu_create_2d *c =
        gpu_batch_add(batch, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, sizeof(*c));
    c->resource_id = id;
    c->format = VIRTIO_GPU_FORMAT_B8G8R8X8;
    c->width = width;
    c->height = height;
}

static void attach_backing(struct gpu_batch *batch, uint32_t id, const void *memory, uint32_t bytes)
{
    struct virtio_gpu_attach_backing *c =
        gpu_batch_add(batch, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, sizeof(*c));
    c->resource_id = id;
    c->nr_entries = 1;
    c->addr = virt_to_phys(memory);
    c->length = bytes;
}

static void unref_resource(struct gpu_batch *batch, uint32_t id)
{
    struct virtio_gpu_unref *c = gpu_batch_add(batch, VIRTIO_GPU_CMD_RESOURCE_UNREF, sizeof(*c));
    c->resource_id = id;
}

static void set_scanout(struct gpu_batch *batch, uint32_t id, uint32_t width, uint32_t height)
{
    struct virtio_gpu_set_scanout *c = gpu_batch_add(batch, VIRTIO_GPU_CMD_SET_SCANOUT, sizeof(*c));
    c->rect = (struct virtio_gpu_rect){0, 0, width, height};
    c->scanout_id = SCANOUT;
    c->resource_id = id;
}

// Copies the rectangle from the buffer to the resource. The offset is that of its first pixel in
// the buffer; from there on the device steps by whole rows of the picture.
static void transfer_rect(struct gpu_batch *batch, uint32_t id, const struct fb_rect *rect)
{
    struct virtio_gpu_transfer *c =
        gpu_batch_add(batch, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, sizeof(*c));
    c->rect = (struct virtio_gpu_rect){rect->x, rect->y, rect->width, rect->height};
    c->offset = (uint64_t)rect->y * gpu.stride + rect->x * sizeof(uint32_t);
    c->resource_id = id;
}

static void flush_rect(struct gpu_batch *batch, uint32_t id, const struct fb_rect *rect)
{
    struct virtio_gpu_flush *c = gpu_batch_add(batch, VIRTIO_GPU_CMD_RESOURCE_FLUSH, sizeof(*c));
    c->rect = (struct virtio_gpu_rect){rect->x, rect->y, rect->width, rect->height};
    c->resource_id = id;
}

// Asks which size the display has. What was known stays if the device does not say.
static void ask_display(void)
{
    struct gpu_batch *batch = gpu_batch_next();
    gpu_batch_add(batch, VIRTIO_GPU_CMD_GET_DISPLAY_INFO, sizeof(struct virtio_gpu_header));
    gpu_batch_expect(batch, gpu.display, sizeof(*gpu.display), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    if (gpu_batch_run(batch) == 0 && gpu.display->modes[SCANOUT].enabled) {
        gpu.display_width = gpu.display->modes[SCANOUT].rect.width;
        gpu.display_height = gpu.display->modes[SCANOUT].rect.height;
    }
}

#else
// A function for each command is a good beginning: it takes a batch, adds the command to it with
// gpu_batch_add(), and fills in what the structure in virtio.h asks for beyond the header. The six
// that a picture takes:
//
//   VIRTIO_GPU_CMD_RESOURCE_CREATE_2D       struct virtio_gpu_create_2d. The format is
//                                           VIRTIO_GPU_FORMAT_B8G8R8X8.
//   VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING  struct virtio_gpu_attach_backing. One entry: the
//                                           physical address and length of one buffer.
//   VIRTIO_GPU_CMD_SET_SCANOUT              struct virtio_gpu_set_scanout: SCANOUT shows the whole
//                                           of a resource.
//   VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D      struct virtio_gpu_transfer. Copies a rectangle from the
//                                           backing to the resource. `offset` is where, in bytes
//                                           from the start of the backing, its first pixel lies;
//                                           from there the device steps by whole rows of the
//                                           picture, gpu.stride bytes each.
//   VIRTIO_GPU_CMD_RESOURCE_FLUSH           struct virtio_gpu_flush. That rectangle of the resource
//                                           is to be seen now.
//   VIRTIO_GPU_CMD_RESOURCE_UNREF           struct virtio_gpu_unref. The device forgets the
//                                           resource, its pixels and its backing.

// Asks which size the display has: VIRTIO_GPU_CMD_GET_DISPLAY_INFO, a header and nothing else, which
// the device answers with VIRTIO_GPU_RESP_OK_DISPLAY_INFO into gpu.display (gpu_batch_expect()).
// Sets gpu.display_width and gpu.display_height from the entry of SCANOUT. What was known stays if
// the command fails or the entry is not enabled.
static void ask_display(void)
{
    lab_todo("lab 3: ask_display");
}
#endif // SOLVED_GPU

// ---- modes ----

static void put_pixels(char *first, uint64_t pages)
{
    for (uint64_t i = 0; i < pages; i++)
        page_put(first + i * PAGE_SIZE);
}

#if SOLVED_GPU
// Has the device forget both resources, first and first+1, and with them their memory. One that it
// never made is an error without consequence.
static void drop_resources(uint32_t first)
{
    struct gpu_batch *batch = gpu_batch_next();
    for (unsigned i = 0; i < FB_BUFFERS; i++)
        unref_resource(batch, first + i);
    gpu_batch_run(batch);
}

// Makes the resources first and first+1 for the two buffers at `pixels`, then shows the first.
static int make_resources(uint32_t first, char *pixels, uint32_t width, uint32_t height,
                          uint32_t buffer_bytes)
{
    struct gpu_batch *batch = gpu_batch_next();
    for (unsigned i = 0; i < FB_BUFFERS; i++) {
        create_resource(batch, first + i, width, height);
        attach_backing(batch, first + i, pixels + i * buffer_bytes, buffer_bytes);
    }
    int error = gpu_batch_run(batch);
    if (error)
        return error;
    batch = gpu_batch_next();
    set_scanout(batch, first, width, height);
    return gpu_batch_run(batch);
}

// Makes the new resources; then, if that went well, has the device forget the old ones.
static int change_resources(uint32_t first, char *pixels, uint32_t width, uint32_t height,
                            uint32_t buffer_bytes)
{
    int error = make_resources(first, pixels, width, height, buffer_bytes);
    if (error)
        drop_resources(first);
    else if (gpu.pixels)
        drop_resources(gpu.resource[0]);
    return error;
}
#else
// Makes the resources `first` and `first` + 1, of width x height pixels, for the two buffers of
// buffer_bytes each that lie at `pixels` one after the other, and shows the first of them. Once they
// are shown, the device is to forget the two of the old mode, gpu.resource[0] and [1], if there is
// one (gpu.pixels is NULL if not). What `gpu` says of the mode is the old one's still; the caller
// sees to that when this has returned 0.
//
// If a command up to SET_SCANOUT fails the old mode stays as it is, the device forgets what it has
// made of the new one, and the error is returned; otherwise 0, whatever RESOURCE_UNREF is answered.
// All commands have been answered when this returns, for then the memory of the one mode or of the
// other is given away.
static int change_resources(uint32_t first, char *pixels, uint32_t width, uint32_t height,
                            uint32_t buffer_bytes)
{
    (void)first, (void)pixels, (void)width, (void)height, (void)buffer_bytes;
    return lab_todo("lab 3: change_resources");
}
#endif // SOLVED_GPU

static void enter_mode(uint32_t first, void *pixels, uint64_t pages, uint32_t width,
                       uint32_t height, uint32_t buffer_bytes)
{
    gpu.width = width;
    gpu.height = height;
    gpu.stride = width * sizeof(uint32_t);
    gpu.buffer_bytes = buffer_bytes;
    gpu.pixels = pixels;
    gpu.pages = pages;
    gpu.resource[0] = first;
    gpu.resource[1] = first + 1;
    gpu.shown = 0;
}

// Every change of mode gives fresh, black buffers, even one to the same size. The old ones stay
// with those who have mapped them; if anything fails, the old mode stays.
static int gpu_set_mode(uint32_t width, uint32_t height)
{
    uint32_t first = gpu.next_resource;
    uint32_t bytes = ALIGN_UP(width * height * (uint32_t)sizeof(uint32_t), (uint32_t)PAGE_SIZE);
    uint64_t pages = FB_BUFFERS * (uint64_t)bytes / PAGE_SIZE;
    char *pixels = page_alloc_contiguous(pages);
    if (!pixels)
        return -ENOMEM;
    memset(pixels, 0, pages * PAGE_SIZE);

    gpu_batch_finish_all();
    gpu.next_resource += FB_BUFFERS;
    int error = change_resources(first, pixels, width, height, bytes);
    if (error) {
        put_pixels(pixels, pages);
        return error;
    }
    if (gpu.pixels)
        put_pixels(gpu.pixels, gpu.pages);
    enter_mode(first, pixels, pages, width, height, bytes);
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
    *info = (struct fb_info){
        .width = gpu.width,
        .height = gpu.height,
        .stride = gpu.stride,
        .buffer_bytes = gpu.buffer_bytes,
        .display_width = gpu.display_width,
        .display_height = gpu.display_height,
        .presents = gpu_batch_presents(),
    };
}

// ---- presents ----

#if SOLVED_GPU
#if SOLVED_FRAME_RATE || !SOLVED_WHEEL
// All transfers come first, so that the flushes, which follow without a pause, show a whole
// picture. A present that waits, waits for the one before it too: then both buffers are the
// caller's again.
static int gpu_present(const struct fb_present *present)
{
    uint32_t id = gpu.resource[present->buffer];
    struct gpu_batch *batch = gpu_batch_next();
    for (uint32_t i = 0; i < present->nrects; i++)
        transfer_rect(batch, id, &present->rects[i]);
    if (gpu.shown != present->buffer)
        set_scanout(batch, id, gpu.width, gpu.height);
    for (uint32_t i = 0; i < present->nrects; i++)
        flush_rect(batch, id, &present->rects[i]);
    gpu.shown = present->buffer;
    gpu_batch_send(batch, true);
    if (present->flags & FB_ASYNC)
        return 0;
    int error = gpu_batch_finish(batch);
    gpu_batch_finish_all();
    return error;
}
#else
// One command after the other, each answered before the next is sent; that is easy to follow in the
// trace. All transfers come first, so that the flushes show a whole picture.
static int gpu_present(const struct fb_present *present)
{
    uint32_t id = gpu.resource[present->buffer];
    int error = 0;
    for (uint32_t i = 0; i < present->nrects && !error; i++) {
        struct gpu_batch *batch = gpu_batch_next();
        transfer_rect(batch, id, &present->rects[i]);
        error = gpu_batch_run(batch);
    }
    if (gpu.shown != present->buffer && !error) {
        struct gpu_batch *batch = gpu_batch_next();
        set_scanout(batch, id, gpu.width, gpu.height);
        error = gpu_batch_run(batch);
        gpu.shown = present->buffer;
    }
    for (uint32_t i = 0; i < present->nrects && !error; i++) {
        struct gpu_batch *batch = gpu_batch_next();
        flush_rect(batch, id, &present->rects[i]);
        gpu_batch_send(batch, i + 1 == present->nrects);
        error = gpu_batch_finish(batch);
    }
    kprintf("gpu0: buffer %u, rows %u to %u presented\n", present->buffer, present->rects[0].y,
            present->rects[0].y + present->rects[0].height - 1);
    return error;
}
#endif // SOLVED_FRAME_RATE || !SOLVED_WHEEL
#else
// Shows present->nrects rectangles, which lie inside the picture, of buffer present->buffer. Each is
// transferred to that buffer's resource, and then flushed. One batch, hence one kick, and one
// rectangle's pixels for each rectangle: a present costs what it changes. All transfers come first,
// so that neither a half-new nor an old picture is ever seen; then, if the display shows the other
// buffer's resource, SET_SCANOUT; then the flushes. gpu.shown is the buffer that SET_SCANOUT named
// last, in a batch that was sent, whatever becomes of it; keep it so.
//
// The batch is sent as a present (gpu_batch_send(..., true)). With FB_ASYNC in present->flags that
// is all: the result is 0. Otherwise the result is the batch's error or 0, and every batch is done
// when this returns, so that both buffers are the caller's again.
static int gpu_present(const struct fb_present *present)
{
    (void)present;
    return lab_todo("lab 3: gpu_present");
}
#endif // SOLVED_GPU

// FB_WAIT: every present so far is done. Reports what failed of those that nobody waited for.
static int gpu_wait_presents(void)
{
    gpu_batch_finish_all();
    return gpu_batch_late_error();
}

// ---- at boot ----

void gpu_init(void)
{
    static const struct fb_driver gpu_driver = {
        .info = gpu_info,
        .set_mode = gpu_set_mode,
        .present = gpu_present,
        .wait = gpu_wait_presents,
        .pixels = gpu_pixels,
    };
    _Static_assert(sizeof(*gpu.display) <= PAGE_SIZE, "the answer fits a page");
    gpu.display = page_alloc();
    if (gpu.display && gpu_batch_init() == 0)
        fb_register(&gpu_driver);
    else if (gpu.display)
        page_put(gpu.display);
}
