// A QEMU plugin that counts the guest's instructions, function by function:
//
//   -plugin profile.so,elf=build/kernel.elf,out=FILE[,marked=on][,idle=off]
//
// When QEMU exits, the plugin writes FILE: one line for each block of code that ran, with the
// number of instructions executed and the function where the block begins. The function is
// "(firmware)" for OpenSBI and "(program)" for code that is neither OpenSBI nor the kernel.
//
// marked=on: count only between the guest's two marks. A mark is an instruction that does nothing
// (user/profile_mark.h); bench executes one before and one after the code that it measures.
//
// idle=off, with one hart only: count a turn of the idle loop only if it ends in a switch to a
// process. How often an idle hart wakes up for nothing depends on how long the host takes for a
// device.
//
// common/qemu.c hides the differences between versions of QEMU; common/symbols.c reads the ELF
// file.

#include "grade/plugins/common/qemu.h"
#include "grade/plugins/common/symbols.h"
#include "user/profile_mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// OpenSBI occupies the memory before the kernel and runs without page tables.
#define FIRMWARE 0x80000000ull
#define FIRMWARE_END 0x80200000ull

#define WFI 0x10500073

struct block {
    uint64_t pc, instructions;
    uint64_t runs;
    uint64_t pending; // with idle=off: runs since the last wfi
    bool switches;    // the block begins context_switch()
    struct block *next, *next_pending;
};

static struct block *blocks;
static struct block *pending; // blocks with pending runs
static bool switched;         // has this turn of the idle loop ended in a switch?
static const char *out;
static bool counting = true, counts_idle = true;

// A turn of the idle loop is over: counts its runs if it ended in a switch, else forgets them.
static void end_turn(void)
{
    for (; pending; pending = pending->next_pending) {
        if (switched)
            pending->runs += pending->pending;
        pending->pending = 0;
    }
    switched = false;
}

static void add_to_turn(struct block *block)
{
    if (block->pending++ == 0) {
        block->next_pending = pending;
        pending = block;
    }
    switched |= block->switches;
}

// Called before the hart executes a block. The callbacks below: before wfi and before the marks.
static void on_block(unsigned hart, void *data)
{
    struct block *block = data;
    (void)hart;
    if (!__atomic_load_n(&counting, __ATOMIC_RELAXED))
        return;
    if (counts_idle)
        __atomic_fetch_add(&block->runs, 1, __ATOMIC_RELAXED);
    else
        add_to_turn(block);
}

static void on_wfi(unsigned hart, void *unused)
{
    (void)hart, (void)unused;
    end_turn();
}

static void on_begin(unsigned hart, void *unused)
{
    (void)hart, (void)unused;
    __atomic_store_n(&counting, true, __ATOMIC_RELAXED);
}

static void on_end(unsigned hart, void *unused)
{
    (void)hart, (void)unused;
    __atomic_store_n(&counting, false, __ATOMIC_RELAXED);
    switched = true; // a process has executed the mark
    end_turn();
}

// Called when QEMU translates a block. Several harts may do so at the same time.
static void on_translation(struct qemu_plugin_tb *tb)
{
    struct block *block = calloc(1, sizeof(*block));
    if (!block)
        return;
    block->pc = qemu_plugin_tb_vaddr(tb);
    block->instructions = qemu_plugin_tb_n_insns(tb);
    block->switches =
        symbols_is_code(block->pc) && !strcmp(symbols_find(block->pc).function, "context_switch");
    for (size_t i = 0; i < block->instructions; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t word = qemu_insn_word(insn);
        if (word == PROFILE_BEGIN || word == PROFILE_END)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, word == PROFILE_BEGIN ? on_begin : on_end,
                                                   QEMU_CB_NO_REGS, NULL);
        if (word == WFI && !counts_idle)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_wfi, QEMU_CB_NO_REGS, NULL);
    }
    block->next = __atomic_load_n(&blocks, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&blocks, &block->next, block, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_CB_NO_REGS, block);
}

static const char *owner(uint64_t pc)
{
    if (symbols_is_code(pc))
        return symbols_find(pc).function;
    return pc >= FIRMWARE && pc < FIRMWARE_END ? "(firmware)" : "(program)";
}

// Several lines may name the same function: grade/measure/profile.py adds them up.
static void on_exit_of_qemu(void)
{
    FILE *file = fopen(out, "we");
    for (struct block *block = blocks; file && block; block = block->next)
        if (block->runs > 0)
            fprintf(file, "%lu %s\n", block->runs * block->instructions, owner(block->pc));
    if (!file || fclose(file) != 0)
        perror("profile: out");
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    const char *error = "is missing: give the guest's kernel", *elf = NULL;
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "elf=", 4) == 0)
            elf = argv[i] + 4;
        else if (strncmp(argv[i], "out=", 4) == 0)
            out = argv[i] + 4;
        else if (strcmp(argv[i], "marked=on") == 0)
            counting = false;
        else if (strcmp(argv[i], "idle=off") == 0)
            counts_idle = false;
    }
    if (!elf || !out || !symbols_load(elf, &error)) {
        fprintf(stderr, "profile: elf=%s %s; out=FILE is needed too\n", elf ? elf : "", error);
        return 1;
    }
    qemu_on_translation(id, on_translation);
    qemu_on_exit(id, on_exit_of_qemu);
    return 0;
}
