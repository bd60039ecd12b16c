// The wheel's picture, put together: memory, layout, and drawing a frame over another one.
//
// Only what moves is drawn: the ball's old place is restored from the still picture, then come the rows
// of pixels that turn, two pixels to a store, and the ball.

#include "user/roulette.h"
#include "user/roulette_wheel.h"

// Two pixels at once. The type may alias the pixels, which are written singly elsewhere.
typedef uint64_t __attribute__((may_alias)) pixel_pair;

// ---- memory and layout ----

// Outer edges of the rings, in 1/1024 of the wheel's radius.
static const uint16_t ring_edges[RINGS] = {
    [DOME] = 58,          [DOME_GROOVE] = 66,  [SPINDLE] = 228, [CONE_GROOVE] = 236, [CONE] = 478,
    [ROTOR_GROOVE] = 488, [INNER_RIM] = 500,   [POCKET] = 622,  [LEDGE] = 628,       [NUMBER] = 734,
    [OUTER_RIM] = 747,    [BOWL_GROOVE] = 757, [SLOPE] = 840,   [SLOPE_RIM] = 848,   [TRACK] = 936,
    [TRACK_RIM] = 946,    [WOOD] = 1014,       [EDGE] = 1024,
};

// The wheel is as large as fits beside the panel, or above it where the screen is higher than wide.
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
    texture_layout(w);
}

static size_t take(size_t *offset, size_t bytes)
{
    size_t at = *offset;
    *offset += (bytes + 63) & ~(size_t)63;
    return at;
}

// Lays out everything in one block, whose address may still be NULL; returns its size.
static size_t arrange(struct wheel *w, char *block)
{
    size_t size = 0;
    take(&size, sizeof(struct wheel));
    struct font_mask digit = number_mask(w, 0);
    size_t glyph = (size_t)(w->unit * 24 / SUB + 8) * (size_t)(w->unit * 26 / SUB + 8);
    size_t digits = (size_t)10 * digit.width * digit.height;
    size_t still = take(&size, (size_t)w->width * w->rows * sizeof(uint32_t));
    size_t texture = take(&size, texture_bytes(w));
    size_t map = take(&size, map_capacity(w) * sizeof(uint32_t));
    size_t spans = take(&size, w->rows * 4 * sizeof(struct span)); // at most four in a row
    size_t scratch = take(&size, glyph > digits ? glyph : digits);
    if (block != NULL) {
        w->still = (uint32_t *)(block + still);
        w->texture = (uint32_t *)(block + texture);
        w->map = (uint32_t *)(block + map);
        w->spans = (struct span *)(block + spans);
        w->scratch = (uint8_t *)(block + scratch);
    }
    return size;
}

static void set_size(struct wheel *w, uint32_t width, uint32_t height)
{
    *w = (struct wheel){.width = width, .height = height};
    w->rows = height - wheel_strip_rows(height);
    place(w);
}

size_t wheel_memory(uint32_t width, uint32_t height)
{
    struct wheel w;
    if (width < WHEEL_MIN_WIDTH || height < WHEEL_MIN_HEIGHT || width > FB_MAX_WIDTH ||
        height > FB_MAX_HEIGHT)
        return 0;
    set_size(&w, width, height);
    return arrange(&w, NULL);
}

struct wheel *wheel_create(void *memory, uint32_t width, uint32_t height, uint32_t seed)
{
    struct wheel *w = memory;
    set_size(w, width, height);
    w->seed = seed;
    arrange(w, memory);
    texture_build(w);
    still_paint(w);
    return w;
}

// ---- drawing ----

static void restore_still(const struct wheel *w, uint32_t *pixels, size_t stride, struct box box)
{
    for (int32_t y = box.top; y < box.bottom; y++) {
        const uint32_t *from = w->still + (size_t)y * w->width;
        uint32_t *to = row_of(pixels, stride, y);
        for (int32_t x = box.left; x < box.right; x++)
            to[x] = from[x];
    }
}

static inline uint32_t texel(const char *texture, uint32_t offset)
{
    return *(const uint32_t *)(texture + offset);
}

// One row of pixels that turn: pixel i is the texel map[i] bytes into the texture.
static void draw_span(uint32_t *to, const uint32_t *map, uint32_t count, const char *texture)
{
    if (count > 0 && (uintptr_t)to % sizeof(pixel_pair) != 0) {
        *to++ = texel(texture, *map++);
        count--;
    }
    for (; count >= 4; count -= 4, to += 4, map += 4) {
        uint64_t a = texel(texture, map[0]);
        uint64_t b = texel(texture, map[1]);
        uint64_t c = texel(texture, map[2]);
        uint64_t d = texel(texture, map[3]);
        ((pixel_pair *)to)[0] = a | b << 32;
        ((pixel_pair *)to)[1] = c | d << 32;
    }
    for (; count > 0; count--)
        *to++ = texel(texture, *map++);
}

static void draw_turning(const struct wheel *w, uint32_t *pixels, size_t stride, angle_t rotor)
{
    const char *texture = (const char *)w->texture + texture_turn(w, rotor);
    for (uint32_t i = 0; i < w->nspans; i++) {
        const struct span *s = &w->spans[i];
        draw_span(row_of(pixels, stride, s->y) + s->x, w->map + s->first, s->count, texture);
    }
}

static struct fb_rect rect_of(struct box box)
{
    return (struct fb_rect){(uint32_t)box.left, (uint32_t)box.top, (uint32_t)(box.right - box.left),
                            (uint32_t)(box.bottom - box.top)};
}

static bool contains(struct box outer, struct box inner)
{
    return inner.left >= outer.left && inner.right <= outer.right && inner.top >= outer.top &&
           inner.bottom <= outer.bottom;
}

unsigned wheel_draw(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                    uint32_t frame, struct fb_rect damage[WHEEL_MAX_DAMAGE])
{
    if (!w->drawn[buffer].valid) {
        wheel_draw_full(w, buffer, pixels, stride, frame);
        damage[0] = (struct fb_rect){0, 0, w->width, w->height};
        return 1;
    }
    struct motion m = motion_at(w, frame);
    struct box old_ball = w->drawn[buffer].ball, ball = ball_box(w, &m);
    unsigned n = 0;

    restore_still(w, pixels, stride, old_ball);
    draw_turning(w, pixels, stride, m.rotor);
    damage[n++] = rect_of(w->turning);
    if (w->drawn[buffer].panel != panel_version(&m)) {
        panel_draw(w, pixels, stride, &m);
        damage[n++] = rect_of(w->panel);
    }
    ball_draw(w, pixels, stride, &m);
    if (!contains(w->turning, old_ball))
        damage[n++] = rect_of(old_ball);
    if (!contains(w->turning, ball))
        damage[n++] = rect_of(ball);
    w->drawn[buffer].ball = ball;
    w->drawn[buffer].panel = panel_version(&m);
    return n;
}

void wheel_draw_full(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                     uint32_t frame)
{
    struct motion m = motion_at(w, frame);
    restore_still(w, pixels, stride, (struct box){0, 0, (int32_t)w->width, (int32_t)w->rows});
    for (uint32_t y = w->rows; y < w->height; y++)
        for (uint32_t x = 0; x < w->width; x++)
            row_of(pixels, stride, (int32_t)y)[x] = WHEEL_STRIP_COLOUR;
    draw_turning(w, pixels, stride, m.rotor);
    panel_draw(w, pixels, stride, &m);
    ball_draw(w, pixels, stride, &m);
    w->drawn[buffer].valid = true;
    w->drawn[buffer].ball = ball_box(w, &m);
    w->drawn[buffer].panel = panel_version(&m);
}
