// The picture of the roulette wheel. It depends only on seed, frame, width and height, and is
// computed with integers.
//
// Except main.c and show.c, the files of this folder make no system calls and compile unchanged for
// the host. The host draws the picture that a screen must show. You may draw a frame into a buffer
// that holds any earlier or later frame: the pixels are the same as those of wheel_draw_full().
//
// The picture of frame f, from back to front, at a pixel with the polar coordinates (r, a):
//   1. the table, a soft shadow                             (still.c)
//   2. the wheel: wheel_colour(r, a), and wheel_colour(r, a - rotor(f)) in the parts that turn,
//      which are divided into cells                         (paint.c, pixel.c)
//   3. the panel: plate, winning number, history            (panel.c)
//   4. the ball and its shadow at motion(f)                 (ball.c)
// All motion is a closed formula of the frame number, for 60 frames a second (motion.c).

#ifndef RINGFENCE_ROULETTE_H
#define RINGFENCE_ROULETTE_H

#include "kernel/abi.h"
#include <stddef.h>
#include <stdint.h>

#define WHEEL_MIN_WIDTH 160
#define WHEEL_MIN_HEIGHT 120
#define WHEEL_BUFFERS FB_BUFFERS
#define WHEEL_MAX_DAMAGE 4

// The strip: the last rows of the screen, for the program's head-up line. It is not part of the
// picture. wheel_draw_full() fills it with this colour, and wheel_draw() never touches it.
#define WHEEL_STRIP_COLOUR 0x0b0e13
static inline uint32_t wheel_strip_rows(uint32_t height)
{
    return height * 3 / 80 < 12 ? 12 : height * 3 / 80; // 18 of 480
}

struct wheel;

// Returns how many bytes a wheel of this size in pixels needs; 0 if the size is too small or larger
// than FB_MAX_*.
size_t wheel_memory(uint32_t width, uint32_t height);

// Builds a wheel in `memory`, which has wheel_memory() bytes and is aligned to 8. It belongs to the
// caller, who may free it when the wheel is no longer used. wheel_memory() must accept the size.
struct wheel *wheel_create(void *memory, uint32_t width, uint32_t height, uint32_t seed);

// Draws `frame` into `pixels`, which must hold what the wheel last drew with this buffer number (0
// or 1). Rows are `stride` bytes apart, a multiple of 4. Stores the rectangles that have changed,
// and returns how many there are.
unsigned wheel_draw(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                    uint32_t frame, struct fb_rect damage[WHEEL_MAX_DAMAGE]);

// The same, but the buffer may hold anything; the whole screen changes.
void wheel_draw_full(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                     uint32_t frame);

// Returns the winning number of round `round`. A round has WHEEL_ROUND frames.
#define WHEEL_ROUND 480
unsigned wheel_winner(uint32_t seed, uint32_t round);

#endif
