// Shared by the files of fuzz.

#ifndef RINGFENCE_FUZZ_H
#define RINGFENCE_FUZZ_H

#include "user/lib/user.h"

// Makes one system call. *random chooses the call and its arguments. It may end the process.
void fuzz_call(uint64_t *random);

// Writes a copy of the program `from` to `to`, with some of its first bytes changed. Returns 0 or
// -1.
int fuzz_program(uint64_t *random, const char *from, const char *to);

// The folder for all files. main.c creates it, and empties and removes it at the end.
#define FUZZ_FOLDER "/fuzz.d"

#endif
