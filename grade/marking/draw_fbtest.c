// Draws, on the host, the picture that the display shows after `fbtest NAME`. Writes a binary PPM
// to standard output.
//
//   draw_fbtest [-r WxH] [-n STEPS] NAME
//
// For one size of the test `modes`: draw_fbtest -r WxH size.
//
// Built from: this file, user/fbtest/patterns.c, user/lib/font.c; cc -std=gnu11 -O2 -I. -o build/host/draw_fbtest ...

#include "user/fbtest/fbtest.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fail(const char *message)
{
    fprintf(stderr, "draw_fbtest: %s\n", message);
    exit(1);
}

// Does what a present does: copies the rectangle from a buffer to the display's copy of it.
static void transfer(uint32_t *shown, const uint32_t *pixels, uint32_t width, struct fb_rect r)
{
    for (size_t y = r.y; y < r.y + r.height; y++)
        memcpy(&shown[y * width + r.x], &pixels[y * width + r.x], r.width * sizeof(uint32_t));
}

int main(int argc, char **argv)
{
    uint32_t width = 640, height = 480, steps = 0;
    int option;
    while ((option = getopt(argc, argv, "r:n:")) != -1) {
        if (option == 'n')
            steps = (uint32_t)strtoul(optarg, NULL, 0);
        else if (option != 'r' || sscanf(optarg, "%" SCNu32 "x%" SCNu32, &width, &height) != 2)
            fail("usage: draw_fbtest [-r WxH] [-n STEPS] NAME");
    }
    const struct pattern *pattern = optind + 1 == argc ? pattern_find(argv[optind]) : NULL;
    if (pattern == NULL)
        fail("no such pattern");
    if (width == 0 || width > FB_MAX_WIDTH || height == 0 || height > FB_MAX_HEIGHT)
        fail("bad size");
    if (steps == 0 || pattern->steps == 1)
        steps = pattern->steps;

    uint32_t *pixels[FB_BUFFERS], *shown[FB_BUFFERS];
    for (unsigned i = 0; i < FB_BUFFERS; i++)
        if ((pixels[i] = calloc((size_t)width * height, sizeof(uint32_t))) == NULL ||
            (shown[i] = calloc((size_t)width * height, sizeof(uint32_t))) == NULL)
            fail("out of memory");
    for (uint32_t step = 0; step < steps; step++) {
        unsigned buffer = step % pattern->buffers;
        struct picture picture = {pixels[buffer], width * sizeof(uint32_t), width, height};
        struct fb_rect r = pattern->step(&picture, step);
        if (r.width == 0 || r.height == 0 || r.x + r.width > width || r.y + r.height > height)
            fail("a damage rectangle is not inside the screen");
        transfer(shown[buffer], pixels[buffer], width, r);
    }

    const uint32_t *last = shown[(steps - 1) % pattern->buffers];
    printf("P6\n%" PRIu32 " %" PRIu32 "\n255\n", width, height);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        uint8_t rgb[3] = {last[i] >> 16 & 255, last[i] >> 8 & 255, last[i] & 255};
        fwrite(rgb, 3, 1, stdout);
    }
    for (unsigned i = 0; i < FB_BUFFERS; i++) {
        free(pixels[i]);
        free(shown[i]);
    }
    return fflush(stdout) != 0 || ferror(stdout) ? 1 : 0;
}
