// Draws frames of the roulette wheel on the host, as a correct screen must show them.
//
//   draw_wheel [-i | -p] [-x] [-r WxH] [-s SEED] FRAME...
//
// Writes the frames to standard output, one after the other, as binary PPM files. Options:
//
//   -x  write raw pixels, as in the framebuffer: 32 bits, blue first, rows not padded
//   -i  draw each frame over the one before last, as the program `roulette` does with its two
//       buffers. Then compare it with the same frame drawn from scratch, and check that no pixel
//       outside the damage has changed
//   -p  draw pixel by pixel, from the definition of the picture, without user/roulette/roulette.c
//
// Built from: this file, user/roulette/*.c except those with system calls, user/lib/font.c;
// cc -std=gnu11 -O2 -I. -o build/host/draw_wheel ...

#include "user/roulette/wheel.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t width = 640, height = 480, seed = 1;
static bool incremental, plain, raw;

static void fail(const char *message)
{
    fprintf(stderr, "draw_wheel: %s\n", message);
    exit(1);
}

static void *need(size_t bytes)
{
    void *p = malloc(bytes);
    if (p == NULL)
        fail("out of memory");
    return p;
}

static void write_frame(const uint32_t *pixels)
{
    size_t n = (size_t)width * height;
    if (raw) {
        if (fwrite(pixels, sizeof(uint32_t), n, stdout) != n)
            fail("cannot write");
        return;
    }
    printf("P6\n%" PRIu32 " %" PRIu32 "\n255\n", width, height);
    uint8_t *bytes = need(n * 3);
    for (size_t i = 0; i < n; i++) {
        bytes[i * 3] = pixels[i] >> 16 & 255;
        bytes[i * 3 + 1] = pixels[i] >> 8 & 255;
        bytes[i * 3 + 2] = pixels[i] & 255;
    }
    if (fwrite(bytes, 3, n, stdout) != n)
        fail("cannot write");
    free(bytes);
}

static bool in_damage(uint32_t x, uint32_t y, const struct fb_rect *rects, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (x - rects[i].x < rects[i].width && y - rects[i].y < rects[i].height)
            return true;
    return false;
}

// Draws the frame over the old one in the buffer. `before` is space for a copy of the old one.
static void draw_checked(struct wheel *w, unsigned buffer, uint32_t *pixels, uint32_t *before,
                         uint32_t frame)
{
    struct fb_rect damage[WHEEL_MAX_DAMAGE];
    size_t bytes = (size_t)width * height * sizeof(uint32_t);
    memcpy(before, pixels, bytes);
    unsigned n = wheel_draw(w, buffer, pixels, width * sizeof(uint32_t), frame, damage);
    for (unsigned i = 0; i < n; i++)
        if (damage[i].width == 0 || damage[i].height == 0 ||
            damage[i].x + damage[i].width > width || damage[i].y + damage[i].height > height)
            fail("a damage rectangle is not inside the screen");
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            if (pixels[y * width + x] != before[y * width + x] && !in_damage(x, y, damage, n))
                fail("a pixel outside the damage has changed");

    // A frame drawn from scratch leaves `w` in the same state, so later frames are not disturbed.
    wheel_draw_full(w, buffer, before, width * sizeof(uint32_t), frame);
    if (memcmp(before, pixels, bytes) != 0)
        fail("a frame drawn over another one differs from itself drawn from scratch");
}

static void draw_plainly(const struct wheel *w, uint32_t *pixels, uint32_t frame)
{
    struct motion m = motion_at(w, frame);
    size_t stride = width * sizeof(uint32_t);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            pixels[(size_t)y * width + x] =
                y >= w->rows ? WHEEL_STRIP_COLOUR : wheel_pixel(w, (int32_t)x, (int32_t)y, m.rotor);
    panel_plate(w, pixels, stride);
    panel_draw(w, pixels, stride, &m);
    ball_draw(w, pixels, stride, &m);
}

int main(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "ipxr:s:")) != -1) {
        if (option == 'i')
            incremental = true;
        else if (option == 'p')
            plain = true;
        else if (option == 'x')
            raw = true;
        else if (option == 's')
            seed = (uint32_t)strtoul(optarg, NULL, 0);
        else if (option != 'r' || sscanf(optarg, "%" SCNu32 "x%" SCNu32, &width, &height) != 2)
            fail("usage: draw_wheel [-i | -p] [-x] [-r WxH] [-s SEED] FRAME...");
    }
    size_t size = wheel_memory(width, height);
    if (size == 0)
        fail("bad size");
    void *memory = need(size);
    struct wheel *w = plain ? layout_create(memory, width, height, seed)
                            : wheel_create(memory, width, height, seed);

    uint32_t *pixels[WHEEL_BUFFERS], *before = need((size_t)width * height * sizeof(uint32_t));
    for (unsigned i = 0; i < WHEEL_BUFFERS; i++)
        pixels[i] = calloc((size_t)width * height, sizeof(uint32_t));
    if (pixels[0] == NULL || pixels[1] == NULL)
        fail("out of memory");

    for (int i = optind; i < argc; i++) {
        uint32_t frame = (uint32_t)strtoul(argv[i], NULL, 0);
        unsigned buffer = (unsigned)(i - optind) % WHEEL_BUFFERS;
        if (incremental)
            draw_checked(w, buffer, pixels[buffer], before, frame);
        else if (plain)
            draw_plainly(w, pixels[buffer], frame);
        else
            wheel_draw_full(w, buffer, pixels[buffer], width * sizeof(uint32_t), frame);
        write_frame(pixels[buffer]);
    }
    for (unsigned i = 0; i < WHEEL_BUFFERS; i++)
        free(pixels[i]);
    free(before);
    free(memory);
    return 0;
}
