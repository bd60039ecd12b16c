// Integer geometry and colour for the wheel's picture.
//
// Lengths are in sub-pixels, 64 to the pixel. An angle is a fraction of 2^32 to the turn, clockwise from
// twelve o'clock, so that it wraps by itself. Factors and shares are in 1/256.

#ifndef RINGFENCE_ROULETTE_MATH_H
#define RINGFENCE_ROULETTE_MATH_H

#include <stdint.h>

#define SUB 64

typedef uint32_t angle_t;
#define TURN_DIV(n) ((angle_t)(((uint64_t)1 << 32) / (n)))

uint32_t square_root(uint64_t value); // rounded down
// The same, fast where a neighbour's root is known (any value will do).
uint32_t square_root_near(uint64_t value, uint32_t guess);
int32_t sine(angle_t a); // in 1/65536
static inline int32_t cosine(angle_t a)
{
    return sine(a + TURN_DIV(4));
}
angle_t direction(int32_t right, int32_t down); // of that vector; 0 for the null vector
uint32_t hash32(uint32_t value);

static inline int clamp_int(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

// Share of a pixel at signed distance `inside` within an edge, 0 to 256.
static inline int coverage(int inside)
{
    return clamp_int((inside + SUB / 2) * 4, 0, 256);
}

// Between two colours: share 0 is `under`, 256 is `over`.
static inline uint32_t blend(uint32_t under, uint32_t over, int share)
{
    uint32_t red_blue = (under & 0xff00ff) * (256 - share) + (over & 0xff00ff) * share;
    uint32_t green = (under & 0x00ff00) * (256 - share) + (over & 0x00ff00) * share;
    return ((red_blue >> 8) & 0xff00ff) | ((green >> 8) & 0x00ff00);
}

// Brightness times level / 256, each channel cut off at 255.
uint32_t shade(uint32_t colour, int level);

// The direction of the light, which comes from the upper left, in 1/256.
#define LIGHT_RIGHT (-154)
#define LIGHT_DOWN (-205)

// The colour of a surface in that light. `tilt` is how far its normal leans outwards
// from the hub (sine, -250 to 250), `facing` the cosine between outwards and the light, in 1/256.
uint32_t lit(uint32_t colour, int tilt, int facing, int gloss);

#endif
