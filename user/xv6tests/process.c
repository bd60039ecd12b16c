// xv6tests: how a program starts, its memory, processes, and pipes.

#include "user/xv6tests/xv6tests.h"

static char block[1100];

// argc is in a0 and argv in a1. argv[] is at sp, which is a multiple of 16, and the strings are
// above it. All of this is in the one page of stack, which ends where the heap begins.
static void start_registers(void)
{
    const uint64 stack = start_state.brk - PGSIZE;
    EXPECT(start_state.brk % PGSIZE, 0);
    EXPECT(start_state.sp % 16, 0);
    EXPECT(start_state.sp, start_state.argv);
    EXPECT(start_state.sp >= stack && start_state.sp < start_state.brk, true);
    EXPECT(start_state.argc >= 1, true);
    EXPECT(start_state.argv[start_state.argc], 0);
    for (uint64 i = 0; i < start_state.argc; i++) {
        uint64 argument = (uint64)start_state.argv[i];
        EXPECT(argument > start_state.sp && argument < start_state.brk, true);
    }
}

// The program can use the whole stack page, and nothing below it.
static void stack_page(void)
{
    volatile char *stack = (char *)start_state.brk - PGSIZE;
    int status;
    stack[0] = 1;
    EXPECT(stack[0], 1);
    int pid = fork();
    if (pid == 0) {
        stack[-1] = 1;
        exit(0);
    }
    EXPECT(wait(&status), pid);
    EXPECT(status, -1);
}

// sbrk() with one argument: the memory exists at once, with any value in a1.
static void sbrk_old_form(void)
{
    static const long garbage[] = {0, 1, 7, -1, 0x7fffffff, 4096};
    for (int i = 0; i < 6; i++) {
        char *old = sbrk(0);
        EXPECT(call(XV6_sbrk, 3 * PGSIZE, garbage[i], 0), old);
        for (int j = 0; j < 3 * PGSIZE; j++)
            EXPECT(old[j], 0);
        old[3 * PGSIZE - 1] = 1;
        EXPECT(sbrk(0), old + 3 * PGSIZE);
        EXPECT(call(XV6_sbrk, -3 * PGSIZE, garbage[i], 0), old + 3 * PGSIZE);
        EXPECT(sbrk(0), old);
    }
}

// xv6's later form: sbrk(n, 2) is lazy.
static void sbrk_new_form(void)
{
    char *old = sbrk(0);
    EXPECT(call(XV6_sbrk, 1 << 30, 2, 0), old);
    old[1 << 29] = 1;
    EXPECT(old[1 << 29], 1);
    EXPECT(old[(1 << 30) - 1], 0);
    EXPECT(call(XV6_sbrk, -(1 << 30), 1, 0), old + (1 << 30));
    EXPECT(sbrk(0), old);
}

static void sbrk_limits(void)
{
    char *old = sbrk(0);
    EXPECT(call(XV6_sbrk, 1 << 30, 1, 0), -1);
    EXPECT(sbrk(0), old);
    // A shrink to below 0 does nothing.
    EXPECT(sbrk(-(int)(long)old - 1), old);
    EXPECT(sbrk(0), old);
    EXPECT(sbrk(0x80000004), old);
    EXPECT(sbrk(0), old);
    ((volatile char *)old)[-1]++;
}

// Every call that can fail returns -1 in all 64 bits.
static void minus_one(void)
{
    EXPECT(call(XV6_wait, 0, 0, 0), -1);
    EXPECT(call(XV6_pipe, -1, 0, 0), -1);
    EXPECT(call(XV6_read, 5, (long)block, 1), -1);
    EXPECT(call(XV6_kill, 99999999, 0, 0), -1);
    EXPECT(call(XV6_exec, (long)"/no-such-file", (long)block, 0), -1);
    EXPECT(call(XV6_fstat, -1, (long)block, 0), -1);
    EXPECT(call(XV6_chdir, (long)"/no-such-file", 0, 0), -1);
    EXPECT(call(XV6_dup, 15, 0, 0), -1);
    EXPECT(call(XV6_open, (long)"/no-such-file", 0, 0), -1);
    EXPECT(call(XV6_write, 77, (long)block, 1), -1);
    EXPECT(call(XV6_mknod, (long)"/no-such-dir/x", 1, 0), -1);
    EXPECT(call(XV6_unlink, (long)"/no-such-file", 0, 0), -1);
    EXPECT(call(XV6_link, (long)"/no-such-file", (long)"/x", 0), -1);
    EXPECT(call(XV6_mkdir, (long)"/", 0, 0), -1);
    EXPECT(call(XV6_close, 3, 0, 0), -1);
    EXPECT(call(22, 0, 0, 0), -1);
    EXPECT(call(0, 0, 0, 0), -1);
}

