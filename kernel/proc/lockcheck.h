// The order of locks, watched while the kernel runs. Only `make SAN=1` does it; in an ordinary kernel
// all of this is nothing.
//
// Two locks taken in both orders can deadlock, even if no run ever did. So it is not waited for: each
// lock belongs to a class, named as the lock is; whenever a lock is waited for while others are held,
// "class A, then class B" is remembered for good; and an order that closes a circle is a panic, the
// first time it is seen, on one hart alone. Locks of one class may be nested (two inodes, two buffers):
// their order is not checked.
//
// It also panics if a process sleeps with a spinlock held, or returns to user mode with any lock.

#ifndef RINGFENCE_LOCKCHECK_H
#define RINGFENCE_LOCKCHECK_H

#include "kernel/proc/lock.h"

#if RINGFENCE_SAN

// Around spin_lock() and spin_unlock().
void lockcheck_spin_wanted(struct spinlock *lock);
void lockcheck_spin_taken(struct spinlock *lock);
void lockcheck_spin_released(struct spinlock *lock);

// Around a mutex; the one who took it may be another process than the one who releases it. A mutex
// that was only tried cannot deadlock: it is taken, but never wanted.
void lockcheck_mutex_wanted(struct mutex *mutex);
void lockcheck_mutex_taken(struct mutex *mutex);
void lockcheck_mutex_released(struct mutex *mutex);

// From here on somebody else has to release it, such as a device's completion.
void lockcheck_handed_over(struct mutex *mutex);

// The process is about to sleep, with sched_lock and `lock` held, and no others.
void lockcheck_sleep(void);

// The process is about to return to user mode, or ends.
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
