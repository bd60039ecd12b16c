// What vqsan remembers of a translated block of the guest's code: what each instruction does to
// memory order, and through which registers values flow.
//
// The flow matters for one reason. If the address of a load is computed from the value of an
// earlier load, the hart cannot perform the two in the other order: this address dependency orders
// them without a fence (RVWMO, rule 9). Within a block, vqsan finds it at translation. Across
// blocks, vqsan follows it while the guest runs, and only after a load whose order may matter
// (struct dependency).

#ifndef VQSAN_BLOCK_H
#define VQSAN_BLOCK_H

#include "grade/plugins/vqsan/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOT_A_LOAD 64

// An instruction of a block that touches memory or orders it. Lives as long as QEMU does.
struct site {
    struct insn insn;
    uint64_t pc;
    struct block *block;
    unsigned load;           // its number among the block's loads, at most 63; or NOT_A_LOAD
    bool feeds_address;      // a later load of the block computes its address from this one
    uint32_t address_regs;   // registers at the start of the block that the address depends on
    uint64_t address_loads;  // loads of the block that the address depends on
    uint64_t count;          // fences: how often the guest executed it
    bool reads_driver_area;  // has loaded from an area the driver writes (inject.h),
    bool publishes;          // has stored avail->idx,
    bool looks;              // has loaded used->idx
    struct site *next_fence; // list of all fences
};

struct block {
    uint64_t first_pc, last_pc;
    bool loops;                 // ends in a jump back
    uint32_t load_address_regs; // union of address_regs over its loads
    // At the end of the block, register r depends on these registers at its start and on these
    // loads.
    uint32_t from_regs[32];
    uint64_t from_loads[32];
};

// What depends on one load that a hart has performed.
struct dependency {
    bool live;           // there is such a load
    bool here;           // the load happened in this run of `block`; else use `regs`
    struct block *block; // the running block
    unsigned load;
    uint32_t regs; // registers at the start of `block` that depend on the load
};

struct block *block_new(uint64_t first_pc);
// Adds the next instruction to the block. Returns a site if it accesses memory, orders memory, or
// sleeps; else NULL.
struct site *block_add(struct block *block, uint64_t pc, struct insn insn);

// The hart has performed the load at `site`: starts to follow what depends on it.
void dependency_start(struct dependency *dependency, const struct site *site);
// The hart enters a block.
void dependency_enter(struct dependency *dependency, struct block *block);
// Does the address of the load at `site`, in the running block, depend on the followed load?
bool dependency_holds(const struct dependency *dependency, const struct site *site);

#endif
