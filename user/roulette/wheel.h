// Shared by the files of the wheel's picture: the layout of a wheel, and their functions.

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
uint32_t number_colour(unsigned number);     // returns RED, BLACK or GREEN

// The wheel's rings, from the hub outwards. The outer edge of a ring is edge[ring], in sub-pixels.
enum ring {
    DOME, // the cap in the middle, does not turn
    DOME_GROOVE,
    SPINDLE, // the disc with the four arms, turns
    CONE_GROOVE,
    CONE, // polished, so it looks the same at every angle: does not turn
    ROTOR_GROOVE,
    INNER_RIM, // turns from here ...
    POCKET,
    LEDGE,
    NUMBER,
    OUTER_RIM, // ... to here
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

// Where the wheel and the ball are in a frame, and what the panel shows.
struct motion {
    angle_t rotor;          // how far the wheel has turned
    int32_t ball_x, ball_y; // in the picture, sub-pixels
    int32_t ball_height;    // above the wheel, sub-pixels
    int ball_share;         // 0 invisible, 256 opaque
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
    int32_t unit;     // the panel's unit of length, sub-pixels

    // The cells of the parts that turn (pixel.c).
    uint32_t columns;
    uint32_t outer_rows, spindle_rows;
    int32_t reach; // nothing further from the hub than this turns, sub-pixels

    uint8_t *digits;         // coverage masks of the digits on the wheel,
    int32_t digit_width[10]; // and their widths, sub-pixels
    uint8_t *glyph;          // memory for the mask of one glyph of the panel

    struct tables *tables; // for roulette.c
};

// layout.c. layout_measure() stores the measures of a wheel; it sets no pointers, and
// wheel_memory() must accept the size. layout_bytes() returns how many bytes a wheel and its masks
// need, 0 if the size is not accepted. layout_create() builds a wheel in that much memory.
void layout_measure(struct wheel *w, uint32_t width, uint32_t height);
size_t layout_bytes(uint32_t width, uint32_t height);
struct wheel *layout_create(void *memory, uint32_t width, uint32_t height, uint32_t seed);

// pixel.c. wheel_pixel() returns the colour of a pixel above the strip when the wheel has turned by
// `rotor`, without the panel and the ball, which are drawn over it.
uint32_t wheel_pixel(const struct wheel *w, int32_t x, int32_t y, angle_t rotor);
// The cells of the parts that turn: the column of an angle, the row of a radius (-1 if this radius
// does not turn), and the colour of the cell in that column and row when the wheel is at rest.
void cells_layout(struct wheel *w);
uint32_t cell_column(const struct wheel *w, angle_t angle);
int32_t cell_row(const struct wheel *w, int32_t radius);
uint32_t cell_colour(const struct wheel *w, uint32_t column, uint32_t row);

// paint.c. wheel_colour() returns the colour at a point of the wheel at rest; the radius is in
// sub-pixels. lit() explains `facing`.
uint32_t wheel_colour(const struct wheel *w, int32_t radius, angle_t angle, int facing);
// The numbers on the wheel come from masks of the digits. w->digits must point to
// number_masks_bytes() bytes; number_masks_draw() draws the masks there. Call it before
// wheel_colour().
size_t number_masks_bytes(const struct wheel *w);
void number_masks_draw(struct wheel *w);

// still.c. Returns the colour of a pixel that does not turn. Its distance from the hub is `radius`
// sub-pixels, rounded down.
uint32_t still_colour(const struct wheel *w, int32_t x, int32_t y, uint32_t radius);

// motion.c
struct motion motion_at(const struct wheel *w, uint32_t frame);

// panel.c. The plate never changes; draw it over wheel_pixel(). panel_draw() draws the rest over
// the plate. It must draw again whenever panel_version() changes.
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
