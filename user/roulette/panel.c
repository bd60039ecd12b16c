// The panel: the winning number on a card in its colour, and the history of earlier numbers.
//
// Beside the wheel, the panel has 40 x 104 units, and the result is above the history. Below the
// wheel, it has 84 x 50 units, and they are side by side.

#include "user/roulette/wheel.h"

#define CHIPS 8 // numbers in the history

static const char *const words[] = {"PLACE YOUR BETS", "NO MORE BETS"};

// ---- drawing ----

struct canvas {
    uint32_t *pixels;
    size_t stride;
    struct box clip;
};

// Draws a rectangle with round corners, filled with a gradient from top to bottom. Lengths are in
// sub-pixels.
static void fill_round(const struct canvas *c, struct box r, int32_t corner, uint32_t top,
                       uint32_t bottom)
{
    int32_t mid_x = (r.left + r.right) / 2, mid_y = (r.top + r.bottom) / 2;
    int32_t half_x = (r.right - r.left) / 2 - corner, half_y = (r.bottom - r.top) / 2 - corner;
    for (int32_t y = r.top / SUB; y <= r.bottom / SUB && y < c->clip.bottom; y++) {
        uint32_t *row = row_of(c->pixels, c->stride, y);
        int32_t dy = y * SUB + SUB / 2 - mid_y;
        dy = (dy < 0 ? -dy : dy) - half_y;
        int t = clamp_int((y * SUB + SUB / 2 - r.top) * 256 / (r.bottom - r.top), 0, 256);
        uint32_t colour = blend(top, bottom, t);
        for (int32_t x = r.left / SUB; x <= r.right / SUB && x < c->clip.right; x++) {
            int32_t dx = x * SUB + SUB / 2 - mid_x;
            dx = (dx < 0 ? -dx : dx) - half_x;
            int32_t out = dx > dy ? dx : dy;
            if (dx > 0 && dy > 0)
                out = (int32_t)square_root((uint64_t)((int64_t)dx * dx + (int64_t)dy * dy));
            row[x] = blend(row[x], colour, coverage(corner - out));
        }
    }
}

static struct box inset(struct box r, int32_t by)
{
    return (struct box){r.left + by, r.top + by, r.right - by, r.bottom - by};
}

// Draws one glyph with its top left corner at (x, y), using a mask.
static void draw_glyph(const struct wheel *w, const struct canvas *c, char glyph, int32_t x,
                       int32_t y, const struct font_style *style, uint32_t colour)
{
    int32_t margin = style->stroke + SUB, left = (x - margin) / SUB, top = (y - margin) / SUB;
    struct font_mask mask = {
        .bytes = w->glyph,
        .width = font_advance(glyph, style->size) / SUB + 2 * margin / SUB + 2,
        .height = (style->size + 2 * margin) / SUB + 2,
    };
    for (int i = 0; i < mask.width * mask.height; i++)
        mask.bytes[i] = 0;
    font_draw(&mask, glyph, x - left * SUB, y - top * SUB, style);
    for (int32_t row = 0; row < mask.height; row++) {
        if (top + row < c->clip.top || top + row >= c->clip.bottom)
            continue;
        uint32_t *pixels = row_of(c->pixels, c->stride, top + row);
        for (int32_t column = 0; column < mask.width; column++) {
            int share = mask.bytes[row * mask.width + column];
            if (share != 0 && left + column >= c->clip.left && left + column < c->clip.right)
                pixels[left + column] = blend(pixels[left + column], colour, share + (share >> 7));
        }
    }
}

// Draws a text with its middle at (x, y).
static void draw_text(const struct wheel *w, const struct canvas *c, const char *text, int32_t x,
                      int32_t y, int32_t size, int32_t stroke, uint32_t colour)
{
    struct font_style style = {.size = size, .stroke = stroke, .ramp = SUB};
    x -= font_width(text, size) / 2;
    y -= size / 2;
    for (; *text != '\0'; text++) {
        draw_glyph(w, c, *text, x, y, &style, colour);
        x += font_advance(*text, size);
    }
}

static void draw_number(const struct wheel *w, const struct canvas *c, unsigned number, int32_t x,
                        int32_t y, int32_t size)
{
    char text[3] = {(char)('0' + number / 10), (char)('0' + number % 10), '\0'};
    draw_text(w, c, number < 10 ? text + 1 : text, x, y, size, size * 5 / 32, 0xffffff);
}

// ---- layout ----

static bool is_beside(const struct wheel *w)
{
    return w->panel.bottom - w->panel.top >= w->panel.right - w->panel.left;
}

// A place in the panel, given in units to the right of and down from the top left corner of the
// result or the history.
static int32_t at_x(const struct wheel *w, bool history, int32_t units)
{
    int32_t wide = is_beside(w) ? 40 : 84;
    int32_t left = (w->panel.left + w->panel.right) * SUB / 2 - wide * w->unit / 2;
    return left + (units + (history && !is_beside(w) ? 44 : 0)) * w->unit;
}

