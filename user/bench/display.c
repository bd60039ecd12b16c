// Benchmarks of the display: presenting the same picture, or drawing a picture and presenting it.

#include "user/bench/bench.h"

static int fb = -1;
static struct fb_info info, before;
static void *pixels = (void *)-1;

static const char *begin(uint32_t width, uint32_t height)
{
    struct fb_mode mode = {width, height};
    fb = open("/dev/fb0", O_RDWR);
    if (fb < 0 || ioctl(fb, FB_GET_INFO, &before) < 0)
        return "there is no display";
    const char *missing = NULL;
    if (ioctl(fb, FB_SET_MODE, &mode) < 0 || ioctl(fb, FB_GET_INFO, &info) < 0)
        missing = strerror(errno);
    if (!missing) {
        pixels = mmap((size_t)info.buffer_bytes * FB_BUFFERS, fb, 0);
        missing = pixels == (void *)-1 ? strerror(errno) : NULL;
    }
    if (missing)
        close(fb);
    return missing;
}

static void end(void)
{
    struct fb_mode mode = {before.width, before.height};
    munmap(pixels, (size_t)info.buffer_bytes * FB_BUFFERS);
    ioctl(fb, FB_SET_MODE, &mode);
    close(fb);
}

static void present(uint32_t buffer)
{
    static struct fb_present picture;
    picture.buffer = buffer;
    if (ioctl(fb, FB_PRESENT, &picture) < 0)
        die("/dev/fb0");
}

static void run_present(uint64_t n)
{
    while (n-- > 0)
        present(0);
}

// Red grows to the right, green downwards, blue with the frame. Each store writes two pixels.
static void draw_gradient(char *picture, uint32_t frame)
{
    static uint64_t red[FB_MAX_WIDTH / 2];
    uint32_t pairs = info.width / 2;
    for (uint32_t i = 0; i < pairs; i++) {
        uint64_t left = 2 * i * 255 / info.width, right = (2 * i + 1) * 255 / info.width;
        red[i] = right << 48 | left << 16;
    }
    for (uint32_t y = 0; y < info.height; y++) {
        uint64_t rest = (uint64_t)(y * 255 / info.height) << 8 | (frame & 255);
        rest |= rest << 32;
        uint64_t *row = (uint64_t *)(picture + (size_t)y * info.stride);
        for (uint32_t i = 0; i < pairs; i++)
            row[i] = red[i] | rest;
    }
}

static void run_draw(uint64_t n)
{
    static uint32_t frame;
    while (n-- > 0) {
        uint32_t buffer = frame % FB_BUFFERS;
        draw_gradient((char *)pixels + (size_t)buffer * info.buffer_bytes, frame);
        present(buffer);
        frame++;
    }
}

static const char *begin_vga(void)
{
    return begin(640, 480);
}
static const char *begin_xga(void)
{
    return begin(1024, 768);
}
static const char *begin_hd(void)
{
    return begin(1920, 1080);
}

const struct benchmark display_benchmarks[] = {
    {"show-640", "present 640x480", "frames/s", PER_OPERATION, begin_vga, run_present, end},
    {"show-1024", "present 1024x768", "frames/s", PER_OPERATION, begin_xga, run_present, end},
    {"show-1920", "present 1920x1080", "frames/s", PER_OPERATION, begin_hd, run_present, end},
    {"draw-640", "gradient and present 640x480", "frames/s", PER_OPERATION, begin_vga, run_draw,
     end},
    {"draw-1024", "gradient and present 1024x768", "frames/s", PER_OPERATION, begin_xga, run_draw,
     end},
    {"draw-1920", "gradient and present 1920x1080", "frames/s", PER_OPERATION, begin_hd, run_draw,
     end},
    {0},
};
