// The colour of one pixel. This is the definition of the picture: every way of drawing must agree
// with it.
//
// The parts that turn are divided into cells. A column is an angle, and a row is half a pixel of
// radius. All points of a cell have the colour of its middle. This is fine enough: there are about
// two cells for a pixel in each direction, and wheel_colour() has already averaged the colour over
// about a pixel. Turning the wheel moves every cell by the same whole number of columns.

#include "user/roulette/wheel.h"

#define CELL_RADIUS (SUB / 2)
#define MAX_COLUMNS 4144

// The two parts that turn begin and end in the middle of a groove, because a groove has the same
// colour everywhere.
static int32_t middle(const struct wheel *w, enum ring ring)
{
    return (w->edge[ring - 1] + w->edge[ring]) / 2;
}

static uint32_t rows_between(const struct wheel *w, enum ring inner, enum ring outer)
{
    return (uint32_t)((middle(w, outer) - middle(w, inner)) / CELL_RADIUS + 1);
}

void cells_layout(struct wheel *w)
{
    w->outer_rows = rows_between(w, ROTOR_GROOVE, BOWL_GROOVE);
    w->spindle_rows = rows_between(w, DOME_GROOVE, CONE_GROOVE);
    w->reach = middle(w, BOWL_GROOVE);
    // At the numbers, a pixel has two columns. A pocket and a quarter turn have a whole number of
    // columns.
    uint32_t wanted = (uint32_t)middle(w, NUMBER) * 25 / (2 * SUB), step = 4 * POCKETS;
    w->columns = (wanted + step - 1) / step * step;
    if (w->columns > MAX_COLUMNS)
        w->columns = MAX_COLUMNS;
}

uint32_t cell_column(const struct wheel *w, angle_t angle)
{
    return (uint32_t)((uint64_t)angle * w->columns >> 32);
}

int32_t cell_row(const struct wheel *w, int32_t radius)
{
    if (radius >= middle(w, ROTOR_GROOVE) && radius < middle(w, BOWL_GROOVE))
        return (radius - middle(w, ROTOR_GROOVE)) / CELL_RADIUS;
    if (radius >= middle(w, DOME_GROOVE) && radius < middle(w, CONE_GROOVE))
        return (int32_t)w->outer_rows + (radius - middle(w, DOME_GROOVE)) / CELL_RADIUS;
    return -1;
}

static int32_t radius_of(const struct wheel *w, uint32_t row)
{
    int32_t base = middle(w, ROTOR_GROOVE);
    if (row >= w->outer_rows) {
        base = middle(w, DOME_GROOVE);
        row -= w->outer_rows;
    }
    return base + (int32_t)row * CELL_RADIUS + CELL_RADIUS / 2;
}

uint32_t cell_colour(const struct wheel *w, uint32_t column, uint32_t row)
{
    angle_t width = TURN_DIV(w->columns);
    if (row >= w->outer_rows) // the spindle looks the same after every quarter turn
        column %= w->columns / 4;
    return wheel_colour(w, radius_of(w, row), width / 2 + column * width, 0);
}

uint32_t wheel_pixel(const struct wheel *w, int32_t x, int32_t y, angle_t rotor)
{
    int32_t right = x * SUB + SUB / 2 - w->x, down = y * SUB + SUB / 2 - w->y;
    uint32_t radius = square_root((uint64_t)((int64_t)right * right + (int64_t)down * down));
    int32_t row = cell_row(w, (int32_t)radius);
    if (row < 0)
        return still_colour(w, x, y, radius);
    // When the wheel turns clockwise, each place shows what was anticlockwise of it.
    uint32_t column = cell_column(w, direction(right, down)) + cell_column(w, 0 - rotor);
    return cell_colour(w, column % w->columns, (uint32_t)row);
}
