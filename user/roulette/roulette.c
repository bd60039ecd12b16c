// The wheel's picture as a whole: its memory, and drawing a frame over an earlier one.
#if SOLVED_FRAME_RATE
//
// This draws only what moves. It restores the ball's old place from the still picture, then draws
// the rows of pixels that turn, two pixels in each store, and the ball.

#include "user/roulette/roulette.h"
#include "user/roulette/texture.h"
#include "user/roulette/wheel.h"

// Two pixels at once. may_alias: other code writes the same memory pixel by pixel.
typedef uint64_t __attribute__((may_alias)) pixel_pair;

// ---- memory ----

static size_t take(size_t *offset, size_t bytes)
{
    size_t at = *offset;
    *offset += (bytes + 63) & ~(size_t)63;
    return at;
}

// Lays out the tables of `w` after its own memory. Returns the size of both together.
static size_t arrange(const struct wheel *w, size_t size, char *block, struct tables **made)
{
    take(&size, 0);
    size_t tables = take(&size, sizeof(struct tables));
    size_t still = take(&size, (size_t)w->width * w->rows * sizeof(uint32_t));
    size_t texture = take(&size, texture_bytes(w));
    size_t map = take(&size, map_capacity(w) * sizeof(uint32_t));
    size_t spans = take(&size, w->rows * 4 * sizeof(struct span)); // at most four in a row
    if (block != NULL) {
        struct tables *t = *made = (struct tables *)(block + tables);
        *t = (struct tables){.still = (uint32_t *)(block + still)};
        t->texture = (uint32_t *)(block + texture);
        t->map = (uint32_t *)(block + map);
        t->spans = (struct span *)(block + spans);
    }
    return size;
}

size_t wheel_memory(uint32_t width, uint32_t height)
{
    struct wheel w;
    size_t size = layout_bytes(width, height);
    if (size == 0)
        return 0;
    layout_measure(&w, width, height);
    return arrange(&w, size, NULL, NULL);
}

// Leaves out the pixels that turn: they are never restored.
static void still_paint(const struct wheel *w, uint32_t *pixel)
{
    for (int32_t y = 0; y < (int32_t)w->rows; y++) {
        uint32_t radius = 0;
        for (int32_t x = 0; x < (int32_t)w->width; x++, pixel++) {
            int32_t right = x * SUB + SUB / 2 - w->x, down = y * SUB + SUB / 2 - w->y;
            uint64_t square = (uint64_t)((int64_t)right * right + (int64_t)down * down);
            radius = square_root_near(square, radius);
            *pixel = cell_row(w, (int32_t)radius) < 0 ? still_colour(w, x, y, radius) : 0;
        }
    }
}

struct wheel *wheel_create(void *memory, uint32_t width, uint32_t height, uint32_t seed)
{
    struct wheel *w = layout_create(memory, width, height, seed);
    arrange(w, layout_bytes(width, height), memory, &w->tables);
    texture_build(w, w->tables);
    still_paint(w, w->tables->still);
    panel_plate(w, w->tables->still, w->width * sizeof(uint32_t));
    return w;
}

// ---- drawing ----

static void restore_still(const struct wheel *w, uint32_t *pixels, size_t stride, struct box box)
{
    for (int32_t y = box.top; y < box.bottom; y++) {
        const uint32_t *from = w->tables->still + (size_t)y * w->width;
        uint32_t *to = row_of(pixels, stride, y);
        for (int32_t x = box.left; x < box.right; x++)
            to[x] = from[x];
    }
}

static inline uint32_t texel(const char *texture, uint32_t offset)
{
    return *(const uint32_t *)(texture + offset);
}

