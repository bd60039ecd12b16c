// exec(): starts a program from an ELF file.

#ifndef RINGFENCE_EXEC_H
#define RINGFENCE_EXEC_H

#include "kernel/lib.h"

// The arguments of a program: one string after another, each with its zero. Together with their
// pointers they take at most a page, the size of xv6's stack.
struct exec_args {
    char *strings; // a page
    uint32_t used;
    int count;
};

int exec_args_init(struct exec_args *args);               // 0 or -ENOMEM
int exec_args_add(struct exec_args *args, const char *s); // 0 or -E2BIG
void exec_args_free(struct exec_args *args);

// Replaces the program of the current process. Returns the number of arguments, and the trap frame
// is at the entry of the new program; or returns a negative E number, and the old program goes on.
// May sleep. The arguments stay yours.
int exec_program(const char *path, const struct exec_args *args);

#endif
