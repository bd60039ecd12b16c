// What the files of bench share.

#ifndef RINGFENCE_BENCH_H
#define RINGFENCE_BENCH_H

#include "user/lib/user.h"

// One benchmark: run(n) does its operation n times and may exit with a message when one fails.
struct benchmark {
    const char *name;
    const char *what;
    const char *unit;           // of the result: per second
    uint64_t scale;             // units in one operation, times 1000
    const char *(*begin)(void); // may be NULL; what is missing if it cannot run, else NULL
    void (*run)(uint64_t n);
    void (*end)(void); // may be NULL
};

#define PER_OPERATION 1000                // the operations themselves are counted
#define MEGABYTES(bytes) ((bytes) / 1000) // MB/s: 10^6 bytes

extern const struct benchmark process_benchmarks[], file_benchmarks[], disk_benchmarks[],
    display_benchmarks[]; // each ends with a name of NULL

// Page-aligned memory that is not there before and after, so that forks have nothing more to copy.
void *get_pages(size_t bytes);
void return_pages(size_t bytes);

#endif
