// What vqsan needs to know of a RISC-V instruction: what it reads and writes, in memory and in
// registers, and which accesses it orders.

#ifndef VQSAN_DECODE_H
#define VQSAN_DECODE_H

#include <stdbool.h>
#include <stdint.h>

enum insn_kind {
    INSN_OTHER, // computes; may write `rd` from the registers in `reads`
    INSN_LOAD,
    INSN_STORE,
    INSN_LR,
    INSN_SC,
    INSN_AMO,
    INSN_FENCE,
    INSN_FENCE_I,
    INSN_BRANCH, // includes jumps with a fixed target
    INSN_WFI,
};

// The letters of a fence: input and output for device registers, read and write for memory.
enum { ORDER_I = 8, ORDER_O = 4, ORDER_R = 2, ORDER_W = 1 };

struct insn {
    enum insn_kind kind;
    uint8_t rd;         // register written, 0 for none
    uint8_t base;       // register that holds the address of a memory access
    uint8_t source;     // register that holds the value to store
    uint32_t reads;     // registers that `rd` is computed from, one bit each
    uint8_t bytes;      // LOAD, STORE: size of the access
    bool below;         // LOAD, STORE: the address is lower than `base`
    bool aq, rl;        // LR, SC, AMO
    uint8_t pred, succ; // FENCE: letters
    bool tso;           // FENCE: fence.tso, which orders r,r and r,w and w,w but not w,r
    int32_t offset;     // BRANCH: from its own address to its target
};

// Decodes an instruction of 2 or 4 bytes.
struct insn decode(uint32_t word);

#endif
