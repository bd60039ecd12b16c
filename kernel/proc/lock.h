// Two kinds of locks. Hold a spinlock for a few instructions, and never sleep with it. You may hold
// a mutex while you sleep (for a disk read, say). Whoever waits for a mutex sleeps.
//
// The kernel runs with interrupts off. A hart takes them in user mode and, by a call, in the idle
// loop (proc.h). So an interrupt handler cannot wait for a lock that its own hart holds.
//
// docs/architecture.md has the lock order.

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

// A queue of sleeping processes; proc.h has sleep_on() and wake_all(). All zeros is an empty queue.
struct wait_queue {
    struct proc *first, *last;
};

struct mutex {
    struct spinlock guard; // guards holder and waiters
    struct proc *holder;   // NULL when free
    struct wait_queue waiters;
    const char *name;
    uint8_t class; // lockcheck.c, as the next
    bool handed_over;
};

// lockcheck.c: the classes of the locks that a hart (spinlocks) or a process (mutexes) holds.
struct held_locks {
    uint8_t count, class[15];
};

void mutex_init(struct mutex *mutex, const char *name);
void mutex_lock(struct mutex *mutex);     // may sleep
bool mutex_try_lock(struct mutex *mutex); // never sleeps
// Another process or a device's completion may call this, too. Never sleeps.
void mutex_unlock(struct mutex *mutex);
bool mutex_held(const struct mutex *mutex); // by the current process

#endif
