// Integer geometry and colour for the wheel's picture.

#include "user/roulette/math.h"

uint32_t square_root(uint64_t value)
{
    uint64_t bit = value >> 32 != 0 ? (uint64_t)1 << 62 : (uint64_t)1 << 30, result = 0;
    while (bit > value)
        bit >>= 2;
    for (; bit != 0; bit >>= 2) {
        if (value >= result + bit) {
            value -= result + bit;
            result = (result >> 1) + bit;
        } else {
            result >>= 1;
        }
    }
    return (uint32_t)result;
}

uint32_t square_root_near(uint64_t value, uint32_t guess)
{
    if (guess == 0)
        return square_root(value);
    uint64_t result = (guess + value / guess) / 2; // Newton's step
    while (result * result > value)
        result--;
    while ((result + 1) * (result + 1) <= value)
        result++;
    return (uint32_t)result;
}

// An odd polynomial of degree 7 in x, which goes from 0 to 1 in a quarter turn. The error is below
// 2 in 65536.
int32_t sine(angle_t a)
{
    uint32_t quarter = a >> 30;
    int64_t x = (a >> 8) & 0x3fffff; // 22 bits of the quarter
    if (quarter & 1)
        x = 0x400000 - x;
    int64_t x2 = x * x >> 22;
    int64_t value = 334243 - (x2 * 19603 >> 22); // coefficients in 2^-22
    value = 2709368 - (x2 * value >> 22);
    value = 6588397 - (x2 * value >> 22);
    value = (x * value >> 22) * 65536 >> 22;
    return (int32_t)(quarter & 2 ? -value : value);
}

// The arc tangent of one octant, by an odd polynomial. The error is about 1e-5 radian.
angle_t direction(int32_t right, int32_t down)
{
    int64_t ax = right < 0 ? -(int64_t)right : right, ay = down < 0 ? -(int64_t)down : down;
    if (ax == 0 && ay == 0)
        return 0;
    int64_t t = ax < ay ? (ax << 20) / ay : (ay << 20) / ax, t2 = t * t >> 20;
    // The coefficients give atan(t) / 2 pi in 1/2^32.
    int64_t sum = 14242151;
    sum = -58193963 + (t2 * sum >> 20);
    sum = 123138132 + (t2 * sum >> 20);
    sum = -225781269 + (t2 * sum >> 20);
    sum = 683473678 + (t2 * sum >> 20);
    angle_t a = (angle_t)(t * sum >> 20);
    if (ax > ay)
        a = TURN_DIV(4) - a; // now a is the angle from the vertical, 0 to a quarter turn
    if (down > 0)
        a = TURN_DIV(2) - a;
    return right < 0 ? 0 - a : a;
}

uint32_t hash32(uint32_t value)
{
    value = (value ^ (value >> 16)) * 0x7feb352d;
    value = (value ^ (value >> 15)) * 0x846ca68b;
    return value ^ (value >> 16);
}

uint32_t shade(uint32_t colour, int level)
{
    if (level >= 0 && level <= 256)
        return blend(0, colour, level);
    int red = (int)(colour >> 16 & 255) * level >> 8;
    int green = (int)(colour >> 8 & 255) * level >> 8;
    int blue = (int)(colour & 255) * level >> 8;
    red = clamp_int(red, 0, 255);
    green = clamp_int(green, 0, 255);
    blue = clamp_int(blue, 0, 255);
    return (uint32_t)(red << 16 | green << 8 | blue);
}

// Diffuse light from 33 degrees off the vertical. The highlight is where the normal is half-way
// between the light and the eye, raised to the 32nd power.
uint32_t lit(uint32_t colour, int tilt, int facing, int gloss)
{
    int square = 65536 - tilt * tilt, up = 256;
    for (int i = 0; i < 4; i++) // Newton's square root
        up = (up + square / up) / 2;
    int across = tilt * facing / 256;
    int diffuse = (across * 140 + up * 214) / 256;
    int shine = (across * 73 + up * 245) / 256;
    for (int i = 0; i < 5 && shine > 0; i++)
        shine = shine * shine >> 8;
    colour = shade(colour, 40 + clamp_int(diffuse, 0, 256));
    return blend(colour, 0xfff4e0, clamp_int(shine * gloss >> 8, 0, 256));
}
