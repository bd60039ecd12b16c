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

static void add_create(struct gpu_batch *batch, uint32_t id, uint32_t width, uint32_t height)
{
    struct virtio_gpu_create_2d *create =
        gpu_batch_add(batch, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, sizeof(*create));
    create->resource_id = id;
    create->format = VIRTIO_GPU_FORMAT_B8G8R8X8;
    create->width = width;
    create->height = height;
}

static void add_backing(struct gpu_batch *batch, uint32_t id, void *pixels, uint32_t bytes)
{
    struct virtio_gpu_attach_backing *attach =
        gpu_batch_add(batch, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, sizeof(*attach));
    attach->resource_id = id;
    attach->nr_entries = 1;
    attach->addr = virt_to_phys(pixels);
    attach->length = bytes;
}

// The size is an argument because gpu.width and gpu.height are the old mode's during a change.
static void add_scanout(struct gpu_batch *batch, uint32_t id, uint32_t width, uint32_t height)
{
    struct virtio_gpu_set_scanout *scanout =
        gpu_batch_add(batch, VIRTIO_GPU_CMD_SET_SCANOUT, sizeof(*scanout));
    scanout->rect = (struct virtio_gpu_rect){0, 0, width, height};
    scanout->scanout_id = SCANOUT;
    scanout->resource_id = id;
}

static struct virtio_gpu_rect as_gpu_rect(const struct fb_rect *rect)
{
    return (struct virtio_gpu_rect){rect->x, rect->y, rect->width, rect->height};
}

static void add_transfer(struct gpu_batch *batch, uint32_t id, const struct fb_rect *rect)
{
    struct virtio_gpu_transfer *transfer =
        gpu_batch_add(batch, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, sizeof(*transfer));
    transfer->rect = as_gpu_rect(rect);
    transfer->offset = (uint64_t)rect->y * gpu.stride + rect->x * sizeof(uint32_t);
    transfer->resource_id = id;
}

static void add_flush(struct gpu_batch *batch, uint32_t id, const struct fb_rect *rect)
{
    struct virtio_gpu_flush *flush =
        gpu_batch_add(batch, VIRTIO_GPU_CMD_RESOURCE_FLUSH, sizeof(*flush));
    flush->rect = as_gpu_rect(rect);
    flush->resource_id = id;
}

static void forget_resources(uint32_t first, uint32_t count)
{
    if (count == 0)
        return;
    struct gpu_batch *batch = gpu_batch_next();
    for (uint32_t i = 0; i < count; i++) {
        struct virtio_gpu_unref *unref =
            gpu_batch_add(batch, VIRTIO_GPU_CMD_RESOURCE_UNREF, sizeof(*unref));
        unref->resource_id = first + i;
    }
    gpu_batch_run(batch);
}

// Asks which size the display has: VIRTIO_GPU_CMD_GET_DISPLAY_INFO, a header and nothing else, which
// the device answers with VIRTIO_GPU_RESP_OK_DISPLAY_INFO into gpu.display (gpu_batch_expect()).
// Sets gpu.display_width and gpu.display_height from the entry of SCANOUT. What was known stays if
// the command fails or the entry is not enabled.
static void ask_display(void)
{
    struct gpu_batch *batch = gpu_batch_next();
    gpu_batch_add(batch, VIRTIO_GPU_CMD_GET_DISPLAY_INFO, sizeof(struct virtio_gpu_header));
    gpu_batch_expect(batch, gpu.display, sizeof(*gpu.display), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    if (gpu_batch_run(batch) || !gpu.display->modes[SCANOUT].enabled)
        return;
    gpu.display_width = gpu.display->modes[SCANOUT].rect.width;
    gpu.display_height = gpu.display->modes[SCANOUT].rect.height;
}

// ---- modes ----

static void put_pixels(char *first, uint64_t pages)
{
    for (uint64_t i = 0; i < pages; i++)
        page_put(first + i * PAGE_SIZE);
}

// Makes one resource with its backing. Leaves nothing on the device if it fails.
static int make_resource(uint32_t id, void *pixels, uint32_t width, uint32_t height, uint32_t bytes)
{
    struct gpu_batch *batch = gpu_batch_next();
    add_create(batch, id, width, height);
    int error = gpu_batch_run(batch);
    if (error)
        return error;

    batch = gpu_batch_next();
    add_backing(batch, id, pixels, bytes);
    error = gpu_batch_run(batch);
    if (error)
        forget_resources(id, 1);
    return error;
}

// Makes the resources `first` and `first` + 1, of width x height pixels, for the two buffers of
// buffer_bytes each that lie at `pixels` one after the other, and shows the first of them. Once they
// are shown, the device is to forget the two of the old mode, gpu.resource[0] and [1], if there is
// one (gpu.pixels is NULL if not). The caller sees to everything else in `gpu`.
//
// If a command fails the old mode stays as it is, the device forgets what it has made of the new
// one, and the error is returned; otherwise 0. All commands have been answered when this returns,
// for then the memory of the one mode or of the other is given away.
static int change_resources(uint32_t first, char *pixels, uint32_t width, uint32_t height,
                            uint32_t buffer_bytes)
{
    uint32_t made = 0;
    int error = 0;

    while (!error && made < FB_BUFFERS) {
        error = make_resource(first + made, pixels + (uint64_t)made * buffer_bytes, width, height,
                              buffer_bytes);
        if (!error)
            made++;
    }
    // Only now: a scanout in the batch of a failed create would still be carried out.
    if (!error) {
        struct gpu_batch *batch = gpu_batch_next();
        add_scanout(batch, first, width, height);
        error = gpu_batch_run(batch);
    }
    if (error) {
        forget_resources(first, made);
        return error;
    }
    // The new mode is on the display; what the device says to this changes nothing any more.
    if (gpu.pixels)
        for (uint32_t i = 0; i < FB_BUFFERS; i++)
            forget_resources(gpu.resource[i], 1);
    return 0;
}

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

// Shows present->nrects rectangles, which lie inside the picture, of buffer present->buffer. Each is
// transferred to that buffer's resource, and then flushed. One batch, hence one kick, and one
// rectangle's pixels for each rectangle: a present costs what it changes. All transfers come first,
// so that neither a half-new nor an old picture is ever seen; then, if the display shows the other
// buffer's resource (gpu.shown says which; keep it true), SET_SCANOUT; then the flushes.
//
// The batch is sent as a present (gpu_batch_send(..., true)). With FB_ASYNC in present->flags that
// is all: the result is 0. Otherwise the result is the batch's error or 0, and every batch is done
// when this returns, so that both buffers are the caller's again.
static int gpu_present(const struct fb_present *present)
{
    uint32_t id = gpu.resource[present->buffer];
    struct gpu_batch *batch = gpu_batch_next();

    for (uint32_t i = 0; i < present->nrects; i++)
        add_transfer(batch, id, &present->rects[i]);
    if (gpu.shown != present->buffer) {
        add_scanout(batch, id, gpu.width, gpu.height);
        gpu.shown = present->buffer;
    }
    for (uint32_t i = 0; i < present->nrects; i++)
        add_flush(batch, id, &present->rects[i]);

    gpu_batch_send(batch, true);
    if (present->flags & FB_ASYNC)
        return 0;
    int error = gpu_batch_finish(batch);
    // An asynchronous one of before; its error is for gpu_wait_presents() to tell.
    gpu_batch_finish_all();
    return error;
}

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
