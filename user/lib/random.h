// Pseudo-random numbers: the same start value always gives the same sequence. Host programs may
// include this header without the rest of the library.

#ifndef RINGFENCE_RANDOM_H
#define RINGFENCE_RANDOM_H

#include <stdint.h>

// Returns the next 64-bit number of the sequence (SplitMix64). Tests on the host have their own
// copy of this algorithm, so do not change it.
uint64_t random_u64(uint64_t *state);
// Returns a number below `limit`, which must not be 0.
uint64_t random_below(uint64_t *state, uint64_t limit);

#endif
