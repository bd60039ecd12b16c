// The roulette wheel as a picture: a pure integer function of (seed, frame, width, height).
//
// All files of this folder except main.c and show.c make no system call and compile unchanged for the
// host; what the host draws is what a screen must show. A frame may be drawn into a buffer that holds any
// earlier or later frame: the pixels are the same as those of wheel_draw_full().
//
// The picture of frame f, from back to front, at a pixel with polar coordinates (r, a) about the hub:
//   1. the table, a soft shadow                             (still.c)
//   2. the wheel: wheel_colour(r, a), and in the parts that turn wheel_colour(r, a - rotor(f)), sampled
//      at cells of finite size                              (paint.c, pixel.c)
//   3. the panel: plate, winning number, history            (panel.c)
//   4. the ball and its shadow at motion(f)                 (ball.c)
// Motion is in closed form in the frame number, at a nominal 60 frames a second (motion.c).

#ifndef RINGFENCE_ROULETTE_H
#define RINGFENCE_ROULETTE_H

#include "kernel/abi.h"
#include <stddef.h>
#include <stdint.h>

#define WHEEL_MIN_WIDTH 160
#define WHEEL_MIN_HEIGHT 120
#define WHEEL_BUFFERS FB_BUFFERS
#define WHEEL_MAX_DAMAGE 4

// The head-up line of the program is not part of the picture. It has the last rows of the screen, which
// wheel_draw_full() fills with this colour and wheel_draw() never touches.
#define WHEEL_STRIP_COLOUR 0x0b0e13
static inline uint32_t wheel_strip_rows(uint32_t height)
{
    return height * 3 / 80 < 12 ? 12 : height * 3 / 80; // 18 of 480
}

struct wheel;

// Bytes that a wheel of this size needs; 0 if it is too small or larger than FB_MAX_*.
size_t wheel_memory(uint32_t width, uint32_t height);

// Builds the tables in `memory`: wheel_memory() bytes, aligned to 8, the caller's, who may free it when
// done with the wheel. The size must be one that wheel_memory() accepts.
struct wheel *wheel_create(void *memory, uint32_t width, uint32_t height, uint32_t seed);

// Draws `frame` into `pixels`, which holds what the wheel last drew under this buffer number (0 or 1).
// Rows are `stride` bytes apart, a multiple of 4. Stores the rectangles that changed, and returns how many.
unsigned wheel_draw(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                    uint32_t frame, struct fb_rect damage[WHEEL_MAX_DAMAGE]);

// The same, whatever the buffer holds; the damage is the whole screen.
void wheel_draw_full(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                     uint32_t frame);

// The number that round `round` (of WHEEL_ROUND frames) ends with.
#define WHEEL_ROUND 480
unsigned wheel_winner(uint32_t seed, uint32_t round);

#endif
