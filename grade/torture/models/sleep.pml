/* Sleep and wake-up (kernel/proc/sched.c), and the hart that idles, as a model for spin.

   A process sleeps until a condition holds; another process makes it hold and wakes the sleeper. Meanwhile the sleeper's
   hart idles in wfi. Can the wake-up be lost in any interleaving? spin tries them all: it reports an error if nobody can
   continue and some process has not finished.

     make models          checks this, and each of these mistakes:
     UNLOCK_FIRST         sleep_on() releases the lock that guards the condition before it is in the queue
     NO_SECOND_LOOK       the idle loop does not check the run queue again before wfi, and IPIs do not stay pending
     NO_LOOP              the sleeper does not check the condition again when something else (a kill) wakes it early

   `atomic` and d_step only stand for what one lock or one instruction makes atomic. */

mtype = { RUNNING, QUEUED, ASLEEP, RUNNABLE };

bool condition;
bool cond_lock, sched_lock;
mtype sleeper = RUNNING;   /* QUEUED: in the wait queue, still on its hart */
bool in_queue;             /* what a look at the wait queue shows without the lock */
bool idle, ipi;            /* the sleeper's hart: is idle; has an IPI pending */
bool went_on_without;

inline lock(l)   { atomic { !l -> l = true } }
inline unlock(l) { l = false }

/* make_runnable() and call_idle_hart(). The caller holds sched_lock. */
inline make_runnable() {
    in_queue = false;
    sleeper = RUNNABLE;
    if
    :: idle -> idle = false; ipi = true
    :: else
    fi
}

/* The sleeper's hart, from the switch away from the sleeper until the switch back to it. */
inline idle_until_runnable() {
    do
    :: lock(sched_lock);
       if
       :: sleeper == RUNNABLE -> sleeper = RUNNING; unlock(sched_lock); break
       :: else -> idle = true; unlock(sched_lock)
       fi;
#ifdef NO_SECOND_LOOK
       ipi = false;                      /* an IPI before wfi is lost */
       ipi -> ipi = false;
#else
       if
       :: sleeper == RUNNABLE            /* the second look */
       :: else -> ipi -> ipi = false     /* wfi: ends at once if one is pending */
       fi;
#endif
       idle = false
    od
}

inline sleep_on() {
#ifdef UNLOCK_FIRST
    unlock(cond_lock);
#endif
    lock(sched_lock);
    in_queue = true;
    sleeper = ASLEEP;
#ifndef UNLOCK_FIRST
    unlock(cond_lock);                   /* the sleeper is in the queue: wake_all() finds it */
#endif
    unlock(sched_lock);                  /* by the idle loop, after the switch */
    idle_until_runnable();
    lock(cond_lock)
}

active proctype the_sleeper() {
    lock(cond_lock);
#ifdef NO_LOOP
    if
    :: !condition -> sleep_on()
    :: else
    fi;
#else
    do
    :: !condition -> sleep_on()
    :: else -> break
    od;
#endif
    assert(condition);
    unlock(cond_lock)
}

active proctype the_waker() {
    lock(cond_lock);
    condition = true;
    if                                   /* wake_all(): looks without sched_lock */
    :: in_queue -> lock(sched_lock);
                   if
                   :: in_queue -> make_runnable()
                   :: else
                   fi;
                   unlock(sched_lock)
    :: else
    fi;
    unlock(cond_lock)
}

/* Wakes the sleeper early, once, at any moment: a sleep may end before its condition holds. */
active proctype the_killer() {
    lock(sched_lock);
    if
    :: sleeper == ASLEEP -> make_runnable()
    :: else
    fi;
    unlock(sched_lock)
}
