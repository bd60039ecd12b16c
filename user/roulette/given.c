// A simple wheel for the labs before lab 5: its colours are flat, but it is cheap to draw.
// roulette.h is the contract.
#if !SOLVED_WHEEL
//
// Each pixel has a cell, which is computed once: a step of the ring of pockets, a step of the
// ball's track, or a part that does not move. A frame gives each cell a colour, and each pixel gets
// the colour of its cell.

#include "user/roulette/math.h"
#include "user/roulette/roulette.h"
#include <stdbool.h>

#define POCKETS 37
#define POCKET_STEPS (POCKETS * 5) // the first step of a pocket is the line in front of it
#define TRACK_STEPS 60

enum cell {
    TABLE,
    RIM,
    HUB,
    CAP,
    FIRST_POCKET,
    FIRST_TRACK = FIRST_POCKET + POCKET_STEPS,
    CELLS = FIRST_TRACK + TRACK_STEPS,
};

// Outer edges, in 1/64 of the radius, from the centre outwards.
#define CAP_EDGE 10
#define HUB_EDGE 36
#define POCKET_EDGE 50
#define TRACK_EDGE 59

struct wheel {
    uint32_t width, height, rows, seed;
    bool drawn[WHEEL_BUFFERS];
    uint8_t cell[]; // width * rows
};
_Static_assert(CELLS <= 256, "a cell fits a byte");

size_t wheel_memory(uint32_t width, uint32_t height)
{
    if (width < WHEEL_MIN_WIDTH || height < WHEEL_MIN_HEIGHT || width > FB_MAX_WIDTH ||
        height > FB_MAX_HEIGHT)
        return 0;
    return sizeof(struct wheel) + (size_t)width * (height - wheel_strip_rows(height));
}

// Divides the circle into `steps` equal parts, and returns the part in which the angle lies.
static unsigned step_of(angle_t angle, unsigned steps)
{
    return (uint64_t)angle * steps >> 32;
}

// Returns the cell of a point; its distance from the centre and the radius are in pixels.
static enum cell cell_at(int32_t right, int32_t down, uint32_t radius)
{
    uint32_t distance = square_root((uint64_t)((int64_t)right * right + (int64_t)down * down));
    uint32_t place = distance * 64 / radius;
    if (place >= 64)
        return TABLE;
    if (place >= TRACK_EDGE)
        return RIM;
    if (place >= POCKET_EDGE)
        return FIRST_TRACK + step_of(direction(right, down), TRACK_STEPS);
    if (place >= HUB_EDGE)
        return FIRST_POCKET + step_of(direction(right, down), POCKET_STEPS);
    return place >= CAP_EDGE ? HUB : CAP;
}

struct wheel *wheel_create(void *memory, uint32_t width, uint32_t height, uint32_t seed)
{
    struct wheel *w = memory;
    uint32_t rows = height - wheel_strip_rows(height);
    uint32_t radius = (width < rows ? width : rows) * 31 / 64;
    uint8_t *cell = w->cell;
    *w = (struct wheel){.width = width, .height = height, .rows = rows, .seed = seed};
    for (uint32_t y = 0; y < rows; y++)
        for (uint32_t x = 0; x < width; x++)
            *cell++ = cell_at((int32_t)(x - width / 2), (int32_t)(y - rows / 2), radius);
    return w;
}

// In a round, the pockets turn twice, and the ball turns five times in the other direction.
static void choose_colours(const struct wheel *w, uint32_t frame, uint32_t colour[CELLS])
{
    uint32_t turned = frame * POCKET_STEPS * 2 / WHEEL_ROUND + w->seed;
    uint32_t ball = TRACK_STEPS - 1 - (frame * TRACK_STEPS * 5 / WHEEL_ROUND) % TRACK_STEPS;
    colour[TABLE] = 0x151c28;
    colour[RIM] = 0x6b4423;
    colour[HUB] = 0x8a5a2b;
    colour[CAP] = 0xc9a04c;
    for (uint32_t i = 0; i < POCKET_STEPS; i++) {
        uint32_t step = (i + turned) % POCKET_STEPS, pocket = step / 5;
        uint32_t paint = pocket == 0 ? 0x0d7a3e : pocket % 2 ? 0xc4222c : 0x17181d;
        colour[FIRST_POCKET + i] = step % 5 == 0 ? 0xc9a04c : paint;
    }
    for (uint32_t i = 0; i < TRACK_STEPS; i++)
        colour[FIRST_TRACK + i] = i == ball ? 0xf4efe2 : 0x3a2a1c;
}

static uint32_t *row_at(uint32_t *pixels, size_t stride, uint32_t y)
{
    return (uint32_t *)((char *)pixels + stride * y);
}

unsigned wheel_draw(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                    uint32_t frame, struct fb_rect damage[WHEEL_MAX_DAMAGE])
{
    if (!w->drawn[buffer]) {
        wheel_draw_full(w, buffer, pixels, stride, frame);
        damage[0] = (struct fb_rect){0, 0, w->width, w->height};
        return 1;
    }
    uint32_t colour[CELLS];
    const uint8_t *cell = w->cell;
    choose_colours(w, frame, colour);
    for (uint32_t y = 0; y < w->rows; y++) {
        uint32_t *row = row_at(pixels, stride, y);
        for (uint32_t x = 0; x < w->width; x++)
            row[x] = colour[*cell++];
    }
    damage[0] = (struct fb_rect){0, 0, w->width, w->rows};
    return 1;
}

void wheel_draw_full(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                     uint32_t frame)
{
    struct fb_rect damage[WHEEL_MAX_DAMAGE];
    w->drawn[buffer] = true;
    wheel_draw(w, buffer, pixels, stride, frame, damage);
    for (uint32_t y = w->rows; y < w->height; y++)
        for (uint32_t x = 0; x < w->width; x++)
            row_at(pixels, stride, y)[x] = WHEEL_STRIP_COLOUR;
}
#endif // !SOLVED_WHEEL
