// The scheduler's inside, for sched.c and proc.c only: what wants sched_lock held.

#ifndef RINGFENCE_SCHED_H
#define RINGFENCE_SCHED_H

#include "kernel/proc/proc.h"

// Guards the state of every process, the run queue, all wait queues, the list of timed sleeps, and who is
// whose parent. Last in the lock order, but for the locks of page.c and printf.c.
extern struct spinlock sched_lock;

void sched_locked(void); // gives the hart to someone else
void sleep_locked(struct wait_queue *queue,
                  uint64_t deadline); // queue may be NULL (only a deadline)
void wake_locked(struct wait_queue *queue);
void sched_new(struct proc *proc);       // a process is ready to run for the first time
void interrupt_sleep(struct proc *proc); // a kill ends one sleep

// trap_entry.S
void context_switch(struct context *from, struct context *to);
void fork_start(void);
void enter_user(struct trap_frame *frame) __attribute__((noreturn));
void idle_on(uint64_t stack) __attribute__((noreturn));

#endif
