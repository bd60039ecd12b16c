// Blocks and address dependencies. block.h is the contract.

#include "grade/plugins/vqsan/block.h"

#include <stdlib.h>

struct block *block_new(uint64_t first_pc)
{
    struct block *block = calloc(1, sizeof(*block));
    if (!block)
        abort();
    block->first_pc = first_pc;
    for (unsigned r = 1; r < 32; r++)
        block->from_regs[r] = 1u << r;
    return block;
}

static void write_reg(struct block *block, unsigned rd, uint32_t regs, uint64_t loads)
{
    if (rd == 0)
        return;
    block->from_regs[rd] = regs;
    block->from_loads[rd] = loads;
}

// A register computed from others depends on what they depend on.
static void compute(struct block *block, const struct insn *insn)
{
    uint32_t regs = 0;
    uint64_t loads = 0;
    for (unsigned r = 1; r < 32; r++) {
        if (insn->reads >> r & 1) {
            regs |= block->from_regs[r];
            loads |= block->from_loads[r];
        }
    }
    write_reg(block, insn->rd, regs, loads);
}

static struct site *last_loads[64]; // of the block being translated; vqsan's lock is held
static unsigned load_count;
static struct block *load_block;

// A loaded value depends on the load and on whatever its address depends on: order is transitive.
static void add_load(struct block *block, struct site *site)
{
    if (load_block != block) {
        load_block = block;
        load_count = 0;
    }
    site->load = load_count < 63 ? load_count : 63;
    last_loads[site->load] = site;
    load_count++;
    block->load_address_regs |= site->address_regs;
    for (unsigned i = 0; i < site->load; i++)
        if (site->address_loads >> i & 1)
            last_loads[i]->feeds_address = true;
    write_reg(block, site->insn.rd, site->address_regs,
              site->address_loads | (uint64_t)1 << site->load);
}

struct site *block_add(struct block *block, uint64_t pc, struct insn insn)
{
    block->last_pc = pc;
    if (insn.kind == INSN_OTHER) {
        compute(block, &insn);
        return NULL;
    }
    if (insn.kind == INSN_BRANCH) {
        block->loops = insn.offset < 0 && insn.rd == 0; // a call is not a loop
        write_reg(block, insn.rd, 0, 0);
        return NULL;
    }
    struct site *site = calloc(1, sizeof(*site));
    if (!site)
        abort();
    *site = (struct site){
        .insn = insn,
        .pc = pc,
        .block = block,
        .load = NOT_A_LOAD,
        .address_regs = block->from_regs[insn.base],
        .address_loads = block->from_loads[insn.base],
    };
    if (insn.kind == INSN_LOAD || insn.kind == INSN_LR || insn.kind == INSN_AMO)
        add_load(block, site);
    else if (insn.kind == INSN_SC)
        write_reg(block, insn.rd, 0, 0);
    return site;
}

void dependency_start(struct dependency *dependency, const struct site *site)
{
    *dependency =
        (struct dependency){.live = true, .here = true, .block = site->block, .load = site->load};
}

void dependency_enter(struct dependency *dependency, struct block *block)
{
    uint32_t regs = 0;
    const struct block *left = dependency->block;
    for (unsigned r = 1; r < 32; r++) {
        bool depends = dependency->here ? left->from_loads[r] >> dependency->load & 1
                                        : (left->from_regs[r] & dependency->regs) != 0;
        regs |= (uint32_t)depends << r;
    }
    dependency->regs = regs;
    dependency->here = false;
    dependency->block = block;
}

bool dependency_holds(const struct dependency *dependency, const struct site *site)
{
    if (!dependency->live || site->block != dependency->block)
        return false;
    if (dependency->here)
        return site->address_loads >> dependency->load & 1;
    return (site->address_regs & dependency->regs) != 0;
}
