// The display as a program uses it: both buffers of /dev/fb0 mapped, and presents in one call. With it, the
// keyboard as such programs want it: any key ends them.

#ifndef RINGFENCE_USER_FB_H
#define RINGFENCE_USER_FB_H

#include "user/lib/user.h"

struct fb {
    int fd;
    struct fb_info info;
    uint32_t *pixels[FB_BUFFERS];
};

// Opens the display and sets a mode, which gives black buffers; a width of 0 keeps the mode there is. Returns
// 0, or -1 with errno: ENODEV or ENOENT if there is no display, EINVAL for a size it
// does not do (QEMU's: below 16x16), ENOMEM.
int fb_open(struct fb *fb, uint32_t width, uint32_t height);
void fb_close(struct fb *fb);

// Changes the mode and maps the new buffers; the old pointers end. 0 or -1 with errno.
int fb_set_mode(struct fb *fb, uint32_t width, uint32_t height);

// Shows `buffer` after transferring the rectangles (at most FB_MAX_RECTS; none: all of it). Flags as in
// kernel/abi.h. 0 or -1 with errno.
int fb_present(struct fb *fb, unsigned buffer, const struct fb_rect *rects, unsigned n,
               uint32_t flags);
int fb_wait(struct fb *fb);

// "no display: ..." or what else errno says of a failed fb_open(), on fd 2; then exit(1).
void fb_die(void) __attribute__((noreturn));

// "640x480"; false if it is anything else. Whether the display can do it is for fb_open() to say.
bool fb_parse_size(const char *text, uint32_t *width, uint32_t *height);

// Waiting for a key without stopping: the console is raw between key_begin() and key_end(). What had been
// typed before key_begin() is left for the shell. Where fd 0 is no console, no key is ever pressed.
void key_begin(void);
bool key_pressed(void);
void key_end(void); // takes the key out of the input, unless older ones wait before it; keeps errno

#endif