static void bad_addresses(void)
{
    static const uint64 bad[] = {0x80000000, 0x3fffffe000, 0x3ffffff000, 0x4000000000,
                                 0xffffffffffffffff};
    int fds[2], fd = open(SELF, O_RDONLY);
    EXPECT(pipe(fds), 0);
    EXPECT(write(fds[1], "0123456789", 10), 10);
    for (int i = 0; i < 5; i++) {
        void *address = (void *)bad[i];
        EXPECT(read(fd, address, 100), -1);
        EXPECT(write(fds[1], address, 100) <= 0, true);
        EXPECT(read(fds[0], address, 1) <= 0, true);
        EXPECT(open(address, O_CREATE), -1);
        EXPECT(unlink(address), -1);
        EXPECT(link(address, "x"), -1);
        EXPECT(exec(address, (char **)block), -1);
        EXPECT(exec(SELF, address), -1);
        EXPECT(fstat(fd, address), -1);
        EXPECT(pipe(address), -1);
    }
}

static void fork_wait(void)
{
    int status = -7;
    EXPECT(wait(&status), -1);
    EXPECT(status, -7);
    static const int codes[] = {0, 3, -1, 256, 0x7fffffff};
    for (int i = 0; i < 5; i++) {
        int pid = fork();
        if (pid == 0)
            exit(codes[i]);
        EXPECT(pid > 0, true);
        EXPECT(wait(&status), pid);
        EXPECT(status, codes[i]);
    }
    int pid = fork();
    if (pid == 0)
        exit(0);
    EXPECT(wait(0), pid);
    EXPECT(wait(0), -1);
}

static void kill_works(void)
{
    // Running, asleep, and in read() of a pipe.
    for (int i = 0; i < 3; i++) {
        int status, fds[2];
        EXPECT(pipe(fds), 0);
        int pid = fork();
        if (pid == 0) {
            if (i == 0) {
                for (;;)
                    ;
            }
            if (i == 1)
                sleep(100000);
            read(fds[0], block, 1);
            exit(0);
        }
        sleep(1);
        EXPECT(kill(pid), 0);
        EXPECT(wait(&status), pid);
        EXPECT(status, -1);
        EXPECT(kill(pid), -1);
        close(fds[0]);
        close(fds[1]);
    }
}

static void sleep_ticks(void)
{
    for (int n = 1; n <= 3; n++) {
        int start = uptime();
        EXPECT(sleep(n), 0);
        EXPECT(uptime() - start >= n, true);
    }
    EXPECT(sleep(0), 0);
}

static void pipe_works(void)
{
    int fds[2], status;
    EXPECT(pipe(fds), 0);
    int pid = fork();
    if (pid == 0) {
        close(fds[0]);
        for (int i = 0; i < 5; i++) {
            for (int j = 0; j < 1033; j++)
                block[j] = (i * 1033 + j) % 128;
            EXPECT(write(fds[1], block, 1033), 1033);
        }
        exit(0);
    }
    close(fds[1]);
    int total = 0, n;
    while ((n = read(fds[0], block, 700)) > 0) {
        for (int i = 0; i < n; i++)
            EXPECT(block[i], (total + i) % 128);
        total += n;
    }
    EXPECT(n, 0);
    EXPECT(total, 5 * 1033);
    EXPECT(wait(&status), pid);
    EXPECT(status, 0);
    close(fds[0]);
    EXPECT(pipe(fds), 0);
    close(fds[0]);
    EXPECT(write(fds[1], "x", 1), -1);
}

