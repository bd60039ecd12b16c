// From the wheel's frames to the display: what the main program (main.c) and show.c ask of
// each other.

#ifndef RINGFENCE_ROULETTE_SHOW_H
#define RINGFENCE_ROULETTE_SHOW_H

#include "user/lib/fb.h"
#include "user/roulette/roulette.h"

// Draws `frame` and shows it. It is called for one frame after the other, each one more than the last. At
// every moment the display shows a frame whole, and every frame is flushed; but this may return while the
// frame is still with the device: fb_wait() says when all are shown. 0, or -1 with errno.
int wheel_show(struct wheel *w, struct fb *fb, uint32_t frame);

// To be called once for each frame, between drawing and presenting it: the main program's line at the bottom.
// Returns whether the strip of this buffer has changed, and if so where; it lies below the picture.
bool hud_draw(struct fb *fb, unsigned buffer, struct fb_rect *damage);

#endif
