// Drawing on the display /dev/fb0: this opens it, maps both buffers and presents them. Drawing
// programs usually stop at any key, so the functions that watch the keyboard are here too.

#ifndef RINGFENCE_USER_FB_H
#define RINGFENCE_USER_FB_H

#include "user/lib/user.h"

struct fb {
    int fd;
    struct fb_info info;
    uint32_t *pixels[FB_BUFFERS]; // valid until the mode changes or the display is closed
};

// Opens the display and sets a mode in pixels; the buffers start black. A width of 0 keeps the
// current mode. Returns 0, or -1 with errno: ENODEV or ENOENT if there is no display, EINVAL if it
// does not support the size (QEMU's does not below 16x16), or ENOMEM.
int fb_open(struct fb *fb, uint32_t width, uint32_t height);
void fb_close(struct fb *fb);

// Changes the mode and maps the new buffers. The old pixel pointers are invalid afterwards. Returns
// 0, or -1 with errno.
int fb_set_mode(struct fb *fb, uint32_t width, uint32_t height);

// Transfers n rectangles of `buffer`, at most FB_MAX_RECTS, and shows it. With n = 0 it transfers
// the whole buffer. kernel/abi.h describes the flags. Returns 0, or -1 with errno.
int fb_present(struct fb *fb, unsigned buffer, const struct fb_rect *rects, unsigned n,
               uint32_t flags);
// Waits until every present so far is done. Returns 0, or -1 with errno.
int fb_wait(struct fb *fb);

// Call this when fb_open() or fb_set_mode() failed: it prints why on fd 2 and calls exit(1).
void fb_die(void) __attribute__((noreturn));

// Parses "640x480"; false for any other text. It does not check whether the display supports the
// size: fb_open() does.
bool fb_parse_size(const char *text, uint32_t *width, uint32_t *height);

// Watching for a key without waiting for one. The console is raw between key_begin() and key_end().
// Keys typed before key_begin() stay in the input for the shell. If fd 0 is not a console,
// key_pressed() is always false.
void key_begin(void);
bool key_pressed(void);
void key_end(void); // removes the key from the input, unless older keys come before it; keeps errno

#endif
