// Injection makes outcomes happen that the memory model allows but an x86 host never shows.
//
// vqsan changes a hart's view of memory from outside in two ways, and these two are enough. If the
// hart may perform a load early, the load gets an old value. If a store may stay in the store
// buffer, vqsan hides it from the device. Each lasts until the driver executes an instruction that
// orders the access, so a correct driver never sees a difference. For each of the four kinds,
// inject.c says what vqsan shows, to whom, and what ends it.
//
// Nothing lasts for ever: RVWMO makes stores visible in finite time, and so does inject_tick().
//
// Call all functions with vqsan's lock held. You may read inject_held without it.

#ifndef VQSAN_INJECT_H
#define VQSAN_INJECT_H

#include "grade/plugins/vqsan/rules.h"

enum { INJECT_RMB = 1, INJECT_WMB = 2, INJECT_MB = 4, INJECT_IOB = 8 };

// What to inject, and how often: one chance in `every`, at random from `seed`.
void inject_configure(unsigned kinds, unsigned every, uint64_t seed);
unsigned inject_kinds(void);

// How many values vqsan holds back now. Read without the lock by fences that have nothing else to
// do.
extern unsigned inject_held;

// The caller sets it before it passes on a store: QEMU's devices have been stopped since before it.
extern bool inject_devices_stopped;

// The queue is ready, or no longer ready. vqsan holds nothing back yet, or lets everything go.
void inject_start(struct queue *q);
void inject_stop(struct queue *q);

// Call these after the rules have seen the same access.
void inject_load(struct hart *h, struct site *site, struct place place);
void inject_store(struct hart *h, struct site *site, struct place place);
void inject_doorbell(struct queue *q);
// The driver may read the elements from `from` to q->acquired from now on.
void inject_acquired(struct queue *q, uint16_t from);
// The driver has stored avail->idx before the entries that it covers (R3).
void inject_unordered_publish(struct queue *q);
// Any hart is about to execute an instruction with this order.
void inject_order(struct order order);
// A hart executes an atomic with `.rl` or `.aq`.
void inject_release(struct hart *h);
void inject_acquire(struct hart *h);
// Call before a load that earlier read an area the driver itself writes.
void inject_before_load(void);
// The hart enters a block whose loads depend on its last load of used->idx.
void inject_dependent_block(struct queue *q);
// Call about once a millisecond.
void inject_tick(void);

#endif
