// Two tables that make drawing a frame fast: the colours of the cells, and the map from pixels to
// cells.
#if SOLVED_FRAME_RATE
//
// Turning the wheel adds the same number of columns to every pixel's cell. The texture holds all
// columns twice, side by side, so that the sum needs no wrapping. The rows are divided into bands
// of 32, and the cells of a band are stored column by column: 4 KiB hold a block of 32 x 32 cells.
// Most neighbouring pixels then find their cells in the same page, in any direction of the wheel's
// edge. If whole columns or whole rows followed each other, each cell would be in another page, and
// QEMU's TLB has only 256 entries.

#include "user/roulette/texture.h"

#define BAND 32

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
    uint32_t side = (uint32_t)(2 * w->reach) / SUB + 2;
    return side * side;
}

// Returns the index of a cell in the texture.
static uint32_t index_of(const struct wheel *w, uint32_t column, uint32_t row)
{
    return (row / BAND * 2 * w->columns + column) * BAND + row % BAND;
}

uint32_t texture_turn(const struct wheel *w, angle_t rotor)
{
    // When the wheel turns clockwise, each place shows what was anticlockwise of it.
    return index_of(w, cell_column(w, 0 - rotor), 0) * sizeof(uint32_t);
}

static void build_row(const struct wheel *w, struct tables *t, uint32_t row)
{
    // The spindle looks the same after every quarter turn.
    uint32_t period = row < w->outer_rows ? w->columns : w->columns / 4;
    uint32_t *texel = &t->texture[index_of(w, 0, row)];
    for (uint32_t column = 0; column < period; column++)
        texel[column * BAND] = cell_colour(w, column, row);
    for (uint32_t column = period; column < 2 * w->columns; column++)
        texel[column * BAND] = texel[(column - period) * BAND];
}

static void build_map(const struct wheel *w, struct tables *t)
{
    t->turning = (struct box){(w->x - w->reach) / SUB, (w->y - w->reach) / SUB,
                              (w->x + w->reach) / SUB + 1, (w->y + w->reach) / SUB + 1};
    uint32_t entries = 0;
    t->nspans = 0;
    for (int32_t y = t->turning.top; y < t->turning.bottom; y++) {
        struct span *span = NULL;
        uint32_t radius = 0;
        for (int32_t x = t->turning.left; x < t->turning.right; x++) {
            int32_t right = x * SUB + SUB / 2 - w->x, down = y * SUB + SUB / 2 - w->y;
            uint64_t square = (uint64_t)((int64_t)right * right + (int64_t)down * down);
            radius = square_root_near(square, radius);
            int32_t row = cell_row(w, (int32_t)radius);
            if (row < 0) {
                span = NULL;
                continue;
            }
            if (span == NULL) {
                span = &t->spans[t->nspans++];
                *span = (struct span){.x = (uint16_t)x, .y = (uint16_t)y, .first = entries};
            }
            span->count++;
            uint32_t column = cell_column(w, direction(right, down));
            t->map[entries++] = index_of(w, column, (uint32_t)row) * sizeof(uint32_t);
        }
    }
}

void texture_build(const struct wheel *w, struct tables *t)
{
    for (uint32_t row = 0; row < w->outer_rows + w->spindle_rows; row++)
        build_row(w, t, row);
    build_map(w, t);
}
#endif // SOLVED_FRAME_RATE
