// What the compiler's own checks need in a kernel that is made with SAN=1 (proc/lockcheck.h has the rest).
//
// Undefined behaviour ends in a trap instruction, which trap_from_kernel() reports; an array on the
// stack that was overrun ends here.

#include "kernel/lib.h"

#if RINGFENCE_SAN

// Lies between a function's arrays and its return address. The zero byte and the newline in it stop
// strings that run over.
uintptr_t __stack_chk_guard = 0x5a0a00c396e1b7d4;

void __stack_chk_fail(void)
{
    panic("a function has written past an array on its stack");
}

#endif
