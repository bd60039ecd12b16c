// What the wheel looks like: the colour of each point, given by radius and angle.
//
// This is the definition of the picture. The files that build tables from it only decide how finely
// they sample it. The direction of the light matters only for parts that do not turn. The parts
// that turn are lit from above, so that they look the same at every angle.

#include "user/roulette/wheel.h"

const uint8_t pocket_number[POCKETS] = {
    0, 32, 15, 19, 4, 21, 2,  25, 17, 34, 6,  27, 13, 36, 11, 30, 8, 23, 10,
    5, 24, 16, 33, 1, 20, 14, 31, 9,  22, 18, 29, 7,  28, 12, 35, 3, 26,
};

uint32_t number_colour(unsigned number)
{
    const uint64_t reds = 0x154aad52aa; // bit n is set if n is red
    return number == 0 ? GREEN : reds >> number & 1 ? RED : BLACK;
}

// ---- the numbers ----

// A digit's mask has 4 x 4 bytes for each pixel. Each byte is already the average over a pixel, so
// that the mask may be sampled at single points. The mask has a margin of one stroke on each side.
#define MASK_SCALE 4

static int32_t number_height(const struct wheel *w)
{
    return (w->edge[NUMBER] - w->edge[LEDGE]) * 19 / 32;
}

static int32_t number_stroke(const struct wheel *w)
{
    return number_height(w) * 5 / 32;
}

// A digit's mask, still without bytes. The masks of all digits have the same size.
static struct font_mask mask_size(const struct wheel *w)
{
    int32_t height = number_height(w), margin = number_stroke(w) + SUB;
    return (struct font_mask){
        .width = (height * 2 / 3 + 2 * margin) * MASK_SCALE / SUB,
        .height = (height + 2 * margin) * MASK_SCALE / SUB,
    };
}

size_t number_masks_bytes(const struct wheel *w)
{
    struct font_mask m = mask_size(w);
    return (size_t)10 * m.width * m.height;
}

static struct font_mask number_mask(const struct wheel *w, unsigned digit)
{
    struct font_mask m = mask_size(w);
    m.bytes = w->digits + (size_t)digit * m.width * m.height;
    return m;
}

void number_masks_draw(struct wheel *w)
{
    struct font_style style = {
        .size = number_height(w) * MASK_SCALE,
        .stroke = number_stroke(w) * MASK_SCALE,
        .ramp = SUB * MASK_SCALE,
    };
    int32_t margin = (number_stroke(w) + SUB) * MASK_SCALE;
    for (unsigned digit = 0; digit < 10; digit++) {
        struct font_mask m = number_mask(w, digit);
        for (int i = 0; i < m.width * m.height; i++)
            m.bytes[i] = 0;
        font_draw(&m, (char)('0' + digit), margin, margin, &style);
        w->digit_width[digit] =
            font_advance((char)('0' + digit), number_height(w)) - number_height(w) / 3;
    }
}

// The share of ink at (x, y), in sub-pixels from the digit's top left corner.
static int digit_ink(const struct wheel *w, unsigned digit, int32_t x, int32_t y)
{
    struct font_mask m = number_mask(w, digit);
    int32_t margin = number_stroke(w) + SUB;
    int32_t column = (x + margin) * MASK_SCALE / SUB, row = (y + margin) * MASK_SCALE / SUB;
    if (x + margin < 0 || y + margin < 0 || column >= m.width || row >= m.height)
        return 0;
    int ink = m.bytes[row * m.width + column];
    return ink + (ink >> 7);
}

// The share of ink at (x, y), in sub-pixels from the middle of a number. Its digits are a fifth
// narrower than in the font.
static int number_ink(const struct wheel *w, unsigned number, int32_t x, int32_t y)
{
    int32_t height = number_height(w);
    int32_t tens = number < 10 ? 0 : w->digit_width[number / 10] + height / 4;
    x = x * 5 / 4 + (tens + w->digit_width[number % 10]) / 2;
    y += height / 2;
    if (y < -height / 8 || y > height * 9 / 8)
        return 0;
    if (number >= 10 && x < tens - height / 8)
        return digit_ink(w, number / 10, x, y);
    return digit_ink(w, number % 10, x - tens, y);
}

// ---- materials ----

// Smooth noise, 0 to 255. There is a random value where both coordinates are multiples of 256, and
// `wrap` of these in a circle.
static int noise(uint32_t x, uint32_t y, uint32_t wrap, uint32_t salt)
{
    uint32_t x0 = (x >> 8) % wrap, x1 = (x0 + 1) % wrap, y0 = y >> 8;
    int fx = x & 255, fy = y & 255;
    fx = fx * fx * (768 - 2 * fx) >> 16;
    int a = hash32(x0 * 131 + y0 * 7919 + salt) & 255;
    int b = hash32(x1 * 131 + y0 * 7919 + salt) & 255;
    int c = hash32(x0 * 131 + (y0 + 1) * 7919 + salt) & 255;
    int d = hash32(x1 * 131 + (y0 + 1) * 7919 + salt) & 255;
    int top = a * (256 - fx) + b * fx, bottom = c * (256 - fx) + d * fx;
    return (top * (256 - fy) + bottom * fy) >> 16;
}

