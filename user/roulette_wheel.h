// What the files of the wheel's picture share: the layout of a wheel and the functions between them.

#ifndef RINGFENCE_ROULETTE_WHEEL_H
#define RINGFENCE_ROULETTE_WHEEL_H

#include "user/lib/font.h"
#include "user/roulette.h"
#include "user/roulette_math.h"
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

// A row of pixels that turn.
struct span {
    uint16_t x, y;
    uint32_t count;
    uint32_t first; // of its entries in the map
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

    // The texture of what turns (roulette_texture.c).
    uint32_t *texture;
    uint32_t columns;
    uint32_t outer_rows, spindle_rows;
    uint32_t *map; // for each pixel that turns, the byte offset of its texel while rotor is 0
    struct span *spans;
    uint32_t nspans;
    struct box turning; // all spans lie in it

    uint32_t *still;         // the picture of what never moves, width x rows
    uint8_t *scratch;        // coverage masks: the digits' while tables are built, then one glyph's
    int32_t digit_width[10]; // of the numbers on the wheel, sub-pixels

    struct {
        bool valid;
        struct box ball;
        uint32_t panel; // what panel_version() was
    } drawn[WHEEL_BUFFERS];
};

// roulette_paint.c: the wheel's colour at a point (radius in sub-pixels), at rest. `facing` is as for lit().
uint32_t wheel_colour(const struct wheel *w, int32_t radius, angle_t angle, int facing);
// The numbers are sampled from masks of the digits, which must be drawn before, into w->scratch.
struct font_mask number_mask(const struct wheel *w, unsigned digit);
void number_masks_draw(struct wheel *w);

// Whether that radius turns; if so, all its colours come from the texture.
bool radius_turns(const struct wheel *w, int32_t radius);

// roulette_still.c
void still_paint(struct wheel *w);

// roulette_texture.c
void texture_layout(struct wheel *w); // sets columns and rows
size_t texture_bytes(const struct wheel *w);
uint32_t map_capacity(const struct wheel *w);
void texture_build(struct wheel *w);
// What to add to an offset in the map once the wheel has turned by this angle.
uint32_t texture_turn(const struct wheel *w, angle_t rotor);

// roulette_motion.c
struct motion motion_at(const struct wheel *w, uint32_t frame);

// roulette_panel.c
void panel_layout(struct wheel *w);
uint32_t panel_version(const struct motion *m);
void panel_plate(struct wheel *w); // its still part, into w->still
void panel_draw(struct wheel *w, uint32_t *pixels, size_t stride, const struct motion *m);

// roulette_ball.c
struct box ball_box(const struct wheel *w, const struct motion *m);
void ball_draw(const struct wheel *w, uint32_t *pixels, size_t stride, const struct motion *m);

static inline uint32_t *row_of(uint32_t *pixels, size_t stride, int32_t y)
{
    return (uint32_t *)((char *)pixels + stride * (size_t)y);
}

#endif
