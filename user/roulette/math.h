// Integer geometry and colour for the wheel's picture.
//
// Lengths are in sub-pixels, 64 to a pixel. An angle is a fraction of a full turn, in 1/2^32; it
// begins at twelve o'clock, goes clockwise, and wraps around by itself. Factors and shares are in
// 1/256.

#ifndef RINGFENCE_ROULETTE_MATH_H
#define RINGFENCE_ROULETTE_MATH_H

#include <stdint.h>

#define SUB 64

typedef uint32_t angle_t;
#define TURN_DIV(n) ((angle_t)(((uint64_t)1 << 32) / (n)))

uint32_t square_root(uint64_t value); // rounded down
// The same. Fast if `guess` is near the root, such as the root of a neighbour; any value is
// correct.
uint32_t square_root_near(uint64_t value, uint32_t guess);
int32_t sine(angle_t a); // in 1/65536
static inline int32_t cosine(angle_t a)
{
    return sine(a + TURN_DIV(4));
}
angle_t direction(int32_t right, int32_t down); // of this vector; 0 for the null vector
uint32_t hash32(uint32_t value);

static inline int clamp_int(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

// How much of a pixel is inside an edge, 0 to 256; `inside` is its distance from the edge, negative
// outside.
static inline int coverage(int inside)
{
    return clamp_int((inside + SUB / 2) * 4, 0, 256);
}

// Mixes two colours: share 0 gives `under`, 256 gives `over`.
static inline uint32_t blend(uint32_t under, uint32_t over, int share)
{
    uint32_t red_blue = (under & 0xff00ff) * (256 - share) + (over & 0xff00ff) * share;
    uint32_t green = (under & 0x00ff00) * (256 - share) + (over & 0x00ff00) * share;
    return ((red_blue >> 8) & 0xff00ff) | ((green >> 8) & 0x00ff00);
}

// Multiplies the brightness by level / 256. Each channel is at most 255.
uint32_t shade(uint32_t colour, int level);

// The direction of the light, in 1/256. It comes from the upper left.
#define LIGHT_RIGHT (-154)
#define LIGHT_DOWN (-205)

// The colour of a surface in this light. `tilt` is the sine of the angle at which its normal leans
// outwards from the hub, -250 to 250. `facing` is the cosine of the angle between the outward
// direction and the light. Both are in 1/256.
uint32_t lit(uint32_t colour, int tilt, int facing, int gloss);

#endif
