// Where everything is in the picture: the wheel is as large as fits, and the panel is beside or
// below it. This is part of the picture's definition.

#include "user/roulette/wheel.h"

// Outer edges of the rings, in 1/1024 of the wheel's radius.
static const uint16_t ring_edges[RINGS] = {
    [DOME] = 58,          [DOME_GROOVE] = 66,  [SPINDLE] = 228, [CONE_GROOVE] = 236, [CONE] = 478,
    [ROTOR_GROOVE] = 488, [INNER_RIM] = 500,   [POCKET] = 622,  [LEDGE] = 628,       [NUMBER] = 734,
    [OUTER_RIM] = 747,    [BOWL_GROOVE] = 757, [SLOPE] = 840,   [SLOPE_RIM] = 848,   [TRACK] = 936,
    [TRACK_RIM] = 946,    [WOOD] = 1014,       [EDGE] = 1024,
};

// Places the wheel, as large as fits, and the panel: beside it, or below it if the screen is higher
// than wide.
static void place(struct wheel *w)
{
    int32_t width = (int32_t)w->width, rows = (int32_t)w->rows, side;
    if (width >= rows) {
        int32_t panel = width * 27 / 100 > width - rows ? width * 27 / 100 : width - rows;
        if (panel > rows / 2)
            panel = rows / 2;
        side = width - panel < rows ? width - panel : rows;
        int32_t left = (width - panel - side) / 2;
        w->x = left * SUB + side * SUB / 2;
        w->y = rows * SUB / 2;
        w->panel = (struct box){left + side, 0, left + side + panel, rows};
    } else {
        int32_t panel = rows * 24 / 100 > rows - width ? rows * 24 / 100 : rows - width;
        if (panel > width / 2)
            panel = width / 2;
        side = rows - panel < width ? rows - panel : width;
        int32_t top = (rows - panel - side) / 2;
        w->x = width * SUB / 2;
        w->y = top * SUB + side * SUB / 2;
        w->panel = (struct box){0, top + side, width, top + side + panel};
    }
    w->radius = side * SUB / 2 * 31 / 32;
    for (unsigned i = 0; i < RINGS; i++)
        w->edge[i] = (int32_t)((int64_t)w->radius * ring_edges[i] / 1024);
    panel_layout(w);
    cells_layout(w);
}

static size_t take(size_t *offset, size_t bytes)
{
    size_t at = *offset;
    *offset += (bytes + 63) & ~(size_t)63;
    return at;
}

void layout_measure(struct wheel *w, uint32_t width, uint32_t height)
{
    *w = (struct wheel){.width = width, .height = height};
    w->rows = height - wheel_strip_rows(height);
    place(w);
}

// Lays out the wheel and its masks in one block, and returns its size. With `block` NULL it only
// returns the size.
static size_t arrange(struct wheel *w, char *block)
{
    size_t size = 0;
    take(&size, sizeof(struct wheel));
    size_t digits = take(&size, number_masks_bytes(w));
    size_t glyph = take(&size, (size_t)(w->unit * 24 / SUB + 8) * (size_t)(w->unit * 26 / SUB + 8));
    if (block != NULL) {
        w->digits = (uint8_t *)(block + digits);
        w->glyph = (uint8_t *)(block + glyph);
    }
    return size;
}

size_t layout_bytes(uint32_t width, uint32_t height)
{
    struct wheel w;
    if (width < WHEEL_MIN_WIDTH || height < WHEEL_MIN_HEIGHT || width > FB_MAX_WIDTH ||
        height > FB_MAX_HEIGHT)
        return 0;
    layout_measure(&w, width, height);
    return arrange(&w, NULL);
}

struct wheel *layout_create(void *memory, uint32_t width, uint32_t height, uint32_t seed)
{
    struct wheel *w = memory;
    layout_measure(w, width, height);
    w->seed = seed;
    arrange(w, memory);
    number_masks_draw(w);
    return w;
}
