// The kernel's locks and sleeping, built from pthread mutexes and condition variables.

#include "shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernel/dev/device.h"

const struct device *const devices[DEV_MAX]; // empty: T_DEVICE inodes cannot be opened
uint64_t timebase = 1000000000;

static __thread struct proc *self;
static __thread unsigned spinlocks_held;

void kprintf(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
}

void panic(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "panic: ");
    vfprintf(stderr, format, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    abort();
}

// ---- processes ----

struct proc *current_proc(void)
{
    return self;
}

bool proc_killed(void)
{
    return false;
}

void become_process(void)
{
    self = calloc(1, sizeof(*self));
}

uint64_t time_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

// ---- spinlocks and sleeping ----

void spin_lock(struct spinlock *lock)
{
    spinlocks_held++;
    if (pthread_mutex_lock(&lock->mutex))
        abort();
}

void spin_unlock(struct spinlock *lock)
{
    spinlocks_held--;
    if (pthread_mutex_unlock(&lock->mutex))
        abort();
}

bool sleep_on_until(struct wait_queue *queue, struct spinlock *lock, uint64_t deadline)
{
    if (spinlocks_held != 1)
        panic("sleep with %u spinlocks held", spinlocks_held);
    if (!queue->wakeup) {
        queue->wakeup = malloc(sizeof(*queue->wakeup));
        pthread_cond_init(queue->wakeup, NULL);
    }
    if (deadline) {
        struct timespec until = {deadline / 1000000000, deadline % 1000000000};
        return pthread_cond_timedwait(queue->wakeup, &lock->mutex, &until) == 0;
    }
    pthread_cond_wait(queue->wakeup, &lock->mutex);
    return true;
}

void sleep_on(struct wait_queue *queue, struct spinlock *lock)
{
    sleep_on_until(queue, lock, 0);
}

void wake_all(struct wait_queue *queue)
{
    if (queue->wakeup)
        pthread_cond_broadcast(queue->wakeup);
}

void wake_all_here(struct wait_queue *queue)
{
    wake_all(queue);
}

// ---- mutexes ----

void mutex_init(struct mutex *mutex, const char *name)
{
    *mutex = (struct mutex){.guard = SPINLOCK(name)};
}

void mutex_lock(struct mutex *mutex)
{
    spin_lock(&mutex->guard);
    while (mutex->holder)
        sleep_on(&mutex->waiters, &mutex->guard);
    mutex->holder = self;
    spin_unlock(&mutex->guard);
}

bool mutex_try_lock(struct mutex *mutex)
{
    spin_lock(&mutex->guard);
    bool taken = !mutex->holder;
    if (taken)
        mutex->holder = self;
    spin_unlock(&mutex->guard);
    return taken;
}

void mutex_unlock(struct mutex *mutex)
{
    spin_lock(&mutex->guard);
    if (!mutex->holder)
        panic("mutex_unlock: \"%s\" is free", mutex->guard.name);
    mutex->holder = NULL;
    wake_all(&mutex->waiters);
    spin_unlock(&mutex->guard);
}

bool mutex_held(const struct mutex *mutex)
{
    struct spinlock *guard = (struct spinlock *)&mutex->guard;
    spin_lock(guard);
    bool held = mutex->holder == self;
    spin_unlock(guard);
    return held;
}
