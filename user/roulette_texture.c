// The texture of the parts that turn, in polar coordinates, and the map from pixels to its texels.
//
// A column of the texture is the wheel at one angle, a row is half a pixel of radius: first the outer
// rings' rows, then the spindle's. A texel is the wheel's colour at its middle, which wheel_colour() has
// averaged over about a pixel already; as there are about two texels to the pixel each way, the nearest
// one is good enough.
//
// Turning the wheel adds the same number of columns to every pixel's texel. All columns are there twice,
// side by side, so that the sum need not wrap. The rows are cut into bands of 32, and the texels of a band
// lie column by column: 4 KiB hold a block of 32 x 32 texels. Neighbouring pixels then mostly find theirs
// in the same page, whichever way the wheel's edge runs there; with whole columns or whole rows one after
// the other, each would be in another page, and QEMU's TLB has 256 entries.

#include "user/roulette_wheel.h"

#define TEXEL_RADIUS (SUB / 2)
#define BAND 32
#define MAX_COLUMNS 4144

// The two parts that turn begin and end in the middle of a groove, whose colour is the same everywhere.
static int32_t middle(const struct wheel *w, enum ring ring)
{
    return (w->edge[ring - 1] + w->edge[ring]) / 2;
}

static uint32_t rows_between(const struct wheel *w, enum ring inner, enum ring outer)
{
    return (uint32_t)((middle(w, outer) - middle(w, inner)) / TEXEL_RADIUS + 1);
}

void texture_layout(struct wheel *w)
{
    w->outer_rows = rows_between(w, ROTOR_GROOVE, BOWL_GROOVE);
    w->spindle_rows = rows_between(w, DOME_GROOVE, CONE_GROOVE);
    // Two columns to the pixel at the numbers; a whole number of them to the pocket and to the quarter.
    uint32_t wanted = (uint32_t)middle(w, NUMBER) * 25 / (2 * SUB), step = 4 * POCKETS;
    w->columns = (wanted + step - 1) / step * step;
    if (w->columns > MAX_COLUMNS)
        w->columns = MAX_COLUMNS;
}

static uint32_t bands(const struct wheel *w)
{
    return (w->outer_rows + w->spindle_rows + BAND - 1) / BAND;
}

size_t texture_bytes(const struct wheel *w)
{
    return (size_t)bands(w) * 2 * w->columns * BAND * sizeof(uint32_t);
}

uint32_t map_capacity(const struct wheel *w)
{
    uint32_t side = (uint32_t)(2 * middle(w, BOWL_GROOVE)) / SUB + 2;
    return side * side;
}

// Place of a texel in the texture.
static uint32_t index_of(const struct wheel *w, uint32_t column, uint32_t row)
{
    return (row / BAND * 2 * w->columns + column) * BAND + row % BAND;
}

// Number of the column that holds an angle.
static uint32_t column_at(const struct wheel *w, angle_t angle)
{
    return (uint32_t)((uint64_t)angle * w->columns >> 32);
}

uint32_t texture_turn(const struct wheel *w, angle_t rotor)
{
    // A wheel turned clockwise shows at each place what was anticlockwise of it.
    return index_of(w, column_at(w, 0 - rotor), 0) * sizeof(uint32_t);
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

bool radius_turns(const struct wheel *w, int32_t radius)
{
    return row_at(w, radius) >= 0;
}

static int32_t radius_of(const struct wheel *w, uint32_t row)
{
    int32_t base = middle(w, ROTOR_GROOVE);
    if (row >= w->outer_rows) {
        base = middle(w, DOME_GROOVE);
        row -= w->outer_rows;
    }
    return base + (int32_t)row * TEXEL_RADIUS + TEXEL_RADIUS / 2;
}

static void build_row(struct wheel *w, uint32_t row)
{
    // The spindle looks the same after every quarter turn.
    uint32_t period = row < w->outer_rows ? w->columns : w->columns / 4;
    uint32_t *texel = &w->texture[index_of(w, 0, row)];
    angle_t width = TURN_DIV(w->columns), angle = width / 2;
    int32_t radius = radius_of(w, row);
    for (uint32_t column = 0; column < period; column++, angle += width)
        texel[column * BAND] = wheel_colour(w, radius, angle, 0);
    for (uint32_t column = period; column < 2 * w->columns; column++)
        texel[column * BAND] = texel[(column - period) * BAND];
}

static void build_map(struct wheel *w)
{
    int32_t reach = middle(w, BOWL_GROOVE);
    w->turning = (struct box){(w->x - reach) / SUB, (w->y - reach) / SUB, (w->x + reach) / SUB + 1,
                              (w->y + reach) / SUB + 1};
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
            uint32_t column = column_at(w, direction(right, down));
            w->map[entries++] = index_of(w, column, (uint32_t)row) * sizeof(uint32_t);
        }
    }
}

void texture_build(struct wheel *w)
{
    number_masks_draw(w);
    for (uint32_t row = 0; row < w->outer_rows + w->spindle_rows; row++)
        build_row(w, row);
    build_map(w);
}
