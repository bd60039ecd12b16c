// Processes, harts, sleeping and waking.
//
// The kernel is not preempted and takes no interrupt while it runs: a process in a system call keeps
// its hart until it sleeps or returns. Interrupts are taken in user mode (trap.c); the idle loop waits in
// `wfi` with interrupts off and serves what is pending by a call. Long loops in the kernel are bounded by
// what one system call may ask for.

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

// Registers of user mode, saved at the top of the kernel stack by trap_entry (trap_entry.S knows the order).
struct trap_frame {
    uint64_t pc;
    uint64_t ra, sp, gp, tp;
    uint64_t t0, t1, t2;
    uint64_t s0, s1;
    uint64_t a[8];
    uint64_t s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;
    uint64_t t3, t4, t5, t6;
    struct hart *hart; // for trap_entry: what tp is in the kernel; set on each return to user mode
    uint64_t pad;      // keeps the stack 16-byte aligned
};

// What context_switch() saves of a process that is in the kernel: the callee-saved registers.
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
    struct wait_queue *waiting_on; // the queue it sleeps in, if any
    uint64_t deadline;             // of a sleep with a time limit, in timebase ticks; 0 none
    struct proc *timer_next;       // in the list of such sleeps
    bool timed_out;                // its last sleep ended by its deadline
    bool killed;                   // set once, by anyone; read without the lock
    bool kill_noticed;             // the kill has ended a sleep: it ends no other
    int exit_status;
    struct proc *parent;
    struct wait_queue child_exit; // the parent sleeps here in wait()

    // The process's own: touched only by itself, and by fork() and wait() while it cannot run.
    int pid;
    struct address_space space; // a kernel thread has none: space.root is the kernel's
    struct trap_frame *frame;   // at the top of the kernel stack
    uint64_t kernel_stack;      // lowest address
    struct file *files[NOFILE];
    struct inode *cwd;
    void (*thread)(void); // a kernel thread's body
    struct held_locks held;
    char name[NAME_MAX];
};

// A processor. tp points to its own in the kernel.
struct hart {
    uint64_t panic_stack; // top of a stack for traps from the kernel, which are all fatal (asm.h)
    uint64_t boot_stack;  // top of the stack on which it starts and later idles (asm.h)
    uint64_t id;          // as SBI and the device tree number it
    unsigned index;       // 0 to hart_count-1
    struct proc *current; // never NULL once scheduling has begun
    struct proc *idle;    // runs when nothing else can
    bool is_idle;         // in wfi, or about to be; guarded by sched_lock
    bool need_resched;    // the tick says: give way
    uint64_t next_tick;   // time_now() units
    uint64_t timer_set;   // when its timer will interrupt
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

// Sleeps in `queue` until woken; `lock` guards the condition, is released while asleep and held again on
// return. Wake-ups may come early (a kill wakes every sleep once): callers loop on their condition.
void sleep_on(struct wait_queue *queue, struct spinlock *lock);

// The same with a time limit (time_now() units); returns false if that came first.
bool sleep_on_until(struct wait_queue *queue, struct spinlock *lock, uint64_t deadline);

// Wakes every process in the queue. The caller holds the lock that guards the condition.
void wake_all(struct wait_queue *queue);

// The same for a synchronous partner, such as the reader of a pipe: leaves it to this hart, which
// is about to sleep, instead of waking another hart for it.
void wake_all_here(struct wait_queue *queue);

void yield(void);            // to whoever is runnable
void sched_tick(void);       // timer interrupt: end sleeps whose time is up
void interrupts_serve(void); // (trap.c) serves what is pending; may kill processes, never sleeps
void idle_loop(void) __attribute__((noreturn));

// ---- processes (proc.c) ----

void proc_init(void);
int kernel_thread(const char *name, void (*body)(void)); // 0 or -EAGAIN, -ENOMEM
int proc_fork(void);
void proc_exit(int status) __attribute__((noreturn));
int proc_wait(uint64_t user_status); // user address, 0 for none
int proc_kill(int pid);
void proc_kill_tree(int pid); // it and its descendants (^C)
bool proc_killed(void);       // has the current process been killed?
unsigned proc_count(void);

// ---- system calls ----

// One function a call; arguments as they stood in a0 to a5. Returns the result or a negative E number.
typedef long syscall_fn(const uint64_t args[6]);

// ---- time (dev/timer.c) ----

extern uint64_t timebase; // ticks of `time` a second
uint64_t time_now(void);  // the `time` register
uint64_t time_to_ns(uint64_t ticks);
uint64_t ns_to_time(uint64_t ns);

#endif