// Draws a row of pixels that turn: pixel i is the texel at map[i] bytes into the texture.
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
    const struct tables *t = w->tables;
    const char *texture = (const char *)t->texture + texture_turn(w, rotor);
    for (uint32_t i = 0; i < t->nspans; i++) {
        const struct span *s = &t->spans[i];
        draw_span(row_of(pixels, stride, s->y) + s->x, t->map + s->first, s->count, texture);
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
    struct tables *t = w->tables;
    if (!t->drawn[buffer].valid) {
        wheel_draw_full(w, buffer, pixels, stride, frame);
        damage[0] = (struct fb_rect){0, 0, w->width, w->height};
        return 1;
    }
    struct motion m = motion_at(w, frame);
    struct box old_ball = t->drawn[buffer].ball, ball = ball_box(w, &m);
    unsigned n = 0;

    restore_still(w, pixels, stride, old_ball);
    draw_turning(w, pixels, stride, m.rotor);
    damage[n++] = rect_of(t->turning);
    if (t->drawn[buffer].panel != panel_version(&m)) {
        restore_still(w, pixels, stride, w->panel);
        panel_draw(w, pixels, stride, &m);
        damage[n++] = rect_of(w->panel);
    }
    ball_draw(w, pixels, stride, &m);
    if (!contains(t->turning, old_ball))
        damage[n++] = rect_of(old_ball);
    if (!contains(t->turning, ball))
        damage[n++] = rect_of(ball);
    t->drawn[buffer].ball = ball;
    t->drawn[buffer].panel = panel_version(&m);
    return n;
}

void wheel_draw_full(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                     uint32_t frame)
{
    struct tables *t = w->tables;
    struct motion m = motion_at(w, frame);
    restore_still(w, pixels, stride, (struct box){0, 0, (int32_t)w->width, (int32_t)w->rows});
    for (uint32_t y = w->rows; y < w->height; y++)
        for (uint32_t x = 0; x < w->width; x++)
            row_of(pixels, stride, (int32_t)y)[x] = WHEEL_STRIP_COLOUR;
    draw_turning(w, pixels, stride, m.rotor);
    panel_draw(w, pixels, stride, &m);
    ball_draw(w, pixels, stride, &m);
    t->drawn[buffer].valid = true;
    t->drawn[buffer].ball = ball_box(w, &m);
    t->drawn[buffer].panel = panel_version(&m);
}
#elif SOLVED_WHEEL
//
// Draws every frame as a whole, from back to front, one pixel after the other.

#include "user/roulette/roulette.h"
#include "user/roulette/wheel.h"

size_t wheel_memory(uint32_t width, uint32_t height)
{
    return layout_bytes(width, height);
}

struct wheel *wheel_create(void *memory, uint32_t width, uint32_t height, uint32_t seed)
{
    return layout_create(memory, width, height, seed);
}

// volatile, so that the pixel really is in memory when the device reads it.
static void put_pixel(uint32_t *pixels, size_t stride, uint32_t x, uint32_t y, uint32_t colour)
{
    *(volatile uint32_t *)(row_of(pixels, stride, (int32_t)y) + x) = colour;
}

void wheel_draw_full(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                     uint32_t frame)
{
    struct motion m = motion_at(w, frame);
    (void)buffer;
    for (uint32_t y = 0; y < w->rows; y++)
        for (uint32_t x = 0; x < w->width; x++)
            put_pixel(pixels, stride, x, y, wheel_pixel(w, (int32_t)x, (int32_t)y, m.rotor));
    for (uint32_t y = w->rows; y < w->height; y++)
        for (uint32_t x = 0; x < w->width; x++)
            put_pixel(pixels, stride, x, y, WHEEL_STRIP_COLOUR);
    panel_plate(w, pixels, stride);
    panel_draw(w, pixels, stride, &m);
    ball_draw(w, pixels, stride, &m);
}

unsigned wheel_draw(struct wheel *w, unsigned buffer, uint32_t *pixels, size_t stride,
                    uint32_t frame, struct fb_rect damage[WHEEL_MAX_DAMAGE])
{
    wheel_draw_full(w, buffer, pixels, stride, frame);
    damage[0] = (struct fb_rect){0, 0, w->width, w->height};
    return 1;
}
#endif // SOLVED_FRAME_RATE
