// The test patterns of fbtest. They are pure functions, so that the host can draw the picture that
// the display must show.
//
// A pattern is a sequence of steps. A step draws into one of the two buffers and returns the
// rectangle that has changed. The picture of a step depends only on the size, the step's number,
// and the earlier steps in the same buffer.

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
    uint32_t steps;   // the default; if it is 1, the user cannot change it
    unsigned buffers; // step s draws into buffer s % buffers
    struct fb_rect (*step)(const struct picture *p, uint32_t step);
};

extern const struct pattern patterns[];
extern const unsigned pattern_count;

// Returns the pattern with this name, or NULL.
const struct pattern *pattern_find(const char *name);

// `fbtest modes` shows the pattern `size` in each of these sizes.
extern const struct fb_mode pattern_modes[];
extern const unsigned pattern_mode_count;

#endif
