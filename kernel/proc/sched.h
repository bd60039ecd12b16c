// The inside of the scheduler, for sched.c, proc.c and the boot code. Hold sched_lock when you call
// one of the first five functions.

#ifndef RINGFENCE_SCHED_H
#define RINGFENCE_SCHED_H

#include "kernel/proc/proc.h"

// Guards the state and the parent of every process, the run queue, all wait queues and the list of
// timed sleeps. In the lock order, only the locks of page.c and printf.c come after it.
extern struct spinlock sched_lock;

void sched_locked(void); // switches to another process, or to the idle process
// `queue` may be NULL if there is a deadline; `deadline` may be 0.
void sleep_locked(struct wait_queue *queue, uint64_t deadline);
void wake_locked(struct wait_queue *queue);
void sched_new(struct proc *proc);       // makes a new process runnable
void interrupt_sleep(struct proc *proc); // ends the sleep of a process that was killed

// trap_entry.S
void context_switch(struct context *from, struct context *to);
void fork_start(void);
void enter_user(struct trap_frame *frame) __attribute__((noreturn));
void idle_on(uint64_t stack) __attribute__((noreturn));

#endif
