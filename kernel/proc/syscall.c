// System calls: the table, and those that are about processes and time. Those on files are in fs/sysfile.c.

#include "kernel/boot/boot.h"
#include "kernel/fs/log.h"
#include "kernel/proc/proc.h"

#define TICK_NS (TICK_MS * 1000000ul)
#define MAX_EAGER (1l << 30) // bytes that one sbrk() cannot get at once

static long sys_fork(const uint64_t args[6])
{
    (void)args;
    return proc_fork();
}

static long sys_exit(const uint64_t args[6])
{
    proc_exit((int)args[0]);
}

static long sys_wait(const uint64_t args[6])
{
    return proc_wait(args[0]);
}

static long sys_kill(const uint64_t args[6])
{
    return proc_kill((int)args[0]);
}

static long sys_getpid(const uint64_t args[6])
{
    (void)args;
    return current_proc()->pid;
}

// sbrk(n, how): moves the end of the heap by n bytes; the old end. As on xv6, one call cannot ask for 1 GiB of
// memory at once, lazy growth may go on to the end of the addresses, and a shrink below 0 changes nothing.
static long sys_sbrk(const uint64_t args[6])
{
    struct address_space *space = &current_proc()->space;
    int64_t change = (int32_t)args[0];
    bool lazy =
        (uint32_t)args[1] == SBRK_LAZY; // anything else may be garbage: old stubs do not set it
    uint64_t old = space->size, new = old + change;
    if (change < 0) {
        if (new > old)
            return old;
        vm_shrink(space, new, old);
    } else if (new > vm_heap_limit(space) || (!lazy && change >= MAX_EAGER)) {
        return -ENOMEM;
    } else if (!lazy && vm_grow(space, old, new) < 0) {
        return -ENOMEM;
    }
    space->size = new;
    return old;
}

// Sleeps until `deadline`; -EINTR if killed.
static long sleep_until(uint64_t deadline)
{
    struct spinlock lock = SPINLOCK("sleep");
    struct wait_queue nobody = {0};
    spin_lock(&lock);
    while (time_now() < deadline && !proc_killed())
        sleep_on_until(&nobody, &lock, deadline);
    spin_unlock(&lock);
    return proc_killed() ? -EINTR : 0;
}

static long sys_pause(const uint64_t args[6])
{
    int ticks = (int)args[0];
    return ticks <= 0 ? 0 : sleep_until(time_now() + ns_to_time(ticks * TICK_NS));
}

static long sys_nanosleep(const uint64_t args[6])
{
    return sleep_until(time_now() + ns_to_time(min_u64(args[0], 1ul << 60)));
}

static long sys_uptime(const uint64_t args[6])
{
    (void)args;
    return (uint32_t)(time_to_ns(time_now()) / TICK_NS);
}

static long sys_clock_gettime(const uint64_t args[6])
{
    (void)args;
    return time_to_ns(time_now());
}

static long sys_reboot(const uint64_t args[6])
{
    if (args[0] != REBOOT_POWEROFF && args[0] != REBOOT_RESTART)
        return -EINVAL;
    log_shutdown();
    if (args[0] == REBOOT_RESTART)
        sbi_restart();
    sbi_shutdown();
}

syscall_fn sys_exec; // exec.c
syscall_fn sys_pipe, sys_read, sys_fstat, sys_chdir, sys_dup, sys_open, sys_write, sys_mknod,
    sys_unlink, sys_link, sys_mkdir, sys_close, sys_ioctl, sys_mmap, sys_munmap, sys_lseek,
    sys_fsync; // fs/sysfile.c

static syscall_fn *const syscall_table[SYS_MAX + 1] = {
    [SYS_fork] = sys_fork,           [SYS_exit] = sys_exit,
    [SYS_wait] = sys_wait,           [SYS_pipe] = sys_pipe,
    [SYS_read] = sys_read,           [SYS_kill] = sys_kill,
    [SYS_exec] = sys_exec,           [SYS_fstat] = sys_fstat,
    [SYS_chdir] = sys_chdir,         [SYS_dup] = sys_dup,
    [SYS_getpid] = sys_getpid,       [SYS_sbrk] = sys_sbrk,
    [SYS_pause] = sys_pause,         [SYS_uptime] = sys_uptime,
    [SYS_open] = sys_open,           [SYS_write] = sys_write,
    [SYS_mknod] = sys_mknod,         [SYS_unlink] = sys_unlink,
    [SYS_link] = sys_link,           [SYS_mkdir] = sys_mkdir,
    [SYS_close] = sys_close,         [SYS_ioctl] = sys_ioctl,
    [SYS_mmap] = sys_mmap,           [SYS_munmap] = sys_munmap,
    [SYS_lseek] = sys_lseek,         [SYS_fsync] = sys_fsync,
    [SYS_nanosleep] = sys_nanosleep, [SYS_clock_gettime] = sys_clock_gettime,
    [SYS_reboot] = sys_reboot,
};

void syscall_dispatch(struct trap_frame *frame)
{
    uint64_t number = frame->a[7];
    this_hart()->system_calls++;
    if (number > SYS_MAX || !syscall_table[number]) {
        kprintf("%s: pid %d: unknown system call %ld\n", current_proc()->name, current_proc()->pid,
                (long)number);
        frame->a[0] = -1;
        frame->a[1] = ENOSYS;
        return;
    }
    long result = syscall_table[number](frame->a);
    frame->a[0] = result < 0 ? -1 : result;
    if (result < 0)
        frame->a[1] = -result;
    else if (number != SYS_exec) // whose a1 is the new program's argv
        frame->a[1] = 0;
}
