// The way into the kernel and back: traps from user mode, traps from the kernel, context switches.
//
// sscratch tells where a trap came from: in user mode it holds the address of the process's trap frame,
// which is also the kernel stack pointer; in the kernel it is 0. The kernel keeps interrupts off, so a trap
// from the kernel is always a fault of its own.

#include "kernel/asm.h"

    .cfi_sections .debug_frame
    .text
    .balign 4
    .globl trap_entry
trap_entry:
    csrrw sp, sscratch, sp
    beqz sp, from_kernel

    sd ra, FRAME_RA(sp)
    sd gp, FRAME_GP(sp)
    sd tp, FRAME_TP(sp)
    sd t0, FRAME_T0(sp)
    sd t1, FRAME_T0+8(sp)
    sd t2, FRAME_T0+16(sp)
    sd s0, FRAME_S0(sp)
    sd s1, FRAME_S0+8(sp)
    sd a0, FRAME_A0(sp)
    sd a1, FRAME_A0+8(sp)
    sd a2, FRAME_A0+16(sp)
    sd a3, FRAME_A0+24(sp)
    sd a4, FRAME_A0+32(sp)
    sd a5, FRAME_A0+40(sp)
    sd a6, FRAME_A0+48(sp)
    sd a7, FRAME_A0+56(sp)
    sd s2, FRAME_S2(sp)
    sd s3, FRAME_S2+8(sp)
    sd s4, FRAME_S2+16(sp)
    sd s5, FRAME_S2+24(sp)
    sd s6, FRAME_S2+32(sp)
    sd s7, FRAME_S2+40(sp)
    sd s8, FRAME_S2+48(sp)
    sd s9, FRAME_S2+56(sp)
    sd s10, FRAME_S2+64(sp)
    sd s11, FRAME_S2+72(sp)
    sd t3, FRAME_T3(sp)
    sd t4, FRAME_T3+8(sp)
    sd t5, FRAME_T3+16(sp)
    sd t6, FRAME_T3+24(sp)
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
    ld ra, FRAME_RA(sp)
    ld gp, FRAME_GP(sp)
    ld tp, FRAME_TP(sp)
    ld t0, FRAME_T0(sp)
    ld t1, FRAME_T0+8(sp)
    ld t2, FRAME_T0+16(sp)
    ld s0, FRAME_S0(sp)
    ld s1, FRAME_S0+8(sp)
    ld a0, FRAME_A0(sp)
    ld a1, FRAME_A0+8(sp)
    ld a2, FRAME_A0+16(sp)
    ld a3, FRAME_A0+24(sp)
    ld a4, FRAME_A0+32(sp)
    ld a5, FRAME_A0+40(sp)
    ld a6, FRAME_A0+48(sp)
    ld a7, FRAME_A0+56(sp)
    ld s2, FRAME_S2(sp)
    ld s3, FRAME_S2+8(sp)
    ld s4, FRAME_S2+16(sp)
    ld s5, FRAME_S2+24(sp)
    ld s6, FRAME_S2+32(sp)
    ld s7, FRAME_S2+40(sp)
    ld s8, FRAME_S2+48(sp)
    ld s9, FRAME_S2+56(sp)
    ld s10, FRAME_S2+64(sp)
    ld s11, FRAME_S2+72(sp)
    ld t3, FRAME_T3(sp)
    ld t4, FRAME_T3+8(sp)
    ld t5, FRAME_T3+16(sp)
    ld t6, FRAME_T3+24(sp)
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
    sd ra, 0(a0)
    sd sp, 8(a0)
    sd s0, 16(a0)
    sd s1, 24(a0)
    sd s2, 32(a0)
    sd s3, 40(a0)
    sd s4, 48(a0)
    sd s5, 56(a0)
    sd s6, 64(a0)
    sd s7, 72(a0)
    sd s8, 80(a0)
    sd s9, 88(a0)
    sd s10, 96(a0)
    sd s11, 104(a0)
    ld ra, 0(a1)
    ld sp, 8(a1)
    ld s0, 16(a1)
    ld s1, 24(a1)
    ld s2, 32(a1)
    ld s3, 40(a1)
    ld s4, 48(a1)
    ld s5, 56(a1)
    ld s6, 64(a1)
    ld s7, 72(a1)
    ld s8, 80(a1)
    ld s9, 88(a1)
    ld s10, 96(a1)
    ld s11, 104(a1)
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
