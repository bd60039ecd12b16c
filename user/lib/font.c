// The stroke font: the glyphs, and a rasteriser that works with the distance to a stroke.

#include "user/lib/font.h"
#include <stddef.h>

// A glyph is a list of strokes with spaces between them. A stroke is a list of points. A point is
// two hexadecimal digits: x from 0 to 8, and y from 0 at the top to c at the base line. A point
// after '~' is the control point of a quadratic curve between its neighbours.
static const char *const glyphs[128] = {
    ['0'] = "04~0040~808488~8c4c~0c0804",
    ['1'] = "02303c",
    ['2'] = "03~0040~8083~85670c8c",
    ['3'] = "02~1040~8083~864636 46~8689~8c4c~1c0a",
    ['4'] = "6c600888",
    ['5'] = "701005~1444~8488~8c4c~1c0a",
    ['6'] = "71~6040~000608~0c4c~8c88~8444~0408",
    ['7'] = "00803c",
    ['8'] = "40~7073~7646~1613~1040 46~8689~8c4c~0c09~0646",
    ['9'] = "1b~2c4c~8c8684~8040~0004~0848~8884",
    ['A'] = "0c408c 2868",
    ['B'] = "0c0050~7073~7656 0656~8689~8c5c0c",
    ['C'] = "82~7040~000408~0c4c~7c8a",
    ['D'] = "0c0040~808488~8c4c0c",
    ['E'] = "70000c7c 0666",
    ['F'] = "70000c 0666",
    ['G'] = "82~7040~000408~0c4c~8c888656",
    ['H'] = "000c 808c 0686",
    ['I'] = "000c",
    ['J'] = "6069~6c3c~0c09",
    ['K'] = "000c 7007 357c",
    ['L'] = "000c7c",
    ['M'] = "0c0047808c",
    ['N'] = "0c008c80",
    ['O'] = "04~0040~808488~8c4c~0c0804",
    ['P'] = "0c0050~8083~865606",
    ['Q'] = "04~0040~808488~8c4c~0c0804 598d",
    ['R'] = "0c0050~8083~865606 468c",
    ['S'] = "82~7040~0003~0646~8689~8c4c~1c0a",
    ['T'] = "0080 404c",
    ['U'] = "0008~0c4c~8c8880",
    ['V'] = "004c80",
    ['W'] = "002c436c80",
    ['X'] = "008c 800c",
    ['Y'] = "004680 464c",
    ['Z'] = "00800c8c",
    ['.'] = "0c0c",
    [','] = "1b0e",
    [':'] = "0404 0b0b",
    ['-'] = "0656",
    ['+'] = "0767 343a",
    ['='] = "0464 0868",
    ['/'] = "0c60",
    ['?'] = "03~0040~8083~864648 4c4c",
    ['!'] = "0008 0c0c",
    ['%'] = "0c80 1111 7b7b",
    ['('] = "30~0206~0a3c",
    [')'] = "00~3236~3a0c",
};

#define GRID_HEIGHT 12
#define GAP 4 // between two characters, in grid units
#define SPACE 6
#define CURVE_PIECES 6 // straight pieces of a curve

