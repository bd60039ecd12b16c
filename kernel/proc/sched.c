// The scheduler: one queue of runnable processes, served in turn by every hart.
//
// A process that gives up its hart switches straight to the next one; the hart's idle process runs when there
// is none. sched_lock is taken before the switch and released by whoever runs after it, so no other
// hart can pick up a process that is still on its own stack.

#include "kernel/proc/sched.h"
#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/proc/lockcheck.h"

struct spinlock sched_lock = SPINLOCK("sched");
static struct wait_queue run_queue;
static struct proc *timed_sleeps; // earliest deadline first

struct hart harts[MAX_HARTS];
unsigned hart_count, harts_online;

// ---- queues ----

static void queue_append(struct wait_queue *queue, struct proc *proc)
{
    proc->next = NULL;
    if (queue->last)
        queue->last->next = proc;
    else
        queue->first = proc;
    queue->last = proc;
    proc->waiting_on = queue;
}

static void queue_remove(struct wait_queue *queue, struct proc *proc)
{
    struct proc *before = NULL;
    for (struct proc *p = queue->first; p != proc; p = p->next)
        before = p;
    if (before)
        before->next = proc->next;
    else
        queue->first = proc->next;
    if (queue->last == proc)
        queue->last = before;
    proc->waiting_on = NULL;
}

static void timer_insert(struct proc *proc)
{
    struct proc **at = &timed_sleeps;
    while (*at && (*at)->deadline <= proc->deadline)
        at = &(*at)->timer_next;
    proc->timer_next = *at;
    *at = proc;
}

static void timer_remove(struct proc *proc)
{
    struct proc **at = &timed_sleeps;
    while (*at != proc)
        at = &(*at)->timer_next;
    *at = proc->timer_next;
}

// ---- who runs ----

// It is in no queue.
static void make_runnable(struct proc *proc)
{
    proc->state = PROC_RUNNABLE;
    queue_append(&run_queue, proc);
}

// Wakes an idle hart if there is work that this hart will not take at once itself.
static void call_idle_hart(void)
{
    if (this_hart()->current == this_hart()->idle && run_queue.first == run_queue.last)
        return;
    for (unsigned i = 0; i < hart_count; i++) {
        if (harts[i].is_idle && &harts[i] != this_hart()) {
            harts[i].is_idle = false;
            sbi_send_ipi(harts[i].id);
            return;
        }
    }
}

void sched_locked(void)
{
    struct hart *hart = this_hart();
    struct proc *from = hart->current;
    struct proc *to = run_queue.first;
    if (to)
        queue_remove(&run_queue, to);
    else
        to = hart->idle;
    to->state = PROC_RUNNING;
    if (to == from)
        return;
    hart->current = to;
    hart->switches++;
    if (to->space.root != from->space.root)
        vm_use(&to->space);
    context_switch(&from->context, &to->context);
}

// The first act of a new process: it has not come from sched_locked(), which would return to its caller.
void sched_unlock_first(void)
{
    spin_unlock(&sched_lock);
}

void yield(void)
{
    spin_lock(&sched_lock);
    if (run_queue.first) {
        make_runnable(current_proc());
        sched_locked();
    }
    spin_unlock(&sched_lock);
}

void idle_loop(void)
{
    for (;;) {
        spin_lock(&sched_lock);
        if (run_queue.first)
            sched_locked();
        struct hart *hart = this_hart();
        hart->is_idle = true;
        spin_unlock(&sched_lock);
        // A wake-up after the unlock sends an IPI, which stays pending and ends wfi at once; with interrupts off it
        // does not trap.
        if (!run_queue.first)
            asm volatile("wfi" : : : "memory");
        hart->is_idle = false;
        interrupts_serve();
    }
}

// ---- sleeping and waking ----

static void end_sleep(struct proc *proc)
{
    if (proc->waiting_on)
        queue_remove(proc->waiting_on, proc);
    if (proc->deadline) {
        timer_remove(proc);
        proc->deadline = 0;
    }
    make_runnable(proc);
}

// Puts the process to sleep but for leaving the hart; false if it must not sleep.
static bool fall_asleep(struct wait_queue *queue, uint64_t deadline)
{
    struct proc *proc = current_proc();
    proc->timed_out = false;
    // A kill that came after the caller's last look at `killed` ends this sleep, as one during it would.
    if (proc->killed && !proc->kill_noticed) {
        proc->kill_noticed = true;
        return false;
    }
    proc->state = PROC_SLEEPING;
    if (queue)
        queue_append(queue, proc);
    if (deadline) {
        proc->deadline = deadline;
        timer_insert(proc);
        timer_wake_at(deadline);
    }
    return true;
}

void sleep_locked(struct wait_queue *queue, uint64_t deadline)
{
    if (fall_asleep(queue, deadline))
        sched_locked();
}

bool sleep_on_until(struct wait_queue *queue, struct spinlock *lock, uint64_t deadline)
{
    spin_lock(&sched_lock);
    bool asleep = fall_asleep(queue, deadline);
    // Only now: wake_all() looks at the queue with `lock` alone, and must find us there. We cannot be switched to
    // before we have left the hart, for that takes sched_lock.
    spin_unlock(lock);
    if (asleep) {
        lockcheck_sleep();
        sched_locked();
    }
    bool in_time = !current_proc()->timed_out;
    spin_unlock(&sched_lock);
    spin_lock(lock);
    return in_time;
}

void sleep_on(struct wait_queue *queue, struct spinlock *lock)
{
    sleep_on_until(queue, lock, 0);
}

void wake_locked(struct wait_queue *queue)
{
    while (queue->first)
        end_sleep(queue->first);
}

void wake_all(struct wait_queue *queue)
{
    // Sleepers are queued before they release the lock that our caller holds, so this look misses none.
    if (!queue->first)
        return;
    spin_lock(&sched_lock);
    wake_locked(queue);
    call_idle_hart();
    spin_unlock(&sched_lock);
}

void wake_all_here(struct wait_queue *queue)
{
    if (!queue->first)
        return;
    spin_lock(&sched_lock);
    wake_locked(queue);
    spin_unlock(&sched_lock);
}

void interrupt_sleep(struct proc *proc)
{
    proc->kill_noticed = true;
    end_sleep(proc);
    call_idle_hart();
}

void sched_new(struct proc *proc)
{
    make_runnable(proc);
    call_idle_hart();
}

void sched_tick(void)
{
    uint64_t now = time_now();
    spin_lock(&sched_lock);
    while (timed_sleeps && timed_sleeps->deadline <= now) {
        timed_sleeps->timed_out = true;
        end_sleep(timed_sleeps);
    }
    if (timed_sleeps)
        timer_wake_at(timed_sleeps->deadline);
    // What wake_all_here() left to a hart that went on computing is taken over by an idle one now.
    if (run_queue.first)
        call_idle_hart();
    spin_unlock(&sched_lock);
}
