// What the files of growth share.

#ifndef RINGFENCE_GROWTH_H
#define RINGFENCE_GROWTH_H

#include "user/lib/user.h"

// What one operation costs, in nanoseconds: the least of several rounds of some 10 ms each, for what
// else the host does only ever adds to it.
uint64_t cost_of(void (*operation)(void));

// One line of a table: `count` numbers.
void print_row(unsigned count, const uint64_t *numbers);
// The same for four.
void row4(uint64_t a, uint64_t b, uint64_t c, uint64_t d);

void grow_directory(uint64_t limit); // files in it
void grow_file(uint64_t limit);      // its size in MiB
void grow_processes(uint64_t limit); // that exist, asleep
void grow_workers(uint64_t limit);   // that run at the same time, one a hart
void grow_damage(uint64_t limit);    // rectangles of one present

#endif
