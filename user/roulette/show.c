// Shows the wheel's frames on the display; show.h is the contract.
#if SOLVED_FRAME_RATE
//
// Draws a frame into one buffer while the device shows, or still works on, the other.

#include "user/roulette/show.h"

int wheel_show(struct wheel *w, struct fb *fb, uint32_t frame)
{
    struct fb_rect damage[WHEEL_MAX_DAMAGE + 1];
    unsigned buffer = frame % FB_BUFFERS;
    unsigned n = wheel_draw(w, buffer, fb->pixels[buffer], fb->info.stride, frame, damage);
    if (hud_draw(fb, buffer, &damage[n]))
        n++;
    // The next call draws into the other buffer, so the frame in it must be on the display before.
    // The device works on this frame meanwhile.
    return fb_wait(fb) < 0 ? -1 : fb_present(fb, buffer, damage, n, FB_ASYNC);
}
#else
//
// Draws a frame, then shows it from top to bottom, a band of rows at a time.

#include "user/roulette/show.h"

#define BAND_ROWS 2

int wheel_show(struct wheel *w, struct fb *fb, uint32_t frame)
{
    struct fb_rect damage[WHEEL_MAX_DAMAGE + 1];
    wheel_draw(w, 0, fb->pixels[0], fb->info.stride, frame, damage);
    hud_draw(fb, 0, &damage[0]);
    for (uint32_t y = 0; y < fb->info.height; y += BAND_ROWS) {
        uint32_t left = fb->info.height - y;
        struct fb_rect band = {0, y, fb->info.width, left < BAND_ROWS ? left : BAND_ROWS};
        if (fb_present(fb, 0, &band, 1, 0) < 0)
            return -1;
    }
    return 0;
}
#endif // SOLVED_FRAME_RATE
