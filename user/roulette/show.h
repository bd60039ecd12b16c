// The functions that main.c and show.c call in each other to show the wheel's frames on the
// display.

#ifndef RINGFENCE_ROULETTE_SHOW_H
#define RINGFENCE_ROULETTE_SHOW_H

#include "user/lib/fb.h"
#include "user/roulette/roulette.h"

// Draws `frame` and shows it. main.c calls this for one frame after the other; each number is one
// more than the last. At every moment the display must show one whole frame, and every frame must
// be flushed. This function may return while the device is still working on the frame: fb_wait()
// waits until all frames are shown. Returns 0, or -1 with errno.
int wheel_show(struct wheel *w, struct fb *fb, uint32_t frame);

// Draws the main program's line into the strip below the picture. Call this once for each frame,
// between drawing and presenting it. Returns whether the strip of this buffer has changed; if so,
// stores where.
bool hud_draw(struct fb *fb, unsigned buffer, struct fb_rect *damage);

#endif
