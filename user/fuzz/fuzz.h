// fuzz: what its files share.

#ifndef RINGFENCE_FUZZ_H
#define RINGFENCE_FUZZ_H

#include "user/lib/user.h"

// Makes one system call, whichever and with whatever arguments *random says. May end the process.
void fuzz_call(uint64_t *random);

// Writes a copy of the program `from` to `to` with some of its first bytes changed. -1 if that failed.
int fuzz_program(uint64_t *random, const char *from, const char *to);

// Where all files are made. Created, and emptied at the end, by main.c.
#define FUZZ_FOLDER "/fuzz.d"

#endif
