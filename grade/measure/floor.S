# The shortest possible guest: OpenSBI enters it in S-mode, and it powers off (SBI SRST). No kernel can
# boot faster than QEMU runs this guest, from power-on to the end.

    .globl _start
_start:
    li a7, 0x53525354   # extension "SRST"
    li a6, 0            # function: system reset
    li a0, 0            # type: shutdown
    li a1, 0            # reason: none
    ecall
1:  wfi
    j 1b
