// The way into the kernel and back: traps from user mode, traps from the kernel, context switches.
//
// sscratch tells where a trap came from: in user mode it holds the address of the process's trap frame,
// which is also the kernel stack pointer; in the kernel it is 0. The kernel keeps interrupts off, so a trap
// from the kernel is always a fault of its own.

#include "kernel/asm.h"

// Saves (sd) or loads (ld) every register of user mode but sp, which holds the frame's address.
.macro user_registers op
    \op ra, FRAME_RA(sp)
    \op gp, FRAME_GP(sp)
    \op tp, FRAME_TP(sp)
    \op t0, FRAME_T0(sp)
    \op t1, FRAME_T0+8(sp)
    \op t2, FRAME_T0+16(sp)
    \op s0, FRAME_S0(sp)
    \op s1, FRAME_S0+8(sp)
    \op a0, FRAME_A0(sp)
    \op a1, FRAME_A0+8(sp)
    \op a2, FRAME_A0+16(sp)
    \op a3, FRAME_A0+24(sp)
    \op a4, FRAME_A0+32(sp)
    \op a5, FRAME_A0+40(sp)
    \op a6, FRAME_A0+48(sp)
    \op a7, FRAME_A0+56(sp)
    \op s2, FRAME_S2(sp)
    \op s3, FRAME_S2+8(sp)
    \op s4, FRAME_S2+16(sp)
    \op s5, FRAME_S2+24(sp)
    \op s6, FRAME_S2+32(sp)
    \op s7, FRAME_S2+40(sp)
    \op s8, FRAME_S2+48(sp)
    \op s9, FRAME_S2+56(sp)
    \op s10, FRAME_S2+64(sp)
    \op s11, FRAME_S2+72(sp)
    \op t3, FRAME_T3(sp)
    \op t4, FRAME_T3+8(sp)
    \op t5, FRAME_T3+16(sp)
    \op t6, FRAME_T3+24(sp)
.endm

// Saves or loads the callee-saved registers; `at` holds the address of a struct context.
.macro saved_registers op, at
    \op ra, 0(\at)
    \op sp, 8(\at)
    \op s0, 16(\at)
    \op s1, 24(\at)
    \op s2, 32(\at)
    \op s3, 40(\at)
    \op s4, 48(\at)
    \op s5, 56(\at)
    \op s6, 64(\at)
    \op s7, 72(\at)
    \op s8, 80(\at)
    \op s9, 88(\at)
    \op s10, 96(\at)
    \op s11, 104(\at)
.endm

    .cfi_sections .debug_frame
    .text
    .balign 4
    .globl trap_entry
trap_entry:
    csrrw sp, sscratch, sp
    beqz sp, from_kernel

    user_registers sd
    csrrw t0, sscratch, zero    // the user's sp; from here on we are "in the kernel"
    csrr t1, sepc
    sd t0, FRAME_SP(sp)
    sd t1, FRAME_PC(sp)
    ld tp, FRAME_HART(sp)

    mv a0, sp
    csrr a1, scause
    li s0, 0                    // ends backtraces
    .cfi_startproc simple       // and GDB's
    .cfi_def_cfa sp, 0
    .cfi_undefined ra
    call trap_from_user

// sp = the trap frame. Also where fork_start and the first exec come to.
    .globl user_return
user_return:
    ld t0, FRAME_PC(sp)
    sd tp, FRAME_HART(sp)       // the process may have moved to another hart
    csrw sepc, t0
    csrw sscratch, sp
    user_registers ld
    ld sp, FRAME_SP(sp)
    sret
    .cfi_endproc

// A fault in the kernel: its stack may be the cause, so report it on the hart's panic stack.
from_kernel:
    csrr sp, sscratch
    mv a0, sp
    mv a1, s0
    ld sp, HART_PANIC_STACK(tp)
    csrw sscratch, zero
    call trap_from_kernel
    unimp

// First steps of a kernel thread. Nobody called it: with ra 0, GDB's backtraces end there.
    .globl thread_entry
thread_entry:
    li ra, 0
    j thread_start

// First steps of a forked child: context_switch() "returns" here with the scheduler's lock held.
    .globl fork_start
fork_start:
    call sched_unlock_first
    j user_return

// void context_switch(struct context *from, struct context *to): saves the callee-saved registers, loads
// the other's, and returns where `to` called it.
    .globl context_switch
context_switch:
    saved_registers sd, a0
    saved_registers ld, a1
    ret

// void enter_user(struct trap_frame *frame): a kernel thread becomes a user process; the frame is the one at the
// top of its kernel stack.
    .globl enter_user
enter_user:
    mv sp, a0
    j user_return

// void idle_on(uint64_t stack): the boot hart leaves the boot stack, which has no guard page, for its own.
    .globl idle_on
idle_on:
    mv sp, a0
    li s0, 0
    j idle_loop
