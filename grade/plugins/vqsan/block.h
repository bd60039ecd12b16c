// A translated block of the guest's code, as vqsan remembers it: what each instruction does to memory order,
// and through which registers a value flows.
//
// The flow matters for one thing. If the address of a load is computed from the value of an earlier load, the
// hart cannot perform them the other way round: an address dependency orders two loads without a fence
// (RVWMO, rule 9). Within a block it is known at translation; from block to block it is followed while the
// guest runs, and only while a load whose order is in question is fresh (struct dependency).

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
    unsigned load;           // its number among the loads of the block, at most 63; NOT_A_LOAD
    bool feeds_address;      // a later load of the block computes its address from this one
    uint32_t address_regs;   // registers at the block's beginning that the address depends on
    uint64_t address_loads;  // loads of the block that the address depends on
    uint64_t count;          // fences: how often executed
    bool reads_driver_area;  // has been seen to load what the driver itself writes (inject.h),
    bool publishes;          // or to store avail->idx,
    bool looks;              // or to load used->idx
    struct site *next_fence; // list of all fences
};

struct block {
    uint64_t first_pc, last_pc;
    bool loops;                 // ends in a jump back
    uint32_t load_address_regs; // union of address_regs over its loads
    // What register r holds at the end depends on these registers at the beginning and these loads.
    uint32_t from_regs[32];
    uint64_t from_loads[32];
};

// What depends, for a hart, on one load that it has done.
struct dependency {
    bool live;           // there is such a load
    bool here;           // it was done in this run of `block`; else `regs` counts
    struct block *block; // that is running
    unsigned load;
    uint32_t regs; // registers at the beginning of `block` that depend on the load
};

struct block *block_new(uint64_t first_pc);
// Takes the block's next instruction into account. Returns a site if it touches memory or orders it, or
// sleeps; else NULL.
struct site *block_add(struct block *block, uint64_t pc, struct insn insn);

// The hart has done the load at `site`: from now on follow what depends on it.
void dependency_start(struct dependency *dependency, const struct site *site);
// The hart enters a block.
void dependency_enter(struct dependency *dependency, struct block *block);
// Does the address of the load at `site`, in the running block, depend on the load followed?
bool dependency_holds(const struct dependency *dependency, const struct site *site);

#endif