static const char *glyph_of(char c)
{
    if (c >= 'a' && c <= 'z')
        c += 'A' - 'a';
    return (unsigned char)c < 128 ? glyphs[(unsigned char)c] : NULL;
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

int font_advance(char c, int size)
{
    const char *g = glyph_of(c);
    if (g == NULL)
        return SPACE * size / GRID_HEIGHT;
    int right = 0;
    for (; *g != '\0'; g++) {
        if (*g == ' ' || *g == '~')
            continue;
        right = digit(*g) > right ? digit(*g) : right;
        g++;
    }
    return (right + GAP) * size / GRID_HEIGHT;
}

int font_width(const char *text, int size)
{
    int width = 0;
    for (; *text != '\0'; text++)
        width += font_advance(*text, size);
    return width - GAP * size / GRID_HEIGHT;
}

static int64_t root(int64_t value)
{
    int64_t result = 0;
    for (int64_t bit = (int64_t)1 << 20; bit > 0; bit >>= 1)
        if ((result + bit) * (result + bit) <= value)
            result += bit;
    return result;
}

struct point {
    int x, y;
};

// A straight piece: from a to a + (dx, dy).
struct piece {
    struct point a;
    int64_t dx, dy, length, length2; // length2: the square of the length
};

// The square of the distance from (x, y) to the piece.
static int64_t distance2(const struct piece *p, int x, int y)
{
    int64_t px = x - p->a.x, py = y - p->a.y;
    int64_t along = px * p->dx + py * p->dy;
    if (along <= 0)
        return px * px + py * py;
    if (along >= p->length2)
        return (px - p->dx) * (px - p->dx) + (py - p->dy) * (py - p->dy);
    int64_t across = (px * p->dy - py * p->dx) / p->length;
    return across * across;
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static void draw_piece(struct font_mask *mask, struct point a, struct point b,
                       const struct font_style *style)
{
    struct piece p = {.a = a, .dx = b.x - a.x, .dy = b.y - a.y};
    p.length2 = p.dx * p.dx + p.dy * p.dy;
    p.length = root(p.length2);

    int64_t outside = (style->stroke + style->ramp) / 2, inside = (style->stroke - style->ramp) / 2;
    int x0 = clamp(((a.x < b.x ? a.x : b.x) - (int)outside) / FONT_SUB, 0, mask->width);
    int y0 = clamp(((a.y < b.y ? a.y : b.y) - (int)outside) / FONT_SUB, 0, mask->height);
    int x1 = clamp(((a.x < b.x ? b.x : a.x) + (int)outside) / FONT_SUB + 1, 0, mask->width);
    int y1 = clamp(((a.y < b.y ? b.y : a.y) + (int)outside) / FONT_SUB + 1, 0, mask->height);

    for (int y = y0; y < y1; y++) {
        uint8_t *row = mask->bytes + (size_t)y * mask->width;
        for (int x = x0; x < x1; x++) {
            int64_t d2 = distance2(&p, x * FONT_SUB + FONT_SUB / 2, y * FONT_SUB + FONT_SUB / 2);
            if (d2 >= outside * outside)
                continue;
            int cover = 255;
            if (inside < 0 || d2 > inside * inside)
                cover = clamp((int)((outside - root(d2)) * 255 / style->ramp), 0, 255);
            if (cover > row[x])
                row[x] = (uint8_t)cover;
        }
    }
}

static void draw_curve(struct font_mask *mask, struct point a, struct point control, struct point b,
                       const struct font_style *style)
{
    struct point last = a;
    for (int i = 1; i <= CURVE_PIECES; i++) {
        int t = i, s = CURVE_PIECES - i, all = CURVE_PIECES * CURVE_PIECES;
        struct point next = {(s * s * a.x + 2 * s * t * control.x + t * t * b.x) / all,
                             (s * s * a.y + 2 * s * t * control.y + t * t * b.y) / all};
        draw_piece(mask, last, next, style);
        last = next;
    }
}

void font_draw(struct font_mask *mask, char c, int x, int y, const struct font_style *style)
{
    const char *g = glyph_of(c);
    struct point pen = {0, 0}, control = {0, 0};
    enum { NO_PEN, LINE, CURVE } mode = NO_PEN;

    while (g != NULL && *g != '\0') {
        if (*g == ' ') {
            mode = NO_PEN;
            g++;
            continue;
        }
        int is_control = *g == '~';
        g += is_control;
        struct point p = {x + digit(g[0]) * style->size / GRID_HEIGHT,
                          y + digit(g[1]) * style->size / GRID_HEIGHT};
        g += 2;
        if (is_control) {
            control = p;
            mode = CURVE;
            continue;
        }
        if (mode == LINE)
            draw_piece(mask, pen, p, style);
        else if (mode == CURVE)
            draw_curve(mask, pen, control, p, style);
        pen = p;
        mode = LINE;
    }
}
