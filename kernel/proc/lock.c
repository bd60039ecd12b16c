// Spinlocks and mutexes.

#include "kernel/proc/lock.h"
#include "kernel/proc/lockcheck.h"
#include "kernel/proc/proc.h"

// By this hart. Only this hart ever stores its own address there, so the answer is right without the lock.
static bool spin_held(const struct spinlock *lock)
{
    return __atomic_load_n(&lock->holder, __ATOMIC_RELAXED) == this_hart();
}

void spin_lock(struct spinlock *lock)
{
    if (spin_held(lock))
        panic("spin_lock: this hart holds \"%s\" already", lock->name);
    lockcheck_spin_wanted(lock);
    // Acquire: what the last holder wrote is seen by everything after this.
    while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(&lock->locked, __ATOMIC_RELAXED))
            ;
    __atomic_store_n(&lock->holder, this_hart(), __ATOMIC_RELAXED);
    lockcheck_spin_taken(lock);
}

void spin_unlock(struct spinlock *lock)
{
    if (!spin_held(lock))
        panic("spin_unlock: \"%s\" is not held", lock->name);
    lockcheck_spin_released(lock);
    __atomic_store_n(&lock->holder, NULL, __ATOMIC_RELAXED);
    // Release: what we wrote is seen by the next holder.
    __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

void mutex_init(struct mutex *mutex, const char *name)
{
    *mutex = (struct mutex){.guard = SPINLOCK("mutex guard"), .name = name};
}

void mutex_lock(struct mutex *mutex)
{
    lockcheck_mutex_wanted(mutex);
    spin_lock(&mutex->guard);
    while (mutex->holder)
        sleep_on(&mutex->waiters, &mutex->guard);
    mutex->holder = current_proc();
    lockcheck_mutex_taken(mutex);
    spin_unlock(&mutex->guard);
}

bool mutex_try_lock(struct mutex *mutex)
{
    spin_lock(&mutex->guard);
    bool taken = !mutex->holder;
    if (taken) {
        mutex->holder = current_proc();
        lockcheck_mutex_taken(mutex);
    }
    spin_unlock(&mutex->guard);
    return taken;
}

void mutex_unlock(struct mutex *mutex)
{
    spin_lock(&mutex->guard);
    if (!mutex->holder)
        panic("mutex_unlock: \"%s\" is free", mutex->name);
    lockcheck_mutex_released(mutex);
    mutex->holder = NULL;
    wake_all(&mutex->waiters);
    spin_unlock(&mutex->guard);
}

bool mutex_held(const struct mutex *mutex)
{
    return mutex->holder == current_proc();
}
