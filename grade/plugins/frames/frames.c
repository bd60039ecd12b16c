// A QEMU plugin that counts what a frame costs the CPU:
//
//   -plugin frames.so[,profile=FILE][,polls=ADDRESS] -d plugin
//
// It counts the instructions that the machine's only hart executes. The program that draws frames
// executes FRAME_BEGIN before each frame: an instruction that does nothing (user/profile_mark.h).
// At each one the plugin writes a line into QEMU's log, in time order with the trace events:
//
//   frame instructions=N waits=N polls=N        since the machine started
//
// `waits` counts executions of wfi. `polls` counts executions of the instruction at ADDRESS, which
// is the first one of poll_used(). When QEMU exits, the plugin writes FILE: one line for each block
// of code that has run since the first frame, with the block's address, its number of instructions,
// and how often it ran.

#include "grade/plugins/common/qemu.h"
#include "user/profile_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define WFI 0x10500073u

void qemu_plugin_outs(const char *text);

struct block {
    struct block *next;
    uint64_t address, count;
    unsigned instructions;
};

static struct block *blocks; // all blocks translated so far; never freed
static uint64_t instructions, waits, polls, poll_address;
static bool begun;
static const char *profile_path;

// ---- while the machine runs ----

static void block_runs(unsigned hart, void *data)
{
    struct block *block = data;
    (void)hart;
    block->count++;
    instructions += block->instructions;
}

static void waits_runs(unsigned hart, void *data)
{
    (void)hart, (void)data;
    waits++;
}

static void poll_runs(unsigned hart, void *data)
{
    (void)hart, (void)data;
    polls++;
}

static void mark_runs(unsigned hart, void *data)
{
    char line[128];
    (void)hart, (void)data;
    if (!begun)
        for (struct block *block = blocks; block; block = block->next)
            block->count = 0;
    begun = true;
    snprintf(line, sizeof(line),
             "frame instructions=%" PRIu64 " waits=%" PRIu64 " polls=%" PRIu64 "\n", instructions,
             waits, polls);
    qemu_plugin_outs(line);
}

static void translated(struct qemu_plugin_tb *tb)
{
    struct block *block = calloc(1, sizeof(*block));
    if (!block)
        abort();
    block->address = qemu_plugin_tb_vaddr(tb);
    block->instructions = (unsigned)qemu_plugin_tb_n_insns(tb);
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, block_runs, QEMU_CB_NO_REGS, block);
    for (unsigned i = 0; i < block->instructions; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t word = qemu_insn_word(insn);
        qemu_exec_cb cb = word == FRAME_BEGIN                            ? mark_runs
                          : word == WFI                                  ? waits_runs
                          : qemu_plugin_insn_vaddr(insn) == poll_address ? poll_runs
                                                                         : NULL;
        if (cb)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, cb, QEMU_CB_NO_REGS, NULL);
    }
}

// ---- beginning and end ----

static void write_profile(void)
{
    FILE *out = profile_path ? fopen(profile_path, "we") : NULL;
    if (!out)
        return;
    for (struct block *block = blocks; block; block = block->next)
        if (block->count > 0)
            fprintf(out, "%#" PRIx64 " %u %" PRIu64 "\n", block->address, block->instructions,
                    block->count);
    fclose(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "profile=", 8) == 0)
            profile_path = strdup(argv[i] + 8);
        else if (strncmp(argv[i], "polls=", 6) == 0)
            poll_address = strtoull(argv[i] + 6, NULL, 0);
        else
            return fprintf(stderr, "frames: unknown option %s\n", argv[i]), -1;
    }
    qemu_on_translation(id, translated);
    qemu_on_exit(id, write_profile);
    return 0;
}
