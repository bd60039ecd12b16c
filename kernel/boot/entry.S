// Where each hart begins: paging off, at a physical address, a0 = hart id.
//
// Code here runs at its physical address until enter_paging; `la` is relative to the pc, so the same
// instruction gives physical addresses before and virtual ones after.

#include "kernel/asm.h"

    .section .text.entry, "ax"

// The boot hart, from OpenSBI: a1 = physical address of the device tree.
    .globl _start
_start:
    la t0, boot_claimed
    li t1, 1
    amoswap.w.aq t1, t1, (t0)
    bnez t1, lost_secondary
    mv s0, a0
    mv s1, a1

    la t0, bss_start
    la t1, bss_end
1:  sd zero, 0(t0)
    addi t0, t0, 8
    bltu t0, t1, 1b

    // early_root maps the first 16 GiB of physical addresses at DIRECT_MAP with 1 GiB pages. It lives
    // until vm_init() has built the real table.
    la a0, early_root
    li t0, 256 * 8
    add t0, a0, t0
    li t1, PTE_EARLY
    li t2, 16
    li t3, 1 << 28          // 1 GiB in a page-table entry: (1 << 30) >> 12 << 10
1:  sd t1, 0(t0)
    addi t0, t0, 8
    add t1, t1, t3
    addi t2, t2, -1
    bnez t2, 1b

    call enter_paging
    la sp, boot_stack_top
    la tp, harts
    mv a0, s0
    mv a1, s1
    li s0, 0                // ends backtraces
    call kernel_main
    unimp

// The others, from SBI hart_start: a1 = their struct hart (virtual).
    .globl secondary_start
secondary_start:
    mv s1, a1
    la t0, kernel_root_phys
    ld a0, 0(t0)
    call enter_paging
    mv tp, s1
    ld sp, HART_BOOT_STACK(tp)
    li s0, 0
    call secondary_main
    unimp

// A hart that hart_start let go too early: OpenSBI up to 1.2 marks it as started before it stores where it is to
// go, and a hart that looks just then comes to _start, once in some hundred boots. Its struct hart is ready.
lost_secondary:
    la t0, harts
1:  ld t1, HART_ID(t0)
    beq t1, a0, 2f
    addi t0, t0, HART_SIZE
    j 1b
2:  li a1, DIRECT_MAP
    add a1, a1, t0
    j secondary_start

// Turns paging on with the root table at physical a0 and returns to the caller's virtual address. Nothing is mapped
// at the pc once satp is written, so the next fetch faults, and stvec, set to the virtual address of
// what follows, brings us there.
enter_paging:
    li t1, DIRECT_MAP
    la t0, 1f
    add t0, t0, t1
    csrw stvec, t0
    add ra, ra, t1
    srli a0, a0, 12
    li t0, SATP_SV39
    or a0, a0, t0
    sfence.vma
    csrw satp, a0
    .balign 4
1:  // stvec must point at something sane before the first C function faults.
    la t0, trap_entry
    csrw stvec, t0
    csrw sscratch, zero
    ret

    .data
    .balign 4
boot_claimed:               // not in .bss, which the boot hart clears
    .word 0

    .bss
    .balign 4096
early_root:
    .skip 4096
boot_stack:
    .skip 16384
boot_stack_top:
