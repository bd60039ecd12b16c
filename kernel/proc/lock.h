// Two locks. A spinlock guards data for a few instructions; its holder never sleeps. A mutex may be held across
// a sleep (disk reads), and whoever waits for it sleeps too.
//
// The kernel runs with interrupts off: they are taken in user mode and, by a call, in the idle loop
// (proc.h). So no lock is ever wanted by an interrupt on the hart that holds it.
//
// Lock order is written in docs/architecture.md.

#ifndef RINGFENCE_LOCK_H
#define RINGFENCE_LOCK_H

#include "kernel/lib.h"

struct proc;

struct spinlock {
    uint32_t locked;     // 1 while held
    uint8_t class;       // lockcheck.c
    struct hart *holder; // for checks only
    const char *name;
};
#define SPINLOCK(tag) ((struct spinlock){.name = (tag)})

void spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);

// A queue of sleeping processes (proc.h has sleep and wake-up). All zeros is an empty queue.
struct wait_queue {
    struct proc *first, *last;
};

struct mutex {
    struct spinlock guard; // of holder and waiters
    struct proc *holder;   // NULL when free
    struct wait_queue waiters;
    const char *name;
    uint8_t class; // lockcheck.c
    bool handed_over;
};

// The locks that a hart (spinlocks) or a process (mutexes) holds, by their classes: lockcheck.c.
struct held_locks {
    uint8_t count, class[15];
};

void mutex_init(struct mutex *mutex, const char *name);
void mutex_lock(struct mutex *mutex);     // may sleep
bool mutex_try_lock(struct mutex *mutex); // never sleeps
void mutex_unlock(
    struct mutex *mutex); // may be called by another process or by a device's completion
bool mutex_held(const struct mutex *mutex); // by this process

#endif
