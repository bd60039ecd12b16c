// Traps: system calls, interrupts and faults of user programs; and the kernel's own faults, which are fatal.

#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/proc/lockcheck.h"
#include "kernel/proc/proc.h"

#define CAUSE_INTERRUPT (1ul << 63)
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_USER_ECALL 8
#define CAUSE_FETCH_PAGE_FAULT 12
#define CAUSE_LOAD_PAGE_FAULT 13
#define CAUSE_STORE_PAGE_FAULT 15

#define SIP_SOFTWARE (1ul << 1)
#define SIP_TIMER (1ul << 5)
#define SIP_EXTERNAL (1ul << 9)

#define SSTATUS_SPIE (1ul << 5)
#define COUNTEREN_ALL 7 // cycle, time, instret may be read by user programs

#define READ_CSR(name)                                                                             \
    ({                                                                                             \
        uint64_t value;                                                                            \
        asm volatile("csrr %0, " #name : "=r"(value));                                             \
        value;                                                                                     \
    })
#define WRITE_CSR(name, value) asm volatile("csrw " #name ", %0" : : "r"((uint64_t)(value)))

void panic_stop_if_asked(void);
void syscall_dispatch(struct trap_frame *frame);

void trap_init_hart(void)
{
    // SPP clear and SPIE set: sret goes to user mode with interrupts on. A trap from user mode leaves both so.
    WRITE_CSR(sstatus, SSTATUS_SPIE);
    WRITE_CSR(sie, SIP_SOFTWARE | SIP_TIMER | SIP_EXTERNAL);
    WRITE_CSR(scounteren, COUNTEREN_ALL);
}

void interrupts_serve(void)
{
    uint64_t pending = READ_CSR(sip);
    if (pending & SIP_SOFTWARE) {
        // Cleared before the look at what it was for: one that comes later stays pending.
        asm volatile("csrc sip, %0" : : "r"(SIP_SOFTWARE) : "memory");
        panic_stop_if_asked();
    }
    if (pending & SIP_TIMER)
        timer_handle();
    if (pending & SIP_EXTERNAL)
        plic_handle();
}

// ---- faults of user programs ----

static const char *const cause_names[16] = {
    [0] = "misaligned jump to",  [1] = "cannot run code at",   [2] = "illegal instruction",
    [3] = "breakpoint",          [4] = "misaligned load from", [5] = "cannot read",
    [6] = "misaligned store to", [7] = "cannot write",         [12] = "cannot run code at",
    [13] = "cannot read",        [15] = "cannot write",
};

static const char *cause_name(uint64_t cause)
{
    return cause < ARRAY_SIZE(cause_names) && cause_names[cause] ? cause_names[cause]
                                                                 : "unknown trap";
}

// Is there a mapping that allows the access? Then a stale translation faulted.
static bool access_allowed(uint64_t cause, uint64_t va)
{
    pte_t *pte = vm_walk(&current_proc()->space, va);
    uint64_t need = cause == CAUSE_FETCH_PAGE_FAULT  ? PTE_X
                    : cause == CAUSE_LOAD_PAGE_FAULT ? PTE_R
                                                     : PTE_W;
    return pte && (*pte & need) && (*pte & PTE_U);
}

static int page_fault(uint64_t cause, uint64_t va)
{
    struct proc *proc = current_proc();
    if (va >= USER_END)
        return -EFAULT;
    if (access_allowed(cause, va)) {
        // The hart may have cached that the page was absent when it was added (Sv39 allows it).
        asm volatile("sfence.vma %0" : : "r"(va) : "memory");
        return 0;
    }
    if (vm_walk(&proc->space, va) || cause == CAUSE_FETCH_PAGE_FAULT)
        return -EFAULT;
    return vm_fault(&proc->space, va);
}

static void user_fault(struct trap_frame *frame, uint64_t cause)
{
    struct proc *proc = current_proc();
    uint64_t value = READ_CSR(stval);
    const char *reason = "";
    if (cause == CAUSE_FETCH_PAGE_FAULT || cause == CAUSE_LOAD_PAGE_FAULT ||
        cause == CAUSE_STORE_PAGE_FAULT) {
        int r = page_fault(cause, value);
        if (r == 0)
            return;
        if (r == -ENOMEM)
            reason = " (out of memory)";
        else if (value < proc->space.stack_low && value + PAGE_SIZE >= proc->space.stack_low)
            reason = " (stack overflow)";
    }
    kprintf("%s: pid %d: killed: %s 0x%lx%s, at pc 0x%lx\n", proc->name, proc->pid,
            cause_name(cause), value, reason, frame->pc);
    proc->killed = true;
}

void trap_from_user(struct trap_frame *frame, uint64_t cause)
{
    if (cause == CAUSE_USER_ECALL) {
        frame->pc += 4;
        syscall_dispatch(frame);
    } else if (cause & CAUSE_INTERRUPT) {
        interrupts_serve();
    } else {
        user_fault(frame, cause);
    }
    lockcheck_none_held();
    if (this_hart()->need_resched) {
        this_hart()->need_resched = false;
        yield();
    }
    if (proc_killed())
        proc_exit(-1);
}

// ---- faults of the kernel ----

void panic_at(uint64_t frame, const char *format, va_list ap);

static void kernel_panic(uint64_t frame, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    panic_at(frame, format, ap);
    va_end(ap);
}

void trap_from_kernel(uint64_t sp, uint64_t fp)
{
    uint64_t cause = READ_CSR(scause), value = READ_CSR(stval), pc = READ_CSR(sepc);
    struct proc *proc = current_proc();
    bool overflow = proc && value < proc->kernel_stack && value + PAGE_SIZE >= proc->kernel_stack;
#if RINGFENCE_SAN
    // The compiler's check for undefined behaviour: GCC's trap is a breakpoint, clang's an illegal
    // instruction.
    if (cause == CAUSE_ILLEGAL || cause == CAUSE_BREAKPOINT)
        kernel_panic(fp, "undefined behaviour, at pc 0x%lx", pc);
#endif
    kernel_panic(fp, "kernel fault: %s 0x%lx%s, at pc 0x%lx, sp 0x%lx, process %s",
                 cause_name(cause), value, overflow ? " (kernel stack overflow)" : "", pc, sp,
                 proc ? proc->name : "none");
}
