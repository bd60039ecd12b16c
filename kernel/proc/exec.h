// Starting programs: ELF files into address spaces.

#ifndef RINGFENCE_EXEC_H
#define RINGFENCE_EXEC_H

#include "kernel/lib.h"

// A program's arguments, one after the other with their zeros. Together with their pointers they fill at
// most a page, as on xv6, where the stack is no larger.
struct exec_args {
    char *strings; // a page
    uint32_t used;
    int count;
};

int exec_args_init(struct exec_args *args);               // 0 or -ENOMEM
int exec_args_add(struct exec_args *args, const char *s); // 0 or -E2BIG
void exec_args_free(struct exec_args *args);

// Replaces the current process's program. On success its trap frame stands at the new program's entry and the
// result is the argument count; on failure a negative E number, and the old program goes on. May sleep.
int exec_program(const char *path, const struct exec_args *args);

#endif
