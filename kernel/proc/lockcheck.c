// The order of locks, watched while the kernel runs: lockcheck.h says what for.

#include "kernel/proc/lockcheck.h"

#if RINGFENCE_SAN

#include "kernel/proc/proc.h"

#define MAX_CLASSES 64 // bits of a word
#define SLEEP_HOLDS 2  // sched_lock, and the lock that guards the condition

// Class n is bit n. `after` has the classes that were waited for while this one was held.
static struct lock_class {
    const char *name;
    bool mutex;
    uint64_t after;
} classes[MAX_CLASSES];
static unsigned class_count = 1; // 0 in a lock says: not looked up yet

// Guards all here. Not a struct spinlock, which would be checked itself.
static uint32_t busy;

static struct held_locks spins[MAX_HARTS];

static void enter(void)
{
    // Acquire: what the last one here wrote is seen.
    while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
        ;
}

static void leave(void)
{
    // Release: what we wrote is seen by the next.
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

static uint8_t class_of(uint8_t *known, const char *name, bool mutex)
{
    if (*known)
        return *known;
    name = name ? name : "without a name";
    unsigned i = 1;
    while (i < class_count && (classes[i].mutex != mutex || strcmp(classes[i].name, name) != 0))
        i++;
    if (i == MAX_CLASSES)
        panic("lockcheck: more than %d classes of locks", MAX_CLASSES - 1);
    if (i == class_count)
        classes[class_count++] = (struct lock_class){.name = name, .mutex = mutex};
    return *known = i;
}

// ---- the order ----

// The classes that are, by what was seen, to be taken after `from`.
static uint64_t all_after(uint8_t from)
{
    uint64_t reached = 0, fresh = classes[from].after;
    while (fresh) {
        reached |= fresh;
        uint64_t next = 0;
        for (unsigned i = 1; i < class_count; i++)
            if (fresh >> i & 1)
                next |= classes[i].after;
        fresh = next & ~reached;
    }
    return reached;
}

static void check_against(const struct held_locks *held, uint8_t wanted)
{
    for (unsigned i = 0; i < held->count; i++) {
        uint8_t class = held->class[i];
        if (class == wanted || classes[class].after >> wanted & 1)
            continue;
        if (all_after(wanted) >> class & 1)
            panic("lock order: \"%s\" is wanted while \"%s\" is held; elsewhere it is the other "
                  "way round",
                  classes[wanted].name, classes[class].name);
        classes[class].after |= 1ul << wanted;
    }
}

static void wanted(uint8_t class)
{
    check_against(&spins[this_hart()->index], class);
    if (current_proc())
        check_against(&current_proc()->held, class);
}

// ---- what is held ----

static void hold(struct held_locks *held, uint8_t class)
{
    if (held->count == ARRAY_SIZE(held->class))
        panic("lockcheck: too many locks at once");
    held->class[held->count++] = class;
}

// The latest of that class, if it is there.
static void let_go(struct held_locks *held, uint8_t class)
{
    for (unsigned i = held->count; i-- > 0;) {
        if (held->class[i] == class) {
            held->class[i] = held->class[--held->count];
            return;
        }
    }
}

void lockcheck_spin_wanted(struct spinlock *lock)
{
    enter();
    wanted(class_of(&lock->class, lock->name, false));
    leave();
}

void lockcheck_spin_taken(struct spinlock *lock)
{
    hold(&spins[this_hart()->index], lock->class);
}

void lockcheck_spin_released(struct spinlock *lock)
{
    let_go(&spins[this_hart()->index], lock->class);
}

void lockcheck_mutex_wanted(struct mutex *mutex)
{
    enter();
    wanted(class_of(&mutex->class, mutex->name, true));
    leave();
}

void lockcheck_mutex_taken(struct mutex *mutex)
{
    enter();
    hold(&mutex->holder->held, class_of(&mutex->class, mutex->name, true));
    leave();
}

void lockcheck_mutex_released(struct mutex *mutex)
{
    if (mutex->handed_over) {
        mutex->handed_over = false;
        return;
    }
    enter();
    let_go(&mutex->holder->held, mutex->class);
    leave();
}

void lockcheck_handed_over(struct mutex *mutex)
{
    enter();
    let_go(&mutex->holder->held, mutex->class);
    leave();
    mutex->handed_over = true;
}

void lockcheck_sleep(void)
{
    const struct held_locks *held = &spins[this_hart()->index];
    if (held->count > SLEEP_HOLDS)
        panic("lockcheck: sleeps with spinlock \"%s\" held", classes[held->class[0]].name);
}

void lockcheck_none_held(void)
{
    const struct held_locks *spin = &spins[this_hart()->index], *mutex = &current_proc()->held;
    if (spin->count > 0 || mutex->count > 0)
        panic("lockcheck: \"%s\" is still held at the end of a system call",
              classes[spin->count > 0 ? spin->class[0] : mutex->class[0]].name);
}

#endif
