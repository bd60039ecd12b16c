// The entry point of every program. exec() has put argc in a0, argv in a1 and the stack pointer in
// sp.

    .section .entry, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    // The linker shortens address loads by using gp. This one sets gp, so it must stay long.
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    li s0, 0  // tells debuggers that the chain of frames ends here
    call start_main
    .size _start, . - _start
