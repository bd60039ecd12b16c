// Injection: outcomes that the memory model allows, and that an x86 host never shows, are made to happen.
//
// Two things can be done to a hart's view of memory from outside, and both are enough. A load that the hart
// may perform early is answered with what was there before; a store that may linger in its store buffer is
// hidden from the device. Each lasts until the driver executes what orders the access; so a driver that
// keeps its promises never sees a difference. inject.c says for each of the four what is shown, to whom,
// and what ends it.
//
// Nothing lasts for ever: RVWMO makes stores visible in finite time, and so does inject_tick().
//
// All functions are called with vqsan's lock held, except inject_any_held().

#ifndef VQSAN_INJECT_H
#define VQSAN_INJECT_H

#include "grade/plugins/vqsan/rules.h"

enum { INJECT_RMB = 1, INJECT_WMB = 2, INJECT_MB = 4, INJECT_IOB = 8 };

// What to inject, and how often: at one chance in `every`, by a generator that starts from `seed`.
void inject_configure(unsigned kinds, unsigned every, uint64_t seed);
unsigned inject_kinds(void);

// Is anything held back now? Without the lock, for a fence that has nothing else to do.
extern unsigned inject_held;

// Set by the caller for the store that it passes on: QEMU's devices have been standing still since before it.
extern bool inject_devices_stopped;

// The queue is ready, or no longer: nothing is held.
void inject_start(struct queue *q);
void inject_stop(struct queue *q);

// After the rules have seen the same.
void inject_load(struct hart *h, struct site *site, struct place place);
void inject_store(struct hart *h, struct site *site, struct place place);
void inject_doorbell(struct queue *q);
// Elements from `from` to q->acquired may be read from now on.
void inject_acquired(struct queue *q, uint16_t from);
// avail->idx was stored before what it covers (R3).
void inject_unordered_publish(struct queue *q);
// Before an instruction of any hart that orders so.
void inject_order(struct order order);
// `.rl` and `.aq` of a hart.
void inject_release(struct hart *h);
void inject_acquire(struct hart *h);
// Before a load that has been seen to read what the driver itself writes.
void inject_before_load(void);
// The hart enters a block whose loads depend on its last load of used->idx.
void inject_dependent_block(struct queue *q);
// Called about once a millisecond.
void inject_tick(void);

#endif
