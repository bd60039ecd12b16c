// Processes: making them, ending them, waiting for them.

#include "kernel/asm.h"
#include "kernel/fs/file.h"
#include "kernel/fs/inode.h"
#include "kernel/fs/log.h"
#include "kernel/proc/lockcheck.h"
#include "kernel/proc/sched.h"

_Static_assert(sizeof(struct trap_frame) == FRAME_SIZE, "asm.h: FRAME_SIZE");
_Static_assert(offsetof(struct trap_frame, sp) == FRAME_SP, "asm.h: FRAME_SP");
_Static_assert(offsetof(struct trap_frame, t0) == FRAME_T0, "asm.h: FRAME_T0");
_Static_assert(offsetof(struct trap_frame, s0) == FRAME_S0, "asm.h: FRAME_S0");
_Static_assert(offsetof(struct trap_frame, a) == FRAME_A0, "asm.h: FRAME_A0");
_Static_assert(offsetof(struct trap_frame, s2) == FRAME_S2, "asm.h: FRAME_S2");
_Static_assert(offsetof(struct trap_frame, t3) == FRAME_T3, "asm.h: FRAME_T3");
_Static_assert(offsetof(struct trap_frame, hart) == FRAME_HART, "asm.h: FRAME_HART");
_Static_assert(offsetof(struct hart, panic_stack) == HART_PANIC_STACK, "asm.h: HART_PANIC_STACK");
_Static_assert(offsetof(struct hart, boot_stack) == HART_BOOT_STACK, "asm.h: HART_BOOT_STACK");
_Static_assert(offsetof(struct hart, id) == HART_ID, "asm.h: HART_ID");
_Static_assert(sizeof(struct hart) == HART_SIZE, "asm.h: HART_SIZE");

static struct proc procs[MAX_PROCS];
static struct proc idle_procs[MAX_HARTS];
static struct proc *init_proc; // adopts orphans
static int next_pid = 1;

static char panic_stacks[MAX_HARTS][PAGE_SIZE] __attribute__((aligned(16)));

void proc_init(void)
{
    for (unsigned i = 0; i < MAX_PROCS; i++) {
        procs[i].kernel_stack = vm_map_kernel_stack(i);
        procs[i].frame = (struct trap_frame *)(procs[i].kernel_stack + KSTACK_SIZE) - 1;
    }
    for (unsigned i = 0; i < hart_count; i++) {
        idle_procs[i].kernel_stack = vm_map_kernel_stack(MAX_PROCS + i);
        idle_procs[i].space.root = kernel_root;
        idle_procs[i].state = PROC_RUNNING;
        copy_string(idle_procs[i].name, "idle", NAME_MAX);
        harts[i].idle = harts[i].current = &idle_procs[i];
        harts[i].boot_stack = idle_procs[i].kernel_stack + KSTACK_SIZE;
        harts[i].panic_stack = (uint64_t)(panic_stacks[i] + PAGE_SIZE);
    }
}

unsigned proc_count(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < MAX_PROCS; i++)
        n += __atomic_load_n(&procs[i].state, __ATOMIC_RELAXED) != PROC_UNUSED;
    return n;
}

// A free slot in state PROC_NEW with a pid, nothing else set; NULL if there is none.
static struct proc *proc_alloc(void)
{
    struct proc *found = NULL;
    spin_lock(&sched_lock);
    for (unsigned i = 0; i < MAX_PROCS && !found; i++)
        if (procs[i].state == PROC_UNUSED)
            found = &procs[i];
    if (found) {
        struct proc fresh = {.state = PROC_NEW,
                             .kernel_stack = found->kernel_stack,
                             .frame = found->frame,
                             .pid = next_pid};
        next_pid = next_pid == INT32_MAX ? 2 : next_pid + 1;
        *found = fresh;
        found->context.sp = (uint64_t)found->frame;
    }
    spin_unlock(&sched_lock);
    return found;
}

static void proc_free(struct proc *proc)
{
    spin_lock(&sched_lock);
    proc->state = PROC_UNUSED;
    spin_unlock(&sched_lock);
}

static void proc_start(struct proc *proc, struct proc *parent)
{
    spin_lock(&sched_lock);
    proc->parent = parent;
    // A parent that was killed while it forked: ^C on its whole tree must not miss the child.
    if (parent && parent->killed)
        proc->killed = true;
    sched_new(proc);
    spin_unlock(&sched_lock);
}

// ---- kernel threads ----

void thread_entry(void); // trap_entry.S: calls thread_start()
void thread_start(void);

void thread_start(void)
{
    spin_unlock(&sched_lock);
    current_proc()->thread();
    proc_exit(0);
}

int kernel_thread(const char *name, void (*body)(void))
{
    struct proc *proc = proc_alloc();
    if (!proc)
        return -EAGAIN;
    proc->space.root = kernel_root;
    proc->thread = body;
    proc->context.ra = (uint64_t)thread_entry;
    copy_string(proc->name, name, NAME_MAX);
    if (!init_proc)
        init_proc = proc;
    proc_start(proc, init_proc == proc ? NULL : init_proc);
    return 0;
}

