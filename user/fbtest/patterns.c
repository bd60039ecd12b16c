// The test patterns of fbtest.

#include "user/fbtest/fbtest.h"
#include "user/lib/font.h"

// ---- drawing ----

static uint32_t *row_of(const struct picture *p, uint32_t y)
{
    return (uint32_t *)((char *)p->pixels + p->stride * y);
}

static struct fb_rect whole(const struct picture *p)
{
    return (struct fb_rect){0, 0, p->width, p->height};
}

static void fill(const struct picture *p, struct fb_rect r, uint32_t colour)
{
    for (uint32_t y = r.y; y < r.y + r.height; y++)
        for (uint32_t x = r.x; x < r.x + r.width; x++)
            row_of(p, y)[x] = colour;
}

// A hash of two numbers.
static uint32_t mix(uint32_t a, uint32_t b)
{
    uint32_t v = a * 0x9e3779b1u + b;
    v = (v ^ (v >> 16)) * 0x7feb352du;
    v = (v ^ (v >> 15)) * 0x846ca68bu;
    return v ^ (v >> 16);
}

// A rectangle inside the picture, at most a quarter of its width and height. Positions and sizes
// are odd as often as even.
static struct fb_rect random_rect(const struct picture *p, uint32_t salt)
{
    struct fb_rect r;
    r.width = 1 + mix(salt, 1) % (p->width / 4 + 1);
    r.height = 1 + mix(salt, 2) % (p->height / 4 + 1);
    r.width = r.width > p->width ? p->width : r.width;
    r.height = r.height > p->height ? p->height : r.height;
    r.x = mix(salt, 3) % (p->width - r.width + 1);
    r.y = mix(salt, 4) % (p->height - r.height + 1);
    return r;
}

// Fills a rectangle so that each pixel differs from its neighbours: a pixel in the wrong place
// shows.
static void fill_texture(const struct picture *p, struct fb_rect r, uint32_t salt)
{
    uint32_t tint = mix(salt, 5) & 0x7f7f7f;
    for (uint32_t y = r.y; y < r.y + r.height; y++)
        for (uint32_t x = r.x; x < r.x + r.width; x++)
            row_of(p, y)[x] = tint + ((x * 5 & 127) << 16 | (y * 3 & 127) << 8 | ((x ^ y) & 127));
}

static uint32_t scaled(uint32_t value, uint32_t of, uint32_t to)
{
    return of <= 1 ? 0 : (uint32_t)((uint64_t)value * to / (of - 1));
}

// ---- patterns of one step ----

static struct fb_rect bars(const struct picture *p, uint32_t step)
{
    static const uint32_t colours[] = {0xffffff, 0xffff00, 0x00ffff, 0x00ff00,
                                       0xff00ff, 0xff0000, 0x0000ff, 0x000000};
    (void)step;
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++)
            row_of(p, y)[x] = colours[(uint64_t)x * 8 / p->width];
    return whole(p);
}

static struct fb_rect gradient(const struct picture *p, uint32_t step)
{
    (void)step;
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++)
            row_of(p, y)[x] = scaled(x, p->width, 255) << 16 | scaled(y, p->height, 255) << 8 |
                              scaled(x + y, p->width + p->height - 1, 255);
    return whole(p);
}

static struct fb_rect checker(const struct picture *p, uint32_t step)
{
    (void)step;
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++)
            row_of(p, y)[x] = (x / 8 + y / 8) % 2 ? 0xe8e8e8 : (x + y) % 2 ? 0x303030 : 0x000000;
    return whole(p);
}

// One-pixel lines along all four edges, each of its own colour, and a cross through the middle.
static struct fb_rect border(const struct picture *p, uint32_t step)
{
    (void)step;
    fill(p, whole(p), 0x202028);
    fill(p, (struct fb_rect){0, p->height / 2, p->width, 1}, 0x808080);
    fill(p, (struct fb_rect){p->width / 2, 0, 1, p->height}, 0x808080);
    fill(p, (struct fb_rect){0, 0, p->width, 1}, 0xff0000);
    fill(p, (struct fb_rect){0, p->height - 1, p->width, 1}, 0x00ff00);
    fill(p, (struct fb_rect){0, 0, 1, p->height}, 0x0000ff);
    fill(p, (struct fb_rect){p->width - 1, 0, 1, p->height}, 0xffff00);
    return whole(p);
}

