// What makes drawing a frame fast: a picture of everything that never moves, and two tables for the
// parts that turn.
#if SOLVED_FRAME_RATE

#ifndef RINGFENCE_ROULETTE_TEXTURE_H
#define RINGFENCE_ROULETTE_TEXTURE_H

#include "user/roulette/wheel.h"

// A row of pixels that turn.
struct span {
    uint16_t x, y;
    uint32_t count;
    uint32_t first; // index of its first entry in the map
};

struct tables {
    uint32_t *still; // the picture of everything that never moves, width x rows
    uint32_t *texture;
    uint32_t *map; // for each pixel that turns, the byte offset of its texel at rotor 0
    struct span *spans;
    uint32_t nspans;
    struct box turning; // the box around all spans

    struct {
        bool valid;
        struct box ball;
        uint32_t panel; // panel_version() at that time
    } drawn[WHEEL_BUFFERS];
};

size_t texture_bytes(const struct wheel *w);
uint32_t map_capacity(const struct wheel *w);
void texture_build(const struct wheel *w, struct tables *t);
// Returns what to add to the offsets in the map when the wheel has turned by this angle.
uint32_t texture_turn(const struct wheel *w, angle_t rotor);

#endif
#endif // SOLVED_FRAME_RATE
