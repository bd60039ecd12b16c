// Shared by the files of bench.

#ifndef RINGFENCE_BENCH_H
#define RINGFENCE_BENCH_H

#include "user/lib/user.h"

// A benchmark. begin() and end() may be NULL.
struct benchmark {
    const char *name;
    const char *what;
    const char *unit;           // of the result, per second
    uint64_t scale;             // units in one operation, times 1000
    const char *(*begin)(void); // returns NULL, or what is missing if the benchmark cannot run
    void (*run)(uint64_t n);    // does the operation n times; if one fails, exits with a message
    void (*end)(void);
};

#define PER_OPERATION 1000                // the unit is one operation
#define MEGABYTES(bytes) ((bytes) / 1000) // the unit is 10^6 bytes

extern const struct benchmark process_benchmarks[], file_benchmarks[], disk_benchmarks[],
    display_benchmarks[]; // the last entry has the name NULL

// Page-aligned memory at the end of the heap. Return it after the benchmark, so that later forks
// have nothing more to copy.
void *get_pages(size_t bytes);
void return_pages(size_t bytes);

#endif
