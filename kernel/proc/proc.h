// Processes, harts, sleeping and waking.
//
// The kernel is not preemptive and runs with interrupts off: a process in a system call keeps its
// hart until it sleeps or returns. A hart takes interrupts in user mode (trap.c). The idle loop
// waits in `wfi` with interrupts off, and calls interrupts_serve() when one is pending.

#ifndef RINGFENCE_PROC_H
#define RINGFENCE_PROC_H

#include "kernel/abi.h"
#include "kernel/lib.h"
#include "kernel/mm/vm.h"
#include "kernel/proc/lock.h"

#define MAX_HARTS 8
#define MAX_PROCS 256
#define NAME_MAX 16

struct file;
struct inode;

// The user's registers. trap_entry saves them at the top of the kernel stack (trap_entry.S depends
// on the order).
struct trap_frame {
    uint64_t pc;
    uint64_t ra, sp, gp, tp;
    uint64_t t0, t1, t2;
    uint64_t s0, s1;
    uint64_t a[8];
    uint64_t s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;
    uint64_t t3, t4, t5, t6;
    struct hart *hart; // trap_entry loads tp from here; set on each return to user mode
    uint64_t pad;      // keeps the stack 16-byte aligned
};

// The callee-saved registers: context_switch() saves them for a process that runs in the kernel.
struct context {
    uint64_t ra, sp;
    uint64_t s[12];
};

enum proc_state { PROC_UNUSED, PROC_NEW, PROC_RUNNABLE, PROC_RUNNING, PROC_SLEEPING, PROC_ZOMBIE };

struct proc {
    // Guarded by sched_lock (sched.c).
    enum proc_state state;
    struct context context;
    struct proc *next;             // in the run queue or in a wait queue
    struct wait_queue *waiting_on; // the queue that it is in, or NULL
    uint64_t deadline;             // when its sleep ends, as time_now(); 0: no time limit
    struct proc *timer_next;       // in the list of sleeps with a time limit
    bool timed_out;                // its last sleep ended at its deadline
    bool killed;                   // set once, by anyone; read without the lock
    bool kill_noticed;             // the kill has ended one sleep; it ends no other
    int exit_status;
    struct proc *parent;
    struct wait_queue child_exit; // the parent sleeps here in wait()

    // Used by the process itself, and by fork() and wait() while it cannot run.
    int pid;
    struct address_space space; // of a kernel thread: only space.root, the kernel's page table
    struct trap_frame *frame;   // at the top of the kernel stack
    uint64_t kernel_stack;      // lowest address
    struct file *files[NOFILE];
    struct inode *cwd;
    void (*thread)(void); // a kernel thread's body
    struct held_locks held;
    char name[NAME_MAX];
};

// A processor. In the kernel, tp points to its struct hart.
struct hart {
    uint64_t panic_stack; // top of the stack for traps from the kernel, which are fatal (asm.h)
    uint64_t boot_stack;  // top of the stack for its start and its idle loop (asm.h)
    uint64_t id;          // its number for SBI and in the device tree
    unsigned index;       // 0 to hart_count-1
    struct proc *current; // never NULL once scheduling has begun
    struct proc *idle;    // runs when no other process can
    bool is_idle;         // in wfi, or about to be; set under sched_lock
    bool need_resched;    // the tick asks the process to yield
    uint64_t next_tick;   // as time_now()
    uint64_t timer_set;   // when its timer will interrupt, as time_now()
    uint64_t switches, system_calls; // since boot
};

extern struct hart harts[MAX_HARTS];
extern unsigned hart_count;   // present
extern unsigned harts_online; // started

static inline struct hart *this_hart(void)
{
    struct hart *hart;
    asm volatile("mv %0, tp" : "=r"(hart));
    return hart;
}

static inline struct proc *current_proc(void)
{
    return this_hart()->current;
}

// ---- sleeping and waking (sched.c) ----

// Sleeps in `queue` until someone wakes it. Call it with `lock`, which guards your condition: it is
// released during the sleep, and held again on return. A sleep may end early (a kill ends one), so
// call this in a loop that checks the condition.
void sleep_on(struct wait_queue *queue, struct spinlock *lock);

// The same with a time limit, as time_now(). Returns false if the deadline ended the sleep.
bool sleep_on_until(struct wait_queue *queue, struct spinlock *lock, uint64_t deadline);

// Wakes every process in the queue. Hold the lock that guards the condition.
void wake_all(struct wait_queue *queue);

// The same if you are about to sleep, as the writer of a pipe often is: wakes no idle hart, because
// this hart can run the process next.
void wake_all_here(struct wait_queue *queue);

void yield(void);            // lets a runnable process run, if there is one
void sched_tick(void);       // from the timer interrupt: ends sleeps whose deadline has passed
void interrupts_serve(void); // trap.c: serves all pending interrupts; never sleeps
void idle_loop(void) __attribute__((noreturn));

// ---- processes (proc.c) ----

void proc_init(void);
int kernel_thread(const char *name, void (*body)(void)); // 0 or -EAGAIN, -ENOMEM
int proc_fork(void);                                     // the child's pid, -EAGAIN or -ENOMEM
void proc_exit(int status) __attribute__((noreturn));
// Sleeps until a child has ended, and stores its status at the user address, if that is not 0.
// Returns its pid, -ECHILD, -EFAULT or -EINTR.
int proc_wait(uint64_t user_status);
int proc_kill(int pid);       // 0, -ESRCH or -EPERM
void proc_kill_tree(int pid); // the process and its descendants (^C)
bool proc_killed(void);       // has someone killed the current process?
unsigned proc_count(void);

// ---- system calls ----

// Each system call is a function of this type. It gets a0 to a5, and returns the result or a
// negative E number.
typedef long syscall_fn(const uint64_t args[6]);

// ---- time (dev/timer.c) ----

extern uint64_t timebase; // how many times a second the `time` register counts
uint64_t time_now(void);  // the `time` register
uint64_t time_to_ns(uint64_t ticks);
uint64_t ns_to_time(uint64_t ns);

#endif
