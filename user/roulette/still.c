// The part of the picture that never moves: the table, the bowl and the cone.

#include "user/roulette/wheel.h"

// The light on the table comes from above the wheel and gets weaker towards the corners. A little
// noise prevents visible bands in the gradient.
static uint32_t table_colour(const struct wheel *w, int32_t x, int32_t y)
{
    int64_t right = x * SUB - w->x, down = y * SUB - w->y;
    int64_t far = (right * right + down * down) * 40 / ((int64_t)w->radius * w->radius);
    int level = 330 - clamp_int((int)far, 0, 190);
    int grain = (int)(hash32((uint32_t)(y * 4096 + x)) & 15) - 8;
    return shade(TABLE, level + grain);
}

// The wheel's shadow falls to the lower right and fades within a fifth of the radius.
static int table_shadow(const struct wheel *w, int32_t right, int32_t down, uint32_t radius)
{
    right -= w->radius / 40;
    down -= w->radius / 24;
    uint64_t square = (uint64_t)((int64_t)right * right + (int64_t)down * down);
    int32_t far = (int32_t)square_root_near(square, radius);
    int t = clamp_int((int)((int64_t)(w->radius * 9 / 8 - far) * 256 / (w->radius / 6)), 0, 256);
    return t * t >> 8;
}

uint32_t still_colour(const struct wheel *w, int32_t x, int32_t y, uint32_t radius)
{
    int32_t right = x * SUB + SUB / 2 - w->x, down = y * SUB + SUB / 2 - w->y;
    if ((int64_t)radius * radius > (int64_t)w->radius * w->radius * 25 / 16)
        return table_colour(w, x, y);

    int share = coverage(w->radius - (int32_t)radius);
    uint32_t colour = 0;
    if (share < 256)
        colour =
            shade(table_colour(w, x, y), 256 - table_shadow(w, right, down, radius) * 200 / 256);
    if (share == 0)
        return colour;
    int facing = radius == 0 ? 0 : (right * LIGHT_RIGHT + down * LIGHT_DOWN) / (int32_t)radius;
    return blend(colour, wheel_colour(w, (int32_t)radius, direction(right, down), facing), share);
}
