// The test patterns of fbtest: pure functions, so that the host can draw what the display must show.
//
// A pattern is a sequence of steps. A step draws into one of the two buffers and says which rectangle of it
// has changed; what was presented of the last step's buffer stays on the screen. A step's picture depends on the size,
// its number and the steps before it in the same buffer, and on nothing else.

#ifndef RINGFENCE_FBTEST_H
#define RINGFENCE_FBTEST_H

#include "kernel/abi.h"
#include <stddef.h>
#include <stdint.h>

struct picture {
    uint32_t *pixels;
    size_t stride; // bytes
    uint32_t width, height;
};

struct pattern {
    const char *name;
    const char *meaning;
    uint32_t steps;   // unless the user asks for another number (of those that have several)
    unsigned buffers; // step s draws into buffer s % buffers
    struct fb_rect (*step)(const struct picture *p, uint32_t step);
};

extern const struct pattern patterns[];
extern const unsigned pattern_count;

// The pattern of that name, NULL if there is none.
const struct pattern *pattern_find(const char *name);

// `fbtest modes` goes through these sizes with the pattern `size`.
extern const struct fb_mode pattern_modes[];
extern const unsigned pattern_mode_count;

#endif
