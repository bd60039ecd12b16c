// The ball: an ivory sphere and its shadow.

#include "user/roulette/wheel.h"

// The size and place of the ball and of its shadow, in sub-pixels.
struct ball {
    int32_t x, y, radius;
    int32_t shadow_x, shadow_y, shadow_radius;
};

// A higher ball is a little larger. Its shadow is wider and further away.
static struct ball ball_at(const struct wheel *w, const struct motion *m)
{
    struct ball b = {.x = m->ball_x, .y = m->ball_y};
    b.radius = w->radius * 29 / 1024 + m->ball_height / 8;
    b.shadow_x = b.x + b.radius / 4 + m->ball_height * 5 / 8;
    b.shadow_y = b.y + b.radius * 3 / 8 + m->ball_height * 6 / 8;
    b.shadow_radius = b.radius * 5 / 4 + m->ball_height / 4;
    return b;
}

static int32_t min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}
static int32_t max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

struct box ball_box(const struct wheel *w, const struct motion *m)
{
    struct ball b = ball_at(w, m);
    int32_t r = b.radius + SUB, s = b.shadow_radius;
    return (struct box){
        max(min(b.x - r, b.shadow_x - s) / SUB, 0),
        max(min(b.y - r, b.shadow_y - s) / SUB, 0),
        min(max(b.x + r, b.shadow_x + s) / SUB + 1, (int32_t)w->width),
        min(max(b.y + r, b.shadow_y + s) / SUB + 1, (int32_t)w->rows),
    };
}

static int64_t distance2(int32_t dx, int32_t dy)
{
    return (int64_t)dx * dx + (int64_t)dy * dy;
}

void ball_draw(const struct wheel *w, uint32_t *pixels, size_t stride, const struct motion *m)
{
    struct ball b = ball_at(w, m);
    struct box box = ball_box(w, m);
    int64_t shadow2 = distance2(b.shadow_radius, 0);
    int64_t outside2 = distance2(b.radius + SUB, 0), bright2 = distance2(b.radius * 3 / 2, 0);

    for (int32_t y = box.top; y < box.bottom; y++) {
        uint32_t *row = row_of(pixels, stride, y);
        int32_t py = y * SUB + SUB / 2;
        for (int32_t x = box.left; x < box.right; x++) {
            int32_t px = x * SUB + SUB / 2;
            int64_t d2 = distance2(px - b.shadow_x, py - b.shadow_y);
            if (d2 < shadow2) {
                int dark = (int)((shadow2 - d2) * 170 / shadow2) * m->ball_share / 256;
                row[x] = shade(row[x], 256 - dark);
            }
            d2 = distance2(px - b.x, py - b.y);
            if (d2 >= outside2)
                continue;
            // The ball is brightest at a point on the upper left. It gets darker with the square of
            // the distance.
            int64_t far2 = distance2(px - b.x + b.radius * 3 / 8, py - b.y + b.radius / 2);
            uint32_t colour = shade(0xfffaf0, 262 - clamp_int((int)(far2 * 150 / bright2), 0, 190));
            int share = coverage(b.radius - (int32_t)square_root((uint64_t)d2));
            row[x] = blend(row[x], colour, share * m->ball_share / 256);
        }
    }
}
