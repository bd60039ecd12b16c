# The shortest guest there is: OpenSBI enters it in S-mode and it asks for power-off (SBI SRST). What QEMU
# takes to run it, from power-on to the end, is the floor below any kernel's boot time.

    .globl _start
_start:
    li a7, 0x53525354   # extension "SRST"
    li a6, 0            # function: system reset
    li a0, 0            # type: shutdown
    li a1, 0            # reason: none
    ecall
1:  wfi
    j 1b
