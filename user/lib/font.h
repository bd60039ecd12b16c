// A stroke font: capitals, digits and a few signs, drawn as lines and curves of any size and thickness
// into an 8-bit coverage mask. Pure integer functions without system calls, for guest and host alike.
//
// Lengths are in sub-pixels, FONT_SUB to the pixel. A glyph stands on a grid of 12 units from the top
// of a capital to the base line; `size` is that height. Lower-case letters are drawn as capitals, and a
// character the font lacks as a space.

#ifndef RINGFENCE_FONT_H
#define RINGFENCE_FONT_H

#include <stdint.h>

#define FONT_SUB 64

// Coverage 0 to 255, `width` bytes a row, owned by the caller.
struct font_mask {
    uint8_t *bytes;
    int width, height;
};

struct font_style {
    int size;   // height of a capital
    int stroke; // thickness of a line
    int ramp;   // width over which an edge fades: FONT_SUB for a mask shown pixel by pixel
};

// Distance from the start of this character to the start of the next, and of a whole text (without the
// gap after its last character).
int font_advance(char c, int size);
int font_width(const char *text, int size);

// Adds one character (the larger coverage wins); (x, y) is the top left corner of its grid. What lies
// outside the mask is cut off.
void font_draw(struct font_mask *mask, char c, int x, int y, const struct font_style *style);

#endif
