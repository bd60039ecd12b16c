// A stroke font: it draws capitals, digits and a few signs as lines and curves, in any size and
// thickness, into an 8-bit coverage mask. The functions use integers only and make no system calls,
// so that they compile for guest and host.
//
// Lengths are in sub-pixels, FONT_SUB to a pixel. A glyph is designed on a grid that has 12 units
// from the top of a capital to the base line; `size` is this height. Lower-case letters are drawn
// as capitals. A character that the font does not have is drawn as a space.

#ifndef RINGFENCE_FONT_H
#define RINGFENCE_FONT_H

#include <stdint.h>

#define FONT_SUB 64

// Coverage from 0 to 255, `width` bytes a row. The caller owns the bytes.
struct font_mask {
    uint8_t *bytes;
    int width, height; // pixels
};

struct font_style {
    int size;   // height of a capital
    int stroke; // thickness of a line
    int ramp;   // distance over which an edge fades; use FONT_SUB for a mask shown at its own size
};

// The distance from the start of this character to the start of the next one.
int font_advance(char c, int size);
// The width of a text, without the gap after its last character.
int font_width(const char *text, int size);

// Draws one character; (x, y) is the top left corner of its grid. Where it meets what is already
// drawn, the larger coverage wins. Parts outside the mask are cut off.
void font_draw(struct font_mask *mask, char c, int x, int y, const struct font_style *style);

#endif