// Wood grain that runs round the wheel: long fine streaks over broad ones. `fine` is the radius in
// 1/1024 of the wheel's, so that the wood looks the same at every size.
static uint32_t wood(uint32_t colour, uint32_t fine, angle_t angle)
{
    uint32_t turn = angle >> 17; // 2^15 to the turn
    int streak = noise(turn * 12 >> 7, fine * 64, 12, 1) + noise(turn * 40 >> 7, fine * 160, 40, 2);
    return shade(colour, 190 + streak / 4);
}

// The place of a radius in a ring: -256 is the inner edge, 256 the outer one.
static int across(const struct wheel *w, enum ring ring, int32_t radius)
{
    int32_t inner = ring == 0 ? 0 : w->edge[ring - 1], outer = w->edge[ring];
    return clamp_int((2 * radius - inner - outer) * 256 / (outer - inner), -256, 256);
}

// Gold, round like a wire: the normal leans inwards at the inner edge and outwards at the outer
// one.
static uint32_t wire(const struct wheel *w, enum ring ring, int32_t radius, int facing)
{
    return lit(GOLD, across(w, ring, radius) * 15 / 16, facing, 230);
}

// ---- the parts that turn ----

// The distance of a point from the nearest border between two pockets.
static int32_t border_distance(int32_t radius, uint32_t place)
{
    uint32_t near = place < 0x80000000u ? place : 0 - place;         // in 1/2^32 of a pocket
    return (int32_t)((uint64_t)radius * 11129 * (near >> 12) >> 36); // 2 pi / 37 in 1/65536
}

static uint32_t pocket_colour(const struct wheel *w, enum ring ring, int32_t radius, angle_t angle)
{
    uint64_t place = (uint64_t)(angle_t)(angle + TURN_DIV(2 * POCKETS)) * POCKETS;
    unsigned number = pocket_number[place >> 32];
    uint32_t within = (uint32_t)place, colour = number_colour(number);
    int32_t border = border_distance(radius, within);
    int t = across(w, ring, radius);

    if (ring == NUMBER) {
        colour = shade(colour, 262 - t / 10);
        int32_t x = (int32_t)((int64_t)radius * 11129 * ((int64_t)within - 0x80000000LL) >> 48);
        int32_t y = (w->edge[NUMBER] + w->edge[LEDGE]) / 2 - radius;
        colour = blend(colour, IVORY, number_ink(w, number, x, y));
        return blend(shade(GOLD, 220), colour, coverage(border - w->radius * 3 / 1024));
    }
    // The floor of a pocket is deepest at its outer wall, and its corners are dark.
    int shadow = clamp_int(border * 256 / (w->radius * 30 / 1024 + 1), 0, 256);
    colour = shade(colour, (190 - t * 60 / 256) * (176 + shadow * 80 / 256) / 256);
    int share = coverage(border - w->radius * 6 / 1024);
    if (share == 256)
        return colour;
    uint32_t fret =
        lit(0xb9bcc4, clamp_int(border * 256 / (w->radius * 9 / 1024 + 1), 0, 250), 0, 200);
    return blend(shade(fret, 240 - t / 6), colour, share);
}

// The disc under the dome, with four arms that end in knobs.
static uint32_t spindle_colour(const struct wheel *w, int32_t radius, angle_t angle)
{
    angle_t off = (angle + TURN_DIV(8)) % TURN_DIV(4) - TURN_DIV(8); // from the nearest arm
    int32_t along = (int32_t)((int64_t)radius * cosine(off) >> 16);
    int32_t aside = (int32_t)((int64_t)radius * sine(off) >> 16);
    int32_t thick = w->radius * 17 / 1024 - along * w->radius / w->edge[SPINDLE] * 6 / 1024;
    int32_t end = w->radius * 184 / 1024, knob = w->radius * 32 / 1024;
    int32_t from_knob = (int32_t)square_root(
        (uint64_t)((int64_t)(along - end) * (along - end) + (int64_t)aside * aside));
    aside = aside < 0 ? -aside : aside;

    int32_t inside_arm = along < end ? thick - aside : -SUB * 64, inside_knob = knob - from_knob;
    int32_t nearest = inside_arm > inside_knob ? inside_arm : inside_knob;
    int t = across(w, SPINDLE, radius);
    uint32_t colour = shade(0x4a3320, 200 - t / 4);
    int shadow = clamp_int(-nearest * 256 / (w->radius * 22 / 1024), 0, 256);
    colour = shade(colour, 110 + shadow * 146 / 256);
    if (nearest <= -SUB / 2)
        return colour;
    int lean = inside_arm > inside_knob ? aside * 256 / thick : from_knob * 256 / knob;
    return blend(colour, lit(GOLD, clamp_int(lean, 0, 245), 0, 255), coverage(nearest));
}

