// The guest kernel's ELF file: which addresses are code, and which function and line each belongs
// to.

#ifndef VQSAN_SYMBOLS_H
#define VQSAN_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

// Reads the file. If it is not a 64-bit RISC-V ELF file, returns false and sets `*error` to a
// message.
bool symbols_load(const char *path, const char **error);

// Is this address in the kernel's code?
bool symbols_is_code(uint64_t pc);

// Where an address is in the source. This module owns the strings; "?" and 0 if unknown.
struct location {
    const char *function;
    const char *file; // relative to the project where possible
    unsigned line;
};
struct location symbols_find(uint64_t pc);

// ---- between symbols.c and lines.c ----

struct line_row {
    uint64_t address;
    const char *file;
    unsigned line;  // 0: none, the compiler made this code up
    bool end;       // the last row of a sequence: nothing is known from here on
    unsigned order; // decoding order: of two rows at one address the later one counts
};
struct section {
    const uint8_t *data;
    uint64_t size;
};
// Decodes .debug_line (DWARF 4 or 5) into rows sorted by address. Allocates the rows and returns
// their number.
unsigned lines_decode(struct section line, struct section strings, struct section line_strings,
                      struct line_row **rows);

#endif
