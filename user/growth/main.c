// growth: measures how the cost of an operation grows with the size of what it works on.
//
//   growth directory|file|processes|workers|damage [LIMIT]
//
// Prints a table: a line of column names, then a line for each size. Times are nanoseconds. It
// works in the current directory and leaves nothing there.

#include "user/growth/growth.h"

#define ROUNDS 10
#define ROUND_NS 10000000ul

static uint64_t one_round(void (*operation)(void))
{
    uint64_t start = clock_gettime(), now, done = 0, batch = 1;
    // Read the clock after 1, 2, 4, ... operations, so that reading it costs almost nothing.
    do {
        for (uint64_t i = 0; i < batch; i++)
            operation();
        done += batch;
        batch *= 2;
        now = clock_gettime();
    } while (now - start < ROUND_NS);
    return (now - start) / done;
}

uint64_t cost_of(void (*operation)(void))
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t cost = one_round(operation);
        if (cost < least)
            least = cost;
    }
    return least;
}

void print_row(unsigned count, const uint64_t *numbers)
{
    for (unsigned i = 0; i < count; i++)
        printf("%s%lu", i > 0 ? " " : "", numbers[i]);
    printf("\n");
}

void row4(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    print_row(4, (uint64_t[]){a, b, c, d});
}

static const struct {
    const char *name;
    void (*run)(uint64_t limit);
    uint64_t limit; // the default
} tables[] = {
    {"directory", grow_directory, 10000},  {"file", grow_file, 1024},
    {"processes", grow_processes, 1000},   {"workers", grow_workers, 8},
    {"damage", grow_damage, FB_MAX_RECTS},
};

int main(int argc, char *argv[])
{
    uint64_t limit = 0;
    if (argc > 3 || argc < 2 || (argc == 3 && (!parse_number(argv[2], &limit) || limit == 0)))
        usage("growth directory|file|processes|workers|damage [LIMIT]");
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        if (strcmp(argv[1], tables[i].name) == 0) {
            tables[i].run(limit ? limit : tables[i].limit);
            return 0;
        }
    }
    usage("growth directory|file|processes|workers|damage [LIMIT]");
}
