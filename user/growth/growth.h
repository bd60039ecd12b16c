// Shared by the files of growth.

#ifndef RINGFENCE_GROWTH_H
#define RINGFENCE_GROWTH_H

#include "user/lib/user.h"

// Returns the nanoseconds that one operation takes: the smallest result of several rounds of about
// 10 ms each. Other work on the host can only make a round slower.
uint64_t cost_of(void (*operation)(void));

// Prints one line of a table: `count` numbers.
void print_row(unsigned count, const uint64_t *numbers);
// Prints a line of four numbers.
void row4(uint64_t a, uint64_t b, uint64_t c, uint64_t d);

// Each prints the table for one kind of growth, up to the limit.
void grow_directory(uint64_t limit); // files in a directory
void grow_file(uint64_t limit);      // MiB of a file
void grow_processes(uint64_t limit); // processes that sleep
void grow_workers(uint64_t limit);   // processes that run at the same time, one on each hart
void grow_damage(uint64_t limit);    // rectangles in one present

#endif