// ---- fork, exit, wait ----

int proc_fork(void)
{
    struct proc *parent = current_proc();
    struct proc *child = proc_alloc();
    if (!child)
        return -EAGAIN;
    if (vm_copy(&child->space, &parent->space) < 0) {
        proc_free(child);
        return -ENOMEM;
    }
    *child->frame = *parent->frame;
    child->frame->a[0] = 0;
    child->frame->a[1] = 0;
    child->context.ra = (uint64_t)fork_start;
    for (int fd = 0; fd < NOFILE; fd++)
        if (parent->files[fd])
            child->files[fd] = file_dup(parent->files[fd]);
    child->cwd = inode_dup(parent->cwd);
    copy_string(child->name, parent->name, NAME_MAX);
    int pid = child->pid;
    proc_start(child, parent);
    return pid;
}

static void close_files(struct proc *proc)
{
    for (int fd = 0; fd < NOFILE; fd++) {
        if (proc->files[fd])
            file_close(proc->files[fd]);
        proc->files[fd] = NULL;
    }
    if (proc->cwd)
        inode_put_outside(proc->cwd);
    proc->cwd = NULL;
}

// Gives the children to init.
static void orphan_children(struct proc *proc)
{
    for (unsigned i = 0; i < MAX_PROCS; i++) {
        if (procs[i].parent == proc && procs[i].state != PROC_UNUSED) {
            procs[i].parent = init_proc;
            if (procs[i].state == PROC_ZOMBIE)
                wake_locked(&init_proc->child_exit);
        }
    }
}

void proc_exit(int status)
{
    struct proc *proc = current_proc();
    if (proc == init_proc)
        panic("init exited with status %d", status);
    close_files(proc);
    // Leave the address space before its tables are freed.
    struct address_space space = proc->space;
    proc->space = (struct address_space){.root = kernel_root};
    if (space.root != kernel_root) {
        vm_use(&proc->space);
        vm_destroy(&space);
    }
    lockcheck_none_held();
    spin_lock(&sched_lock);
    orphan_children(proc);
    proc->exit_status = status;
    proc->state = PROC_ZOMBIE;
    wake_locked(&proc->parent->child_exit);
    sched_locked();
    panic("a zombie was scheduled");
}

// One look for a child that has ended: its pid, 0 if there are children but none has ended, or -ECHILD, -EFAULT.
static int reap_child(struct proc *parent, uint64_t user_status)
{
    bool have_children = false;
    for (unsigned i = 0; i < MAX_PROCS; i++) {
        struct proc *child = &procs[i];
        if (child->parent != parent || child->state == PROC_UNUSED)
            continue;
        have_children = true;
        if (child->state != PROC_ZOMBIE)
            continue;
        if (user_status &&
            copy_to_user(user_status, &child->exit_status, sizeof(child->exit_status)) < 0)
            return -EFAULT;
        int pid = child->pid;
        child->parent = NULL;
        child->state = PROC_UNUSED;
        return pid;
    }
    return have_children ? 0 : -ECHILD;
}

int proc_wait(uint64_t user_status)
{
    struct proc *proc = current_proc();
    int result;
    spin_lock(&sched_lock);
    while ((result = reap_child(proc, user_status)) == 0) {
        if (proc->killed) {
            result = -EINTR;
            break;
        }
        sleep_locked(&proc->child_exit, 0);
    }
    spin_unlock(&sched_lock);
    return result;
}

// ---- kill ----

static void kill_locked(struct proc *proc)
{
    proc->killed = true;
    if (proc->state == PROC_SLEEPING)
        interrupt_sleep(proc);
}

// Kernel threads cannot be killed: they never return to user mode, where a kill takes effect. Nor can
// init: no program may take the machine down.
static bool can_be_killed(const struct proc *proc)
{
    return proc->state != PROC_UNUSED && proc->state != PROC_ZOMBIE && !proc->thread &&
           proc != init_proc;
}

int proc_kill(int pid)
{
    int result = -ESRCH;
    spin_lock(&sched_lock);
    for (unsigned i = 0; i < MAX_PROCS; i++) {
        if (procs[i].pid == pid && procs[i].state != PROC_UNUSED) {
            if (can_be_killed(&procs[i]))
                kill_locked(&procs[i]);
            result = &procs[i] == init_proc ? -EPERM : 0;
        }
    }
    spin_unlock(&sched_lock);
    return result;
}

void proc_kill_tree(int pid)
{
    spin_lock(&sched_lock);
    for (unsigned i = 0; i < MAX_PROCS; i++) {
        if (!can_be_killed(&procs[i]))
            continue;
        const struct proc *ancestor = &procs[i];
        while (ancestor && ancestor->pid != pid)
            ancestor = ancestor->parent;
        if (ancestor)
            kill_locked(&procs[i]);
    }
    spin_unlock(&sched_lock);
}

bool proc_killed(void)
{
    return __atomic_load_n(&current_proc()->killed, __ATOMIC_RELAXED);
}