// ---- the parts that stand still ----

// A cone of polished metal: it has fine rings, and reflects the light in the form of a bow-tie.
static uint32_t cone_colour(const struct wheel *w, int32_t radius, int facing)
{
    uint32_t fine = (uint32_t)(radius * 1024 / w->radius);
    int side = facing * facing >> 8, bow = side * side >> 8;
    int rings = noise(0, fine * 96, 1, 5);
    int level = 118 + bow * 120 / 256 + facing / 6 + rings / 10;
    level -= across(w, CONE, radius) / 8;
    return shade(0x8f6a34, level);
}

// The slope has eight deflectors, diamonds with four facets. They lie alternately along the slope
// and across it.
static uint32_t slope_colour(const struct wheel *w, int32_t radius, angle_t angle, int facing)
{
    uint32_t fine = (uint32_t)(radius * 1024 / w->radius);
    uint32_t colour = lit(wood(0x6b3217, fine, angle), -100, facing, 90);

    unsigned which = (angle + TURN_DIV(16)) / TURN_DIV(8) % 8;
    angle_t off = angle - which * TURN_DIV(8);
    int32_t x = (int32_t)((int64_t)radius * sine(off) >> 16);
    int32_t y = radius - (w->edge[SLOPE] + w->edge[BOWL_GROOVE]) / 2;
    bool radial = which % 2 == 0;
    int32_t a = w->radius * (radial ? 19 : 54) / 1024, b = w->radius * (radial ? 38 : 19) / 1024;
    int32_t ax = x < 0 ? -x : x, ay = y < 0 ? -y : y;
    // The distance from the nearest side of the diamond |x| / a + |y| / b = 1.
    int64_t inside = ((int64_t)a * b - (int64_t)ax * b - (int64_t)ay * a) /
                     (int64_t)square_root((uint64_t)((int64_t)a * a + (int64_t)b * b));
    if (inside < -w->radius / 64)
        return colour;
    // Each facet leans to its own side. Its outward direction in the picture is that of (x, y),
    // turned.
    angle_t lean = which * TURN_DIV(8) + direction(x < 0 ? -b : b, y < 0 ? a : -a);
    int light = (sine(lean) * LIGHT_RIGHT - cosine(lean) * LIGHT_DOWN) >> 16;
    int shadow = clamp_int((int)inside * 256 / (w->radius / 64) + 256, 0, 256);
    colour = shade(colour, 256 - shadow * 110 / 256);
    return blend(colour, lit(0xd0d4dc, 150, light, 220), coverage((int)inside));
}

static uint32_t ring_colour(const struct wheel *w, enum ring ring, int32_t radius, angle_t angle,
                            int facing)
{
    uint32_t fine = (uint32_t)(radius * 1024 / w->radius);
    int t = across(w, ring, radius);
    switch (ring) {
    case DOME:
        return lit(GOLD, clamp_int((t + 256) / 2, 0, 240), facing, 256);
    case SPINDLE:
        return spindle_colour(w, radius, angle);
    case CONE:
        return cone_colour(w, radius, facing);
    case INNER_RIM:
    case LEDGE:
    case OUTER_RIM:
        return wire(w, ring, radius, 0);
    case POCKET:
    case NUMBER:
        return pocket_colour(w, ring, radius, angle);
    case SLOPE:
        return slope_colour(w, radius, angle, facing);
    case SLOPE_RIM:
    case TRACK_RIM:
    case EDGE:
        return wire(w, ring, radius, facing);
    case TRACK:
        return lit(wood(0x54260f, fine, angle), -60 - (t + 256) * 80 / 256, facing, 150);
    case WOOD:
        return lit(wood(0x7a3c1a, fine, angle), t * 200 / 256, facing, 130);
    default: // the grooves
        return 0x0c0a08;
    }
}

uint32_t wheel_colour(const struct wheel *w, int32_t radius, angle_t angle, int facing)
{
    unsigned ring = radius < w->edge[CONE] ? DOME : ROTOR_GROOVE;
    while (ring < RINGS - 1 && radius >= w->edge[ring])
        ring++;
    uint32_t colour = ring_colour(w, ring, radius, angle, facing);
    // Within half a pixel of a border, the pixel is a mixture of two rings.
    int32_t inner = ring == 0 ? -SUB : w->edge[ring - 1], outer = w->edge[ring];
    if (radius - inner < SUB / 2)
        return blend(ring_colour(w, ring - 1, radius, angle, facing), colour,
                     coverage(radius - inner));
    if (outer - radius <= SUB / 2 && ring + 1 < RINGS)
        return blend(ring_colour(w, ring + 1, radius, angle, facing), colour,
                     coverage(outer - radius));
    return colour;
}
