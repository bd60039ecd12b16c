// The kernel's locks, for the host: threads play processes.

#ifndef RINGFENCE_LOCK_H
#define RINGFENCE_LOCK_H

#include <pthread.h>

#include "kernel/lib.h"

struct proc;

struct spinlock {
    pthread_mutex_t mutex;
    const char *name;
};
#define SPINLOCK(tag)                                                                              \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .name = (tag)                                          \
    }

void spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);

struct wait_queue {
    pthread_cond_t *wakeup; // the first sleeper creates it
};

struct mutex {
    struct spinlock guard;
    struct proc *holder;
    struct wait_queue waiters;
};

void mutex_init(struct mutex *mutex, const char *name);
void mutex_lock(struct mutex *mutex);
bool mutex_try_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);
bool mutex_held(const struct mutex *mutex);

#endif
