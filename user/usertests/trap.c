// usertests: entering the kernel and returning: registers, arguments, errno, and numbers that are
// not system calls.

#include "user/usertests/usertests.h"

// NAME(in, out): loads the registers x1 to x31 except sp from in[1..31], executes `body`, and
// stores them to out[].
asm(".macro around name, body\n"
    "    .globl \\name\n"
    "\\name:\n"
    "    addi sp, sp, -128\n"
    "    sd ra, 0(sp)\n"
    "    sd gp, 8(sp)\n"
    "    sd tp, 16(sp)\n"
    "    sd s0, 24(sp)\n"
    "    sd s1, 32(sp)\n"
    "    sd s2, 40(sp)\n"
    "    sd s3, 48(sp)\n"
    "    sd s4, 56(sp)\n"
    "    sd s5, 64(sp)\n"
    "    sd s6, 72(sp)\n"
    "    sd s7, 80(sp)\n"
    "    sd s8, 88(sp)\n"
    "    sd s9, 96(sp)\n"
    "    sd s10, 104(sp)\n"
    "    sd s11, 112(sp)\n"
    "    sd a1, 120(sp)\n"
    "    .irp n, 1,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "    ld x\\n, 8*\\n(a0)\n"
    "    .endr\n"
    "    ld a0, 80(a0)\n"
    "    \\body\n"
    "    sd t0, -8(sp)\n"
    "    ld t0, 120(sp)\n"
    "    .irp n, 1,3,4,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "    sd x\\n, 8*\\n(t0)\n"
    "    .endr\n"
    "    ld t1, -8(sp)\n"
    "    sd t1, 40(t0)\n"
    "    ld ra, 0(sp)\n"
    "    ld gp, 8(sp)\n"
    "    ld tp, 16(sp)\n"
    "    ld s0, 24(sp)\n"
    "    ld s1, 32(sp)\n"
    "    ld s2, 40(sp)\n"
    "    ld s3, 48(sp)\n"
    "    ld s4, 56(sp)\n"
    "    ld s5, 64(sp)\n"
    "    ld s6, 72(sp)\n"
    "    ld s7, 80(sp)\n"
    "    ld s8, 88(sp)\n"
    "    ld s9, 96(sp)\n"
    "    ld s10, 104(sp)\n"
    "    ld s11, 112(sp)\n"
    "    addi sp, sp, 128\n"
    "    ret\n"
    ".endm\n"
    ".pushsection .text\n"
    "around around_call, \"ecall\"\n"
    // This loop is long enough for many interrupts.
    "around around_loop, \"1: addi a7, a7, -1; bnez a7, 1b\"\n"
    // a7 holds the address of a page that does not exist yet.
    "around around_fault, \"sd a6, 0(a7)\"\n"
    ".popsection");
void around_call(const uint64_t in[32], uint64_t out[32]);
void around_loop(const uint64_t in[32], uint64_t out[32]);
void around_fault(const uint64_t in[32], uint64_t out[32]);

#define REG_A0 10
#define REG_A1 11
#define REG_A7 17

static void fill_registers(uint64_t in[32], uint64_t seed)
{
    for (int i = 0; i < 32; i++)
        in[i] = random_u64(&seed);
}

// Checks that all registers are unchanged, except those whose bit is set in `except`.
static void compare_registers(const uint64_t in[32], const uint64_t out[32], uint32_t except)
{
    except |= 1u << 0 | 1u << 2;
    for (int i = 0; i < 32; i++) {
        if (!(except & 1u << i) && in[i] != out[i])
            FAIL("register x%d: expected 0x%lx, seen 0x%lx", i, in[i], out[i]);
    }
}

// A system call changes only a0 and a1: programs of xv6 and ours rely on this. The kernel ignores
// registers that are not arguments.
static void registers_call(void)
{
    static const int calls[] = {SYS_getpid, SYS_uptime, SYS_clock_gettime};
    uint64_t in[32], out[32];
    for (int round = 0; round < 100; round++) {
        for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
            fill_registers(in, round * 10 + i);
            in[REG_A7] = calls[i];
            around_call(in, out);
            compare_registers(in, out, 1u << REG_A0 | 1u << REG_A1);
            CHECK((long)out[REG_A0] > 0);
            EXPECT(out[REG_A1], 0);
            if (calls[i] == SYS_getpid)
                EXPECT(out[REG_A0], getpid());
        }
    }
}

// A call that sleeps: meanwhile other processes use the registers.
static void registers_sleep(void)
{
    uint64_t in[32], out[32];
    for (int i = 0; i < 3; i++) {
        if (START() != 0)
            continue;
        for (int round = 0; round < 10; round++) {
            fill_registers(in, i * 100 + round);
            in[REG_A0] = MS;
            in[REG_A7] = SYS_nanosleep;
            around_call(in, out);
            compare_registers(in, out, 1u << REG_A0 | 1u << REG_A1);
            EXPECT(out[REG_A0], 0);
        }
        exit(0);
    }
    JOIN_ALL(3);
}

