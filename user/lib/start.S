// Where a program begins: exec() has put argc in a0, argv in a1 and the stack pointer in sp.

    .section .entry, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    // The linker shortens accesses to data near gp, so this one must not be shortened itself.
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    li s0, 0  // the frame chain ends here, for debuggers
    call start_main
    .size _start, . - _start
