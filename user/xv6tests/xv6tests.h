// Shared by the files of xv6tests.

#ifndef RINGFENCE_XV6TESTS_H
#define RINGFENCE_XV6TESTS_H

#include "user/xv6tests/abi.h"
#include <stdbool.h>

#define SELF "/xv6tests"

struct test {
    const char *name; // NULL ends a table
    void (*run)(void);
};

extern const struct test process_tests[], file_tests[], limit_tests[];

// The state in which the kernel started the program.
struct start_state {
    uint64 argc;
    char **argv;
    uint64 sp;
    uint64 brk;
};
extern struct start_state start_state;

int main(int argc, char **argv);
int exec_mode(int argc, char **argv); // runs when a test starts this program; argv[1] is "@..."

// Makes a system call by its number; returns all 64 bits of the result.
long call(long number, long a0, long a1, long a2);

bool same(const void *a, const void *b, uint64 n);
uint64 length(const char *s);

// Ends the test with a message if `seen` is not `expected`.
void expect_at(int line_number, const char *what, long seen, long expected);
#define EXPECT(what, expected) expect_at(__LINE__, #what, (long)(what), (long)(expected))

#endif