// A new process starts with its parent's registers.
static void registers_fork(void)
{
    uint64_t in[32], out[32];
    fill_registers(in, 1);
    in[REG_A7] = SYS_fork;
    around_call(in, out);
    compare_registers(in, out, 1u << REG_A0 | 1u << REG_A1);
    if (out[REG_A0] == 0)
        exit(0);
    CHECK((int)out[REG_A0] > 0);
    JOIN(out[REG_A0], 0);
}

// Interrupts change no register, even with more processes than harts.
static void registers_interrupt(void)
{
    uint64_t in[32], out[32];
    for (int i = 0; i < 6; i++) {
        if (START() != 0)
            continue;
        fill_registers(in, i);
        in[REG_A7] = 30 * 1000 * 1000;
        around_loop(in, out);
        compare_registers(in, out, 1u << REG_A7);
        EXPECT(out[REG_A7], 0);
        exit(0);
    }
    JOIN_ALL(6);
}

// A page fault that the kernel resolves changes no register either.
static void registers_fault(void)
{
    uint64_t in[32], out[32];
    char *pages = sbrk_lazy(20 * PAGE);
    for (int i = 0; i < 20; i++) {
        fill_registers(in, i);
        in[REG_A7] = (uint64_t)(pages + i * PAGE + 8);
        in[REG_A7] = in[REG_A7] / 8 * 8;
        around_fault(in, out);
        compare_registers(in, out, 0);
        EXPECT(*(uint64_t *)in[REG_A7], in[16]);
    }
}

// After every failure a0 is exactly -1, and a1 is the error.
static void error_registers(void)
{
    static const struct {
        long number, a0, a1, a2;
        int error;
    } calls[] = {
        {SYS_close, -1, 7, 7, EBADF},
        {SYS_read, 99, 0, 1, EBADF},
        {SYS_write, 0x80000000, 0, 1, EBADF},
        {SYS_kill, 0x7fffffff, 0, 0, ESRCH},
        {SYS_chdir, (long)KERNEL_ADDRESS, 0, 0, EFAULT},
        {SYS_open, (long)KERNEL_ADDRESS, 0, 0, EFAULT},
        {SYS_wait, 0, 0, 0, ECHILD},
        {SYS_sbrk, 0x7fffffff, 1, 0, ENOMEM},
        {SYS_lseek, -1, 0, 0, EBADF},
        {SYS_munmap, 0, 0, 0, EINVAL},
        {SYS_reboot, 77, 0, 0, EINVAL},
    };
    uint64_t in[32], out[32];
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
        fill_registers(in, i);
        in[REG_A7] = calls[i].number;
        in[REG_A0] = calls[i].a0;
        in[REG_A1] = calls[i].a1;
        in[12] = calls[i].a2;
        around_call(in, out);
        if (out[REG_A0] != -1ul || out[REG_A1] != (uint64_t)calls[i].error)
            FAIL("call %ld: expected -1 and %d, seen %ld and %ld", calls[i].number, calls[i].error,
                 (long)out[REG_A0], (long)out[REG_A1]);
        compare_registers(in, out, 1u << REG_A0 | 1u << REG_A1);
    }
}

static void unknown_calls(void)
{
    static const long numbers[] = {0, 22, 63, SYS_MAX + 1, 1000, -1, 1l << 62};
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
        EXPECT_ERROR(syscall(numbers[i], 1, 2, 3, 4, 5), ENOSYS);
    CHECK(getpid() > 0);
}

// As in xv6, an int argument is the low half of its register.
static void int_arguments(void)
{
    const long high = 0x5a5a5a5a00000000;
    int fd = MAKE("f");
    EXPECT(syscall(SYS_write, fd | high, "abcd", 4 | high), 4);
    EXPECT(syscall(SYS_lseek, fd | high, 0, SEEK_SET | high), 0);
    EXPECT(syscall(SYS_read, fd | high, buffer, 3 | high), 3);
    EXPECT(syscall(SYS_open, "f", O_RDONLY | high), fd + 1);
    EXPECT(syscall(SYS_close, (fd + 1) | high), 0);
    EXPECT(syscall(SYS_dup, fd | high), fd + 1);
    EXPECT(syscall(SYS_pause, 0 | high), 0);
    char *brk = sbrk(0);
    EXPECT(syscall(SYS_sbrk, 16 | high, 0), brk);
    EXPECT(sbrk(0), brk + 16);
    int pid = START();
    if (pid == 0)
        syscall(SYS_exit, 3 | high);
    JOIN(pid, 3);
    pid = START();
    if (pid == 0) {
        for (;;)
            getpid();
    }
    EXPECT(syscall(SYS_kill, pid | high), 0);
    JOIN(pid, -1);
}

const struct test trap_tests[] = {
    {"registers-call", registers_call, false},
    {"registers-sleep", registers_sleep, false},
    {"registers-fork", registers_fork, false},
    {"registers-irq", registers_interrupt, false},
    {"registers-fault", registers_fault, false},
    {"error-registers", error_registers, false},
    {"unknown-calls", unknown_calls, false},
    {"int-arguments", int_arguments, false},
    {0},
};
