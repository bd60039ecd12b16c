// How the wheel and the ball move: a closed formula for every frame.
//
// The wheel turns clockwise at a constant rate. A round has 480 frames. First the ball runs on the
// track against the wheel's direction and slows down (frames 0 to 280). Then it falls, bounces and
// comes to rest in the winning pocket (to 360). After that it moves with the wheel. Seen from the
// wheel, with u frames left until it rests, the ball is ahead of its pocket by
//   DROP_SPEED u^2 / (2 DROP)                                   while it falls (u <= DROP), and by
//   DROP_SPEED (DROP / 2 + v) + SLOWING v^2 / 2, v = u - DROP   before that.
// The two parts meet without a jump in place or speed.

#include "user/roulette/wheel.h"

#define REST 360  // from this frame of a round on, the ball lies in its pocket
#define DROP 80   // frames for which the ball falls, before that
#define FADE 10   // frames in which the ball appears, and disappears
#define CLOSE 150 // from this frame on, no more bets

#define ROTOR_SPEED TURN_DIV(240)                      // one turn in 4 seconds
#define DROP_SPEED (TURN_DIV(240) + TURN_DIV(200))     // of the ball, seen from the wheel
#define SLOWING ((TURN_DIV(40) - TURN_DIV(200)) / 280) // from 1.5 turns a second

// The fall. u frames before the ball rests, this is its distance from the hub, in 1/1024 of the
// wheel's radius; between two lines it changes evenly. `hop` is how high the ball flies until the
// next line.
static const struct {
    int16_t u, distance, hop;
} fall[] = {
    {160, 896, 0}, {80, 868, 0}, {74, 848, 6}, {64, 776, 14}, {56, 684, 46},
    {34, 610, 26}, {18, 574, 9}, {8, 556, 0},  {0, 553, 0},
};

unsigned wheel_winner(uint32_t seed, uint32_t round)
{
    return pocket_number[(uint64_t)hash32(seed ^ hash32(round + 0x9e3779b9)) * POCKETS >> 32];
}

static unsigned pocket_of(unsigned number)
{
    unsigned pocket = 0;
    while (pocket_number[pocket] != number)
        pocket++;
    return pocket;
}

// The angle by which the ball is ahead of its pocket, seen from the wheel.
static angle_t ahead(uint32_t u)
{
    if (u <= DROP)
        return (angle_t)((uint64_t)DROP_SPEED * u * u / (2 * DROP));
    uint64_t v = u - DROP;
    return (angle_t)(DROP_SPEED * (DROP / 2 + v) + SLOWING * v * v / 2);
}

// Stores the ball's distance from the hub and its height, in sub-pixels. `lively` (0 to 255) makes
// the bounces of a round higher or lower.
static void fall_at(const struct wheel *w, int32_t u, int lively, int32_t *distance,
                    int32_t *height)
{
    unsigned i = 0;
    *distance = w->radius * fall[0].distance / 1024;
    *height = 0;
    if (u >= fall[0].u)
        return;
    while (u < fall[i + 1].u)
        i++;
    int32_t length = fall[i].u - fall[i + 1].u, done = fall[i].u - u;
    int32_t from = fall[i].distance * 64, to = fall[i + 1].distance * 64;
    *distance = (int32_t)((int64_t)w->radius * (from + (to - from) * done / length) / 65536);
    int32_t peak = fall[i].hop * (192 + lively / 2) / 256;
    *height = (int32_t)((int64_t)w->radius * peak * 4 * done * (length - done) /
                        (1024 * length * length));
}

struct motion motion_at(const struct wheel *w, uint32_t frame)
{
    struct motion m = {.rotor = frame * ROTOR_SPEED, .round = frame / WHEEL_ROUND};
    uint32_t into = frame % WHEEL_ROUND;
    unsigned pocket = pocket_of(wheel_winner(w->seed, m.round));
    uint32_t u = into < REST ? REST - into : 0;
    m.phase = into < CLOSE ? BETTING : u > 0 ? CLOSED : DECIDED;
    m.ball_share =
        clamp_int((int)(into < FADE ? into + 1 : WHEEL_ROUND - into) * 256 / FADE, 0, 256);

    int32_t distance;
    fall_at(w, (int32_t)u, (int)(hash32(w->seed + m.round) & 255), &distance, &m.ball_height);
    distance += m.ball_height / 2; // a bounce also moves it outwards
    angle_t angle = m.rotor + (angle_t)(((uint64_t)pocket << 32) / POCKETS) + ahead(u);
    m.ball_x = w->x + (int32_t)((int64_t)distance * sine(angle) >> 16);
    m.ball_y = w->y - (int32_t)((int64_t)distance * cosine(angle) >> 16);
    return m;
}
