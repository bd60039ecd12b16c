// Numbers that look random and that a start value decides. Host programs may include this alone.

#ifndef RINGFENCE_RANDOM_H
#define RINGFENCE_RANDOM_H

#include <stdint.h>

// The next of a sequence of 64-bit numbers (SplitMix64). Host tests restate it.
uint64_t random_u64(uint64_t *state);
// A number below `limit` (not 0).
uint64_t random_below(uint64_t *state, uint64_t limit);

#endif
