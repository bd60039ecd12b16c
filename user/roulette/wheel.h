// What the files of the wheel's picture share: the layout of a wheel and the functions between them.

#ifndef RINGFENCE_ROULETTE_WHEEL_H
#define RINGFENCE_ROULETTE_WHEEL_H

#include "user/lib/font.h"
#include "user/roulette/math.h"
#include "user/roulette/roulette.h"
#include <stdbool.h>

#define POCKETS 37
#define GREEN 0x0d7a3e
#define RED 0xc4222c
#define BLACK 0x17181d
#define GOLD 0xc9a04c
#define IVORY 0xf4efe2
#define TABLE 0x151c28

extern const uint8_t pocket_number[POCKETS]; // clockwise round the wheel
uint32_t number_colour(unsigned number);     // RED, BLACK or GREEN

// The wheel's rings from the hub outwards. A ring's outer edge is edge[ring], in sub-pixels.
enum ring {
    DOME, // the turret's cap, still
    DOME_GROOVE,
    SPINDLE, // the disc with the four arms, turns
    CONE_GROOVE,
    CONE, // polished, and so the same at every turn: still
    ROTOR_GROOVE,
    INNER_RIM, // from here ...
    POCKET,
    LEDGE,
    NUMBER,
    OUTER_RIM, // ... to here it turns
    BOWL_GROOVE,
    SLOPE, // with the deflectors
    SLOPE_RIM,
    TRACK, // where the ball runs
    TRACK_RIM,
    WOOD,
    EDGE,
    RINGS,
};

struct box {
    int32_t left, top, right, bottom; // pixels; right and bottom are the first ones outside
};

// Where the ball is at some frame, and what the panel shows.
struct motion {
    angle_t rotor;          // how far the wheel has turned
    int32_t ball_x, ball_y; // sub-pixels, of the picture
    int32_t ball_height;    // above the wheel, sub-pixels
    int ball_share;         // 0 gone, 256 there
    uint32_t round;
    enum { BETTING, CLOSED, DECIDED } phase;
};

struct wheel {
    uint32_t width, height; // of the screen
    uint32_t rows;          // of the picture, above the strip
    uint32_t seed;
    int32_t x, y, radius; // of the wheel, sub-pixels
    int32_t edge[RINGS];
    struct box panel; // the part of the picture that shows numbers
    int32_t unit;     // the panel's measure, sub-pixels

    // The cells of what turns (pixel.c).
    uint32_t columns;
    uint32_t outer_rows, spindle_rows;
    int32_t reach; // nothing further from the hub turns, sub-pixels

    uint8_t *digits;         // coverage masks of the digits on the wheel,
    int32_t digit_width[10]; // and their widths, sub-pixels
    uint8_t *glyph;          // room for the mask of one glyph of the panel

    struct tables *tables; // what roulette.c likes to keep
};

// layout.c: the measures of a wheel of an accepted size, with no pointer set; the bytes that a
// wheel needs with the masks it points to (0 if that size is not accepted); and such a wheel, made of that
// much memory.
void layout_measure(struct wheel *w, uint32_t width, uint32_t height);
size_t layout_bytes(uint32_t width, uint32_t height);
struct wheel *layout_create(void *memory, uint32_t width, uint32_t height, uint32_t seed);

// pixel.c: the colour of a pixel, above the strip, when the wheel has turned by `rotor`. What lies
// over it, the panel and the ball, comes after.
uint32_t wheel_pixel(const struct wheel *w, int32_t x, int32_t y, angle_t rotor);
// How the parts that turn are sampled: the column of an angle, the row of a radius (-1 if that radius does
// not turn), the colour of the cell in that column and row of the wheel at rest.
void cells_layout(struct wheel *w);
uint32_t cell_column(const struct wheel *w, angle_t angle);
int32_t cell_row(const struct wheel *w, int32_t radius);
uint32_t cell_colour(const struct wheel *w, uint32_t column, uint32_t row);

// paint.c: the wheel's colour at a point (radius in sub-pixels), at rest. `facing` is as for lit().
uint32_t wheel_colour(const struct wheel *w, int32_t radius, angle_t angle, int facing);
// The numbers are sampled from masks of the digits. w->digits needs so many bytes for them, and they must be
// drawn there before.
size_t number_masks_bytes(const struct wheel *w);
void number_masks_draw(struct wheel *w);

// still.c: the colour of a pixel that does not turn, `radius` from the hub (rounded down).
uint32_t still_colour(const struct wheel *w, int32_t x, int32_t y, uint32_t radius);

// motion.c
struct motion motion_at(const struct wheel *w, uint32_t frame);

// panel.c. The plate never changes, and is drawn over wheel_pixel(); the rest is drawn over the
// plate, and changes whenever panel_version() does.
void panel_layout(struct wheel *w);
void panel_plate(const struct wheel *w, uint32_t *pixels, size_t stride);
uint32_t panel_version(const struct motion *m);
void panel_draw(const struct wheel *w, uint32_t *pixels, size_t stride, const struct motion *m);

// ball.c
struct box ball_box(const struct wheel *w, const struct motion *m);
void ball_draw(const struct wheel *w, uint32_t *pixels, size_t stride, const struct motion *m);

static inline uint32_t *row_of(uint32_t *pixels, size_t stride, int32_t y)
{
    return (uint32_t *)((char *)pixels + stride * (size_t)y);
}

#endif
