// Options, as in -plugin vqsan.so,elf=build/kernel.elf,inject=rmb:
//   elf=FILE         the guest kernel; needed
//   log=FILE         write reports to FILE instead of standard error
//   json=FILE        write the results as JSON, updated while QEMU runs
//   inject=rmb|wmb|mb|iob|all    what to inject; more than one: inject=rmb,mb or inject=rmb+mb
//   device=bad-id|double|long-len|index-jump|stuck|early-irq     what a hostile device does
//   device=slow      the device is too late for the first look after each publish
//   only=blk|gpu|rng device= affects this device only
//   most=N           each of its queues misbehaves at most N times
//   every=N seed=N   inject and corrupt at one chance in N (1; hostile devices: 100), by this seed
//   hide=R1,R2,...   count these rules but do not print them

#ifndef VQSAN_OPTIONS_H
#define VQSAN_OPTIONS_H

#include "grade/plugins/vqsan/hostile.h"

#include <stdbool.h>
#include <stdint.h>

extern struct options {
    const char *elf, *log, *json, *only;
    unsigned kinds;  // INJECT_...
    unsigned every;  // 0: the default
    unsigned most;   // 0: no limit
    unsigned hidden; // rules, as 1 << rule
    uint64_t seed;
    enum hostile_mode hostile;
} options;

// Parses one option, and writes to the string, which must stay in memory. False if it is invalid.
bool options_parse(char *option);

#endif
