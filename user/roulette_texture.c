// The texture of the parts that turn, in polar coordinates, and the map from pixels to its texels.
//
// Column c of the texture is the wheel at angle c / 2^angle_bits of a turn, a row is half a pixel of
// radius. Columns lie one after the other and their number and length are powers of two, so that turning
// the wheel is adding a number of whole columns to each pixel's offset and cutting off what exceeds the
// texture. A texel is the wheel's colour at its middle, which wheel_colour() has already averaged over
// the area of about a pixel; there are about two texels to the pixel each way, so that the nearest one is
// good enough.

#include "user/roulette_wheel.h"

#define TEXEL_RADIUS (SUB / 2)
#define MAX_ANGLE_BITS 12

// The two bands that turn begin and end in the middle of a groove, whose colour is the same everywhere.
static int32_t middle(const struct wheel *w, enum ring ring)
{
    return (w->edge[ring - 1] + w->edge[ring]) / 2;
}

static unsigned bits_for(uint32_t count)
{
    unsigned bits = 0;
    while ((uint32_t)1 << bits < count)
        bits++;
    return bits;
}

static uint32_t rows_between(const struct wheel *w, enum ring inner, enum ring outer)
{
    return (uint32_t)((middle(w, outer) - middle(w, inner)) / TEXEL_RADIUS + 1);
}

void texture_layout(struct wheel *w)
{
    w->outer_rows = rows_between(w, ROTOR_GROOVE, BOWL_GROOVE);
    w->row_bits = bits_for(w->outer_rows + rows_between(w, DOME_GROOVE, CONE_GROOVE));
    // Nearly two columns to the pixel at the outer edge: 1.8 * 2 pi r.
    w->angle_bits = bits_for((uint32_t)middle(w, BOWL_GROOVE) * 23 / (2 * SUB));
    if (w->angle_bits > MAX_ANGLE_BITS)
        w->angle_bits = MAX_ANGLE_BITS;
}

// The texture's row for a radius, -1 if that radius does not turn.
static int32_t row_at(const struct wheel *w, int32_t radius)
{
    if (radius >= middle(w, ROTOR_GROOVE) && radius < middle(w, BOWL_GROOVE))
        return (radius - middle(w, ROTOR_GROOVE)) / TEXEL_RADIUS;
    if (radius >= middle(w, DOME_GROOVE) && radius < middle(w, CONE_GROOVE))
        return (int32_t)w->outer_rows + (radius - middle(w, DOME_GROOVE)) / TEXEL_RADIUS;
    return -1;
}

bool radius_turns(const struct wheel *w, int32_t radius) { return row_at(w, radius) >= 0; }

static int32_t radius_of(const struct wheel *w, uint32_t row)
{
    int32_t base = middle(w, ROTOR_GROOVE);
    if (row >= w->outer_rows) {
        base = middle(w, DOME_GROOVE);
        row -= w->outer_rows;
    }
    return base + (int32_t)row * TEXEL_RADIUS + TEXEL_RADIUS / 2;
}

static void build_map(struct wheel *w)
{
    int32_t reach = middle(w, BOWL_GROOVE);
    w->turning = (struct box){(w->x - reach) / SUB, (w->y - reach) / SUB,
                              (w->x + reach) / SUB + 1, (w->y + reach) / SUB + 1};
    uint32_t entries = 0;
    w->nspans = 0;
    for (int32_t y = w->turning.top; y < w->turning.bottom; y++) {
        struct span *span = NULL;
        uint32_t radius = 0;
        for (int32_t x = w->turning.left; x < w->turning.right; x++) {
            int32_t right = x * SUB + SUB / 2 - w->x, down = y * SUB + SUB / 2 - w->y;
            uint64_t square = (uint64_t)((int64_t)right * right + (int64_t)down * down);
            radius = square_root_near(square, radius);
            int32_t row = row_at(w, (int32_t)radius);
            if (row < 0) {
                span = NULL;
                continue;
            }
            if (span == NULL) {
                span = &w->spans[w->nspans++];
                *span = (struct span){.x = (uint16_t)x, .y = (uint16_t)y, .first = entries};
            }
            span->count++;
            uint32_t column = direction(right, down) >> (32 - w->angle_bits);
            w->map[entries++] = (column << w->row_bits | (uint32_t)row) * sizeof(uint32_t);
        }
    }
}

void texture_build(struct wheel *w)
{
    uint32_t rows = w->outer_rows + rows_between(w, DOME_GROOVE, CONE_GROOVE);
    uint32_t columns = (uint32_t)1 << w->angle_bits, length = (uint32_t)1 << w->row_bits;
    number_masks_draw(w);
    for (uint32_t column = 0; column < columns; column++) {
        angle_t angle = (column * 2 + 1) << (31 - w->angle_bits);
        uint32_t *texel = w->texture + column * length;
        for (uint32_t row = 0; row < w->outer_rows; row++)
            texel[row] = wheel_colour(w, radius_of(w, row), angle, 0);
        // The spindle looks the same after every quarter turn.
        for (uint32_t row = w->outer_rows; row < rows; row++)
            texel[row] = column < columns / 4 ? wheel_colour(w, radius_of(w, row), angle, 0)
                                              : (texel - columns / 4 * length)[row];
    }
    build_map(w);
}

uint32_t map_capacity(const struct wheel *w)
{
    uint32_t side = (uint32_t)(2 * middle(w, BOWL_GROOVE)) / SUB + 2;
    return side * side;
}
