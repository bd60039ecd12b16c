// Checks the lock order while the kernel runs. Only a kernel made with `make SAN=1` does it. In an
// ordinary kernel these functions are empty.
//
// If two locks are ever taken in both orders, a deadlock is possible, even if it has never
// happened. This check finds it without a deadlock, also on one hart. Locks with the same name form
// a class. When the kernel waits for a lock of class B while it holds one of class A, the check
// remembers "A before B" for ever. It panics at the first order that closes a circle. It does not
// check the order of two locks of one class, such as two inodes.
//
// It also panics if a process sleeps with a spinlock held, or returns to user mode with any lock
// held.

#ifndef RINGFENCE_LOCKCHECK_H
#define RINGFENCE_LOCKCHECK_H

#include "kernel/proc/lock.h"

#if RINGFENCE_SAN

// Around spin_lock() and spin_unlock().
void lockcheck_spin_wanted(struct spinlock *lock);
void lockcheck_spin_taken(struct spinlock *lock);
void lockcheck_spin_released(struct spinlock *lock);

// Around mutex_lock() and mutex_unlock(), which another process may call. mutex_try_lock() cannot
// deadlock: it takes the mutex without waiting for it.
void lockcheck_mutex_wanted(struct mutex *mutex);
void lockcheck_mutex_taken(struct mutex *mutex);
void lockcheck_mutex_released(struct mutex *mutex);

// From now on, someone else must release the mutex, such as a device's completion.
void lockcheck_handed_over(struct mutex *mutex);

// The process is about to sleep. It may hold only sched_lock and the lock that sleep_on() got.
void lockcheck_sleep(void);

// The process is about to return to user mode, or to end.
void lockcheck_none_held(void);

#else

static inline void lockcheck_spin_wanted(struct spinlock *lock)
{
    (void)lock;
}
static inline void lockcheck_spin_taken(struct spinlock *lock)
{
    (void)lock;
}
static inline void lockcheck_spin_released(struct spinlock *lock)
{
    (void)lock;
}
static inline void lockcheck_mutex_wanted(struct mutex *mutex)
{
    (void)mutex;
}
static inline void lockcheck_mutex_taken(struct mutex *mutex)
{
    (void)mutex;
}
static inline void lockcheck_mutex_released(struct mutex *mutex)
{
    (void)mutex;
}
static inline void lockcheck_handed_over(struct mutex *mutex)
{
    (void)mutex;
}
static inline void lockcheck_sleep(void) {}
static inline void lockcheck_none_held(void) {}

#endif
#endif
