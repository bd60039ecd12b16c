// Options, as in -plugin vqsan.so,elf=build/kernel.elf,inject=rmb:
//   elf=FILE         the guest kernel; needed
//   log=FILE         reports go there instead of to standard error
//   json=FILE        the summary for machines, kept up to date
//   inject=rmb|wmb|mb|iob|all    what to inject; more than one: inject=rmb,mb or inject=rmb+mb
//   device=bad-id|double|long-len|index-jump|stuck|early-irq     what a hostile device does
//   device=slow      a device that is too late for the first look after each publish
//   only=blk|gpu|rng device= means this device only
//   most=N           each of its queues misbehaves at most N times
//   every=N seed=N   injections and corruptions come at one chance in N (1; hostile devices: 100), by this seed
//   hide=R1,R2,...   rules that are counted but not shown

#ifndef VQSAN_OPTIONS_H
#define VQSAN_OPTIONS_H

#include "grade/plugins/vqsan/hostile.h"

#include <stdbool.h>
#include <stdint.h>

extern struct options {
    const char *elf, *log, *json, *only;
    unsigned kinds;  // INJECT_...
    unsigned every;  // 0: not given
    unsigned most;   // 0: no limit
    unsigned hidden; // rules, as 1 << rule
    uint64_t seed;
    enum hostile_mode hostile;
} options;

// Takes one option in, which must stay in memory; it is written to. False if there is no such one.
bool options_parse(char *option);

#endif
