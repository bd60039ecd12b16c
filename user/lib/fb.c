// The display, and the keyboard for programs that draw.

#include "user/lib/fb.h"

int fb_set_mode(struct fb *fb, uint32_t width, uint32_t height)
{
    struct fb_mode mode = {width, height};
    if (fb->pixels[0] != NULL)
        munmap(fb->pixels[0], (size_t)FB_BUFFERS * fb->info.buffer_bytes);
    fb->pixels[0] = NULL;
    if (width != 0 && ioctl(fb->fd, FB_SET_MODE, &mode) < 0)
        return -1;
    if (ioctl(fb->fd, FB_GET_INFO, &fb->info) < 0)
        return -1;
    char *pixels = mmap((size_t)FB_BUFFERS * fb->info.buffer_bytes, fb->fd, 0);
    if (pixels == (void *)-1)
        return -1;
    for (unsigned i = 0; i < FB_BUFFERS; i++)
        fb->pixels[i] = (uint32_t *)(pixels + (size_t)i * fb->info.buffer_bytes);
    return 0;
}

int fb_open(struct fb *fb, uint32_t width, uint32_t height)
{
    *fb = (struct fb){.fd = open("/dev/fb0", O_RDWR)};
    if (fb->fd < 0)
        return -1;
    if (fb_set_mode(fb, width, height) == 0)
        return 0;
    int reason = errno;
    close(fb->fd);
    errno = reason;
    return -1;
}

void fb_close(struct fb *fb)
{
    if (fb->pixels[0] != NULL)
        munmap(fb->pixels[0], (size_t)FB_BUFFERS * fb->info.buffer_bytes);
    close(fb->fd);
}

int fb_present(struct fb *fb, unsigned buffer, const struct fb_rect *rects, unsigned n,
               uint32_t flags)
{
    struct fb_present present = {.buffer = buffer, .flags = flags, .nrects = n};
    for (unsigned i = 0; i < n && i < FB_MAX_RECTS; i++)
        present.rects[i] = rects[i];
    return ioctl(fb->fd, FB_PRESENT, &present);
}

int fb_wait(struct fb *fb)
{
    return ioctl(fb->fd, FB_WAIT, NULL);
}

void fb_die(void)
{
    if (errno == ENODEV || errno == ENOENT)
        fprintf(2,
                "%s: no display: start QEMU with -device virtio-gpu-device, as `make qemu` does\n",
                program_name);
    else if (errno == EINVAL)
        fprintf(2, "%s: the display cannot show this size\n", program_name);
    else
        perror("/dev/fb0");
    exit(1);
}

bool fb_parse_size(const char *text, uint32_t *width, uint32_t *height)
{
    char *end;
    unsigned long w = strtoul(text, &end, 10), h = 0;
    if (end == text || *end != 'x')
        return false;
    text = end + 1;
    h = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || w > UINT32_MAX || h > UINT32_MAX)
        return false;
    *width = (uint32_t)w;
    *height = (uint32_t)h;
    return true;
}

// ---- the keyboard ----

// An arrow or function key sends several bytes. They all arrive within this time, in nanoseconds.
#define KEY_TIME 20000000ull

static bool watching;
static uint32_t typed_before;

void key_begin(void)
{
    uint32_t raw = 1;
    watching =
        ioctl(0, CONSOLE_SET_RAW, &raw) == 0 && ioctl(0, CONSOLE_GET_PENDING, &typed_before) == 0;
}

bool key_pressed(void)
{
    uint32_t pending;
    return watching && ioctl(0, CONSOLE_GET_PENDING, &pending) == 0 && pending > typed_before;
}

void key_end(void)
{
    uint32_t raw = 0, pending;
    char key[16];
    int reason = errno; // the caller may still have to print it
    if (!watching)
        return;
    if (typed_before == 0 && key_pressed()) {
        nanosleep(KEY_TIME);
        if (ioctl(0, CONSOLE_GET_PENDING, &pending) == 0)
            read(0, key, pending < sizeof(key) ? (int)pending : (int)sizeof(key));
    }
    ioctl(0, CONSOLE_SET_RAW, &raw);
    watching = false;
    errno = reason;
}
