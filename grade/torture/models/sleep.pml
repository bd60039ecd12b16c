/* Sleep and wake-up (kernel/proc/sched.c), and the hart that idles, as a model for spin.

   A process sleeps until a condition holds; another makes it hold and wakes it. The sleeper runs on a hart of its own,
   which idles in wfi meanwhile. Can the wake-up be lost, in any interleaving? spin tries them all: a state in which
   nobody can go on and somebody has not come to his end is an error.

     make models          runs this, and each of these mistakes:
     UNLOCK_FIRST         sleep_on() releases the lock that guards the condition before it is in the queue
     NO_SECOND_LOOK       the idle loop does not look at the run queue again before wfi, and IPIs do not stay pending
     NO_LOOP              the sleeper does not look at the condition again when it is woken early (by a kill)

   `atomic` and d_step stand for what one lock or one instruction makes indivisible, nothing more. */

mtype = { RUNNING, QUEUED, ASLEEP, RUNNABLE };

bool condition;
bool cond_lock, sched_lock;
mtype sleeper = RUNNING;   /* QUEUED: in the wait queue, still on its hart */
bool in_queue;             /* the wait queue's look from outside */
bool idle, ipi;            /* of the sleeper's hart */
bool went_on_without;

inline lock(l)   { atomic { !l -> l = true } }
inline unlock(l) { l = false }

/* make_runnable() and call_idle_hart(): with sched_lock. */
inline make_runnable() {
    in_queue = false;
    sleeper = RUNNABLE;
    if
    :: idle -> idle = false; ipi = true
    :: else
    fi
}

/* The hart of the sleeper, from the switch away from it until the switch back. */
inline idle_until_runnable() {
    do
    :: lock(sched_lock);
       if
       :: sleeper == RUNNABLE -> sleeper = RUNNING; unlock(sched_lock); break
       :: else -> idle = true; unlock(sched_lock)
       fi;
#ifdef NO_SECOND_LOOK
       ipi = false;                      /* as if it were lost unless it comes in wfi */
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
    unlock(cond_lock);                   /* it is in the queue: wake_all() finds it */
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
    if                                   /* wake_all(): a look without sched_lock */
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

/* Wakes the sleeper early, once, at any moment: a sleep may end without its condition. */
active proctype the_killer() {
    lock(sched_lock);
    if
    :: sleeper == ASLEEP -> make_runnable()
    :: else
    fi;
    unlock(sched_lock)
}
