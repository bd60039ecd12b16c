// The guest kernel's ELF file: which addresses are its code, and which function and line an address is.

#ifndef VQSAN_SYMBOLS_H
#define VQSAN_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

// Reads the file; false, with a message in `*error`, if it is no RISC-V ELF file of 64 bits.
bool symbols_load(const char *path, const char **error);

// Is it an address of the kernel's code?
bool symbols_is_code(uint64_t pc);

// Where an address is. Strings belong to this module; "?" and 0 if not known.
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
    unsigned line;  // 0: none, code of the compiler's own
    bool end;       // here ends what is known
    unsigned order; // in which the rows were decoded: of two at one address the later one counts
};
struct section {
    const uint8_t *data;
    uint64_t size;
};
// Decodes .debug_line (DWARF 4 or 5) to rows ordered by address, allocated. Returns how many.
unsigned lines_decode(struct section line, struct section strings, struct section line_strings,
                      struct line_row **rows);

#endif
