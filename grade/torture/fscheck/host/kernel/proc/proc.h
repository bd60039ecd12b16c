// The part of processes that the file system uses, for the host.

#ifndef RINGFENCE_PROC_H
#define RINGFENCE_PROC_H

#include "kernel/abi.h"
#include "kernel/lib.h"
#include "kernel/mm/vm.h"
#include "kernel/proc/lock.h"

struct proc {
    struct address_space space;
    struct file *files[NOFILE];
    struct inode *cwd;
};

struct proc *current_proc(void);
bool proc_killed(void);
void sleep_on(struct wait_queue *queue, struct spinlock *lock);
bool sleep_on_until(struct wait_queue *queue, struct spinlock *lock, uint64_t deadline);
void wake_all(struct wait_queue *queue);
void wake_all_here(struct wait_queue *queue);
typedef long syscall_fn(const uint64_t args[6]);
extern uint64_t timebase;
uint64_t time_now(void);

#endif