// Draws the set pixels of a glyph, using a small mask.
static void draw_glyph(const struct picture *p, char c, int x, int y, int size)
{
    uint8_t bytes[64 * 64] = {0};
    struct font_mask mask = {bytes, 64, 64};
    struct font_style style = {size * FONT_SUB, size * FONT_SUB / 6, FONT_SUB};
    font_draw(&mask, c, 4 * FONT_SUB, 4 * FONT_SUB, &style);
    for (int row = 0; row < 64; row++)
        for (int column = 0; column < 64; column++)
            if (bytes[row * 64 + column] >= 128 && x + column - 4 >= 0 && y + row - 4 >= 0 &&
                x + column - 4 < (int)p->width && y + row - 4 < (int)p->height)
                row_of(p, (uint32_t)(y + row - 4))[x + column - 4] = 0xffffff;
}

static void draw_number(const struct picture *p, uint32_t value, int *x, int y, int size)
{
    char digits[11];
    int n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (n > 0) {
        draw_glyph(p, digits[--n], *x, y, size);
        *x += font_advance(digits[n], size * FONT_SUB) / FONT_SUB;
    }
}

// The gradient with a frame around it and the mode's size written on it.
static struct fb_rect size(const struct picture *p, uint32_t step)
{
    int height = p->height >= 240 ? 40 : 10, x = (int)p->width / 8, y = (int)p->height / 8;
    gradient(p, step);
    fill(p, (struct fb_rect){0, 0, p->width, 1}, 0xffffff);
    fill(p, (struct fb_rect){0, p->height - 1, p->width, 1}, 0xffffff);
    fill(p, (struct fb_rect){0, 0, 1, p->height}, 0xffffff);
    fill(p, (struct fb_rect){p->width - 1, 0, 1, p->height}, 0xffffff);
    draw_number(p, p->width, &x, y, height);
    draw_glyph(p, 'X', x + height / 3, y, height);
    x = (int)p->width / 8;
    draw_number(p, p->height, &x, y + height * 3 / 2, height);
    return whole(p);
}

// ---- patterns of many steps ----

static struct fb_rect rects(const struct picture *p, uint32_t step)
{
    if (step == 0) {
        fill(p, whole(p), 0x101820);
        return whole(p);
    }
    struct fb_rect r = random_rect(p, step);
    fill_texture(p, r, step);
    return r;
}

// The two buffers differ in colour, and a bar moves through both.
static struct fb_rect flip(const struct picture *p, uint32_t step)
{
    uint32_t colour = step % 2 ? 0x203858 : 0x583820;
    uint32_t bar = p->width / 16 + 1, old_x = step * 7 % (p->width - bar + 1);
    fill(p, whole(p), colour);
    fill(p, (struct fb_rect){old_x, 0, bar, p->height}, 0xf0f0f0 - (step % 64) * 0x010101);
    return whole(p);
}

// Rectangles in the two buffers in turn.
static struct fb_rect stress(const struct picture *p, uint32_t step)
{
    if (step < 2) {
        fill(p, whole(p), step ? 0x182018 : 0x201818);
        return whole(p);
    }
    struct fb_rect r = random_rect(p, step ^ 0x5eed0000);
    fill_texture(p, r, step);
    return r;
}

// Each step draws the whole buffer, but after the first step only the middle is presented. The rest
// of the new drawing must not be visible.
static struct fb_rect middle(const struct picture *p, uint32_t step)
{
    fill_texture(p, whole(p), step);
    if (step == 0)
        return whole(p);
    return (struct fb_rect){p->width / 4, p->height / 4, (p->width + 1) / 2, (p->height + 1) / 2};
}

const struct pattern patterns[] = {
    {"bars", "eight colour bars", 1, 1, bars},
    {"gradient", "red to the right, green down, blue along both", 1, 1, gradient},
    {"checker", "squares of 8 pixels and single pixels", 1, 1, checker},
    {"border", "one-pixel lines at all four edges", 1, 1, border},
    {"rects", "small rectangles, presented singly and together", 200, 1, rects},
    {"flip", "the two buffers in turn", 60, 2, flip},
    {"stress", "rectangles in both buffers, as fast as possible", 1000, 2, stress},
    {"middle", "all is drawn again, but only the middle presented", 3, 1, middle},
    {"size", "the mode's size in figures", 1, 1, size},
};
const unsigned pattern_count = sizeof(patterns) / sizeof(patterns[0]);

const struct fb_mode pattern_modes[] = {
    {64, 64}, {640, 480}, {800, 600}, {1024, 768}, {333, 217}, {1920, 1080},
};
const unsigned pattern_mode_count = sizeof(pattern_modes) / sizeof(pattern_modes[0]);

const struct pattern *pattern_find(const char *name)
{
    for (unsigned i = 0; i < pattern_count; i++) {
        const char *a = patterns[i].name, *b = name;
        while (*a != '\0' && *a == *b)
            a++, b++;
        if (*a == *b)
            return &patterns[i];
    }
    return NULL;
}