// ---- exec ----

// @echo ...: writes its arguments. @fd: copies descriptor 0 to its output.
int exec_mode(int argc, char **argv)
{
    if (argv[1][1] == 'e') {
        for (int i = 2; i < argc; i++) {
            write(1, argv[i], length(argv[i]));
            write(1, "|", 1);
        }
        return argc;
    }
    int n = read(0, block, sizeof(block));
    write(1, block, n);
    return n;
}

// Runs this program with its output going to a pipe. Returns the exit status; the output is in
// block[].
static int run(char **argv)
{
    int fds[2], status = -2;
    EXPECT(pipe(fds), 0);
    int pid = fork();
    if (pid == 0) {
        close(1);
        EXPECT(dup(fds[1]), 1);
        exec(SELF, argv);
        exit(-3);
    }
    close(fds[1]);
    int n, total = 0;
    while ((n = read(fds[0], block + total, sizeof(block) - 1 - total)) > 0)
        total += n;
    block[total] = 0;
    close(fds[0]);
    EXPECT(wait(&status), pid);
    return status;
}

static void exec_arguments(void)
{
    char *argv[] = {"name", "@e", "one", "", "three 3", 0};
    EXPECT(run(argv), 5);
    EXPECT(same(block, "one||three 3|", 14), true);
    char *many[MAXARG + 1];
    for (int i = 0; i < MAXARG; i++)
        many[i] = "@e";
    many[MAXARG - 1] = 0;
    EXPECT(run(many), MAXARG - 1);
    many[MAXARG - 1] = "x";
    many[MAXARG] = 0;
    EXPECT(exec(SELF, many), -1);
    // More than a page of them.
    static char long_argument[400];
    for (int i = 0; i < 399; i++)
        long_argument[i] = 'x';
    for (int i = 0; i < MAXARG - 1; i++)
        many[i] = long_argument;
    many[MAXARG - 1] = 0;
    EXPECT(exec(SELF, many), -1);
}

static void exec_descriptors(void)
{
    int fds[2];
    char *argv[] = {"name", "@fd", 0};
    EXPECT(pipe(fds), 0);
    EXPECT(write(fds[1], "handed on", 9), 9);
    close(0);
    EXPECT(dup(fds[0]), 0);
    EXPECT(run(argv), 9);
    EXPECT(same(block, "handed on", 9), true);
}

static void exec_failures(void)
{
    char *argv[] = {"x", 0};
    EXPECT(exec("/no-such-file", argv), -1);
    EXPECT(exec("/", argv), -1);
    EXPECT(exec("/README", argv), -1);
    for (int i = 0; i < 1000; i++) {
        char *bad[] = {(char *)0xffffffff, 0};
        EXPECT(exec(SELF, bad), -1);
    }
}

// A program that accesses memory that it may not access ends with status -1.
static void faults(void)
{
    static const uint64 addresses[] = {0, 0x80000000, 0x3ffffff000, 0xffffffff80000000};
    for (int i = 0; i < 4; i++) {
        int status, pid = fork();
        if (pid == 0) {
            *(volatile char *)addresses[i] = 1;
            exit(0);
        }
        EXPECT(wait(&status), pid);
        EXPECT(status, -1);
    }
}

const struct test process_tests[] = {
    {"xv6-start", start_registers},
    {"xv6-stack", stack_page},
    {"xv6-sbrk-old", sbrk_old_form},
    {"xv6-sbrk-new", sbrk_new_form},
    {"xv6-sbrk-limits", sbrk_limits},
    {"xv6-minus-one", minus_one},
    {"xv6-bad-address", bad_addresses},
    {"xv6-fork-wait", fork_wait},
    {"xv6-kill", kill_works},
    {"xv6-sleep", sleep_ticks},
    {"xv6-pipe", pipe_works},
    {"xv6-exec", exec_arguments},
    {"xv6-exec-files", exec_descriptors},
    {"xv6-exec-fails", exec_failures},
    {"xv6-faults", faults},
    {0, 0},
};
