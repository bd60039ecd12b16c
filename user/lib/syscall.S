// System call stubs. A stub puts the call's number in a7 and executes ecall. The kernel returns the
// result in a0 and the error number in a1 (0 means success); the stub stores a1 in errno.

#include "kernel/abi.h"

    .macro syscall_stub name, number
    .globl \name
    .type \name, @function
\name:
    li a7, \number
    ecall
    sw a1, errno, t0
    ret
    .size \name, . - \name
    .endm

    .text
    syscall_stub fork, SYS_fork
    syscall_stub exit, SYS_exit
    syscall_stub wait, SYS_wait
    syscall_stub pipe, SYS_pipe
    syscall_stub read, SYS_read
    syscall_stub kill, SYS_kill
    syscall_stub exec, SYS_exec
    syscall_stub fstat, SYS_fstat
    syscall_stub chdir, SYS_chdir
    syscall_stub dup, SYS_dup
    syscall_stub getpid, SYS_getpid
    syscall_stub pause, SYS_pause
    syscall_stub sleep, SYS_pause
    syscall_stub uptime, SYS_uptime
    syscall_stub open, SYS_open
    syscall_stub write, SYS_write
    syscall_stub mknod, SYS_mknod
    syscall_stub unlink, SYS_unlink
    syscall_stub link, SYS_link
    syscall_stub mkdir, SYS_mkdir
    syscall_stub close, SYS_close
    syscall_stub ioctl, SYS_ioctl
    syscall_stub mmap, SYS_mmap
    syscall_stub munmap, SYS_munmap
    syscall_stub lseek, SYS_lseek
    syscall_stub fsync, SYS_fsync
    syscall_stub nanosleep, SYS_nanosleep
    syscall_stub clock_gettime, SYS_clock_gettime
    syscall_stub reboot, SYS_reboot

// sbrk(n) and sbrk_lazy(n) are the same call with a different second argument.
    .globl sbrk
    .type sbrk, @function
sbrk:
    li a1, SBRK_EAGER
    j 1f
    .size sbrk, . - sbrk

    .globl sbrk_lazy
    .type sbrk_lazy, @function
sbrk_lazy:
    li a1, SBRK_LAZY
1:  li a7, SYS_sbrk
    ecall
    sw a1, errno, t0
    ret
    .size sbrk_lazy, . - sbrk_lazy

// syscall(number, a, b, ...): the arguments move down by one register.
    .globl syscall
    .type syscall, @function
syscall:
    mv a7, a0
    mv a0, a1
    mv a1, a2
    mv a2, a3
    mv a3, a4
    mv a4, a5
    mv a5, a6
    ecall
    sw a1, errno, t0
    ret
    .size syscall, . - syscall
