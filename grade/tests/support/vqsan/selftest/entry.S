// Entry of a self-test guest: M-mode, no firmware. All harts start together at 0x80000000.

    .section .text.entry, "ax"
    .globl _start
_start:
    csrr a0, mhartid
    la   sp, stacks
    addi t0, a0, 1
    slli t0, t0, 14
    add  sp, sp, t0
    la   t0, trap
    csrw mtvec, t0
    call start
1:  wfi
    j    1b

    // Nothing here should trap: exit with status 3.
    .align 2
trap:
    li   t0, 0x100000
    li   t1, 0x33333
    sw   t1, 0(t0)
1:  j    1b

    .bss
    .align 4
stacks:
    .space 8 << 14