static int32_t at_y(const struct wheel *w, bool history, int32_t units)
{
    int32_t high = is_beside(w) ? 104 : 50;
    int32_t top = (w->panel.top + w->panel.bottom) * SUB / 2 - high * w->unit / 2;
    return top + (units + (history ? (is_beside(w) ? 66 : 8) : is_beside(w) ? 10 : 0)) * w->unit;
}

void panel_layout(struct wheel *w)
{
    int32_t wide = w->panel.right - w->panel.left, high = w->panel.bottom - w->panel.top;
    bool beside = high >= wide;
    int32_t unit_x = wide * SUB / (beside ? 40 : 84), unit_y = high * SUB / (beside ? 104 : 50);
    w->unit = unit_x < unit_y ? unit_x : unit_y;
}

static struct box card(const struct wheel *w)
{
    return (struct box){at_x(w, false, 4), at_y(w, false, 2), at_x(w, false, 36),
                        at_y(w, false, 34)};
}

static struct box chip(const struct wheel *w, int32_t i)
{
    int32_t left = at_x(w, true, 3) + (i % 4) * w->unit * 35 / 4;
    int32_t top = at_y(w, true, 8) + (i / 4) * w->unit * 35 / 4;
    return (struct box){left, top, left + w->unit * 31 / 4, top + w->unit * 31 / 4};
}

// ---- content ----

void panel_plate(const struct wheel *w, uint32_t *pixels, size_t stride)
{
    struct canvas c = {pixels, stride, {0, 0, (int32_t)w->width, (int32_t)w->rows}};
    int32_t u = w->unit;
    struct box frame = card(w);
    fill_round(&c, inset(frame, -u), 4 * u, 0xd9b566, 0x8a6526);
    fill_round(&c, inset(frame, -u * 3 / 8), 27 * u / 8, 0x07090d, 0x07090d);
    fill_round(&c, frame, 3 * u, 0x1b222e, 0x10151d);
    for (int32_t i = 0; i < CHIPS; i++) {
        fill_round(&c, chip(w, i), u * 3 / 2, 0x2b3442, 0x232b38);
        fill_round(&c, inset(chip(w, i), u / 4), u * 5 / 4, 0x141a23, 0x10151d);
    }
    draw_text(w, &c, "LAST SPINS", at_x(w, true, 20), at_y(w, true, 3), u * 5 / 2, u * 3 / 8,
              0x8e99aa);
}

// This changes whenever the panel must be drawn again.
uint32_t panel_version(const struct motion *m)
{
    return m->round * 4 + (uint32_t)m->phase;
}

static void copy_text(char **to, const char *text)
{
    while (*text != '\0')
        *(*to)++ = *text++;
    **to = '\0';
}

// The names of the bets that win, such as "RED ODD HIGH".
static void describe(unsigned number, char text[24])
{
    if (number == 0) {
        copy_text(&text, "ZERO");
        return;
    }
    copy_text(&text, number_colour(number) == RED ? "RED " : "BLACK ");
    copy_text(&text, number % 2 == 1 ? "ODD " : "EVEN ");
    copy_text(&text, number <= 18 ? "LOW" : "HIGH");
}

void panel_draw(const struct wheel *w, uint32_t *pixels, size_t stride, const struct motion *m)
{
    struct canvas c = {pixels, stride, w->panel};
    struct box frame = card(w);
    int32_t u = w->unit, middle = (frame.left + frame.right) / 2;
    char line[24];

    if (m->phase == DECIDED) {
        unsigned number = wheel_winner(w->seed, m->round);
        uint32_t colour = number_colour(number);
        uint32_t top = colour == BLACK ? 0x3a3d46 : shade(colour, 300);
        fill_round(&c, frame, 3 * u, top, shade(colour, 220));
        draw_number(w, &c, number, middle, (frame.top + frame.bottom) / 2, 15 * u);
        describe(number, line);
    } else {
        for (int32_t i = -1; i <= 1; i++)
            draw_text(w, &c, ".", middle + i * 7 * u, frame.top + 14 * u, 4 * u, 3 * u, 0x4a566a);
    }
    draw_text(w, &c, m->phase == DECIDED ? line : words[m->phase], middle, at_y(w, false, 41),
              u * 20 / 8, u * 13 / 32, 0xe6d3a0);

    uint32_t known = m->round + (m->phase == DECIDED);
    for (uint32_t i = 0; i < CHIPS && i < known; i++) {
        unsigned number = wheel_winner(w->seed, known - 1 - i);
        uint32_t colour = number_colour(number);
        struct box r = chip(w, (int32_t)i);
        fill_round(&c, r, u * 3 / 2, colour == BLACK ? 0x50545f : shade(colour, 330),
                   colour == BLACK ? 0x2c2f37 : shade(colour, 256));
        fill_round(&c, inset(r, u / 4), u * 5 / 4, shade(colour, 270), shade(colour, 220));
        draw_number(w, &c, number, (r.left + r.right) / 2, (r.top + r.bottom) / 2, u * 25 / 8);
    }
}
