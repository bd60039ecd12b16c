// bench: measures how fast the parts of the system are. It measures each part in several rounds and
// reports the median.
//
//   bench [-q] [-j] [-l] [-n COUNT] [NAME...]
//
// runs all benchmarks, or those whose names begin with a NAME.
//
//   -q   runs shorter rounds, for a first impression
//   -n   makes a round of COUNT operations, however long they take
//   -j   prints JSON for programs: one object a line between the lines BENCH-BEGIN and BENCH-END;
//        a NAME must then be a whole name
//   -l   lists the names

#include "user/bench/bench.h"
#include "user/profile_mark.h"

#define MAX_ROUNDS 5

static uint64_t round_ns = 110000000;
static uint64_t fixed_count; // operations in a round; 0 means as many as fit in round_ns
static int rounds = MAX_ROUNDS;
static bool as_json;

struct result {
    uint64_t low, median, high; // units a second
    uint64_t operations;        // how many were measured
};

void *get_pages(size_t bytes)
{
    uintptr_t top = (uintptr_t)sbrk(0);
    if (top % 4096 != 0)
        sbrk(4096 - top % 4096);
    char *p = sbrk(bytes);
    if (p == (char *)-1)
        die("memory");
    return p;
}

void return_pages(size_t bytes)
{
    sbrk(-(int)bytes);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t time_of(const struct benchmark *benchmark, uint64_t n)
{
    uint64_t start = clock_gettime();
    benchmark->run(n);
    uint64_t ns = clock_gettime() - start;
    return ns > 0 ? ns : 1;
}

// Returns how many operations take about round_ns. Running them also fills the caches.
static uint64_t operations_of_a_round(const struct benchmark *benchmark)
{
    if (fixed_count > 0) {
        benchmark->run(fixed_count);
        return fixed_count;
    }
    uint64_t n = 1, ns;
    while ((ns = time_of(benchmark, n)) < round_ns / 4)
        n = ns < round_ns / 64 ? n * 8 : n * 2;
    n = n * round_ns / ns;
    return n > 0 ? n : 1;
}

static struct result measure(const struct benchmark *benchmark)
{
    uint64_t n = operations_of_a_round(benchmark), ns;
    uint64_t rate[MAX_ROUNDS];
    PROFILE_MARK(PROFILE_BEGIN);
    for (int i = 0; i < rounds; i++) {
        ns = time_of(benchmark, n);
        rate[i] = n * benchmark->scale * 1000000 / ns;
    }
    PROFILE_MARK(PROFILE_END);
    sort(rate, rounds, sizeof(rate[0]), by_value);
    return (struct result){rate[0], rate[rounds / 2], rate[rounds - 1], n * rounds};
}

static void report(const struct benchmark *benchmark, struct result result, const char *missing)
{
    if (as_json && missing)
        printf("{\"name\": \"%s\", \"skipped\": \"%s\"}\n", benchmark->name, missing);
    else if (as_json)
        printf("{\"name\": \"%s\", \"unit\": \"%s\", \"median\": %lu, \"low\": %lu, \"high\": %lu, "
               "\"operations\": %lu}\n",
               benchmark->name, benchmark->unit, result.median, result.low, result.high,
               result.operations);
    else if (missing)
        printf("%-12s %-38s skipped: %s\n", benchmark->name, benchmark->what, missing);
    else
        printf("%-12s %-38s %9lu %-8s (%lu to %lu)\n", benchmark->name, benchmark->what,
               result.median, benchmark->unit, result.low, result.high);
}

static bool chosen(const char *name, char **names, int count)
{
    for (int i = 0; i < count; i++)
        if (as_json ? strcmp(name, names[i]) == 0 : strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return count == 0;
}

static int run_table(const struct benchmark *benchmark, char **names, int count, bool list_only)
{
    int found = 0;
    for (; benchmark->name; benchmark++) {
        if (!chosen(benchmark->name, names, count))
            continue;
        found++;
        if (list_only) {
            printf("%-12s %s\n", benchmark->name, benchmark->what);
            continue;
        }
        struct result result = {0};
        const char *missing = benchmark->begin ? benchmark->begin() : NULL;
        if (!missing) {
            result = measure(benchmark);
            if (benchmark->end)
                benchmark->end();
        }
        report(benchmark, result, missing);
    }
    return found;
}

int main(int argc, char *argv[])
{
    bool list_only = false;
    int i;
    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-q") == 0) {
            round_ns = 30000000;
            rounds = 3;
        } else if (strcmp(argv[i], "-j") == 0) {
            as_json = true;
        } else if (strcmp(argv[i], "-l") == 0) {
            list_only = true;
        } else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc && atoi(argv[i + 1]) > 0) {
            fixed_count = atoi(argv[++i]);
        } else {
            usage("bench [-q] [-j] [-l] [-n COUNT] [NAME...]");
        }
    }
    static const struct benchmark *const tables[] = {process_benchmarks, file_benchmarks,
                                                     disk_benchmarks, display_benchmarks};
    int found = 0;
    if (as_json)
        printf("BENCH-BEGIN\n");
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
        found += run_table(tables[t], argv + i, argc - i, list_only);
    if (as_json)
        printf("BENCH-END\n");
    if (found == 0)
        fprintf(2, "bench: no benchmark has this name; `bench -l` lists the names\n");
    return found > 0 ? 0 : 1;
}
