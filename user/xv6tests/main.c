// xv6tests: checks that this kernel behaves as an xv6-riscv program expects. It is built like a
// program of xv6: it uses nothing from our C library, has its own start code and system call stubs,
// one page of stack, and no errno.
//
//   xv6tests            runs all tests
//   xv6tests NAME...    runs the named tests
//
// It is linked with -nostdlib, user/lib/user.ld and -z stack-size=0. PT_GNU_STACK then has no size,
// and the kernel gives the program xv6's stack. The tests are in files.c, process.c and limits.c.

#include "user/xv6tests/xv6tests.h"

// ---- start: the stack pointer as exec() left it, before C moves it ----

asm(".pushsection .entry, \"ax\", @progbits\n"
    "    .globl _start\n"
    "_start:\n"
    "    .option push\n"
    "    .option norelax\n"
    "    la gp, __global_pointer$\n"
    "    .option pop\n"
    "    mv a2, sp\n"
    "    call start\n"
    ".popsection");

struct start_state start_state;

__attribute__((used, noreturn)) void start(uint64 argc, char **argv, uint64 sp)
{
    start_state = (struct start_state){argc, argv, sp, (uint64)sbrk(0)};
    exit(main((int)argc, argv));
}

// ---- system calls, as xv6's usys.S makes them ----

#define STUB(name, number)                                                                         \
    asm(".pushsection .text\n"                                                                     \
        "    .globl " #name "\n" #name ":\n"                                                       \
        "    li a7, " #number "\n"                                                                 \
        "    ecall\n"                                                                              \
        "    ret\n"                                                                                \
        ".popsection")
#define STUB_OF(name, number) STUB(name, number)

STUB_OF(fork, XV6_fork);
STUB_OF(exit, XV6_exit);
STUB_OF(wait, XV6_wait);
STUB_OF(pipe, XV6_pipe);
STUB_OF(read, XV6_read);
STUB_OF(kill, XV6_kill);
STUB_OF(exec, XV6_exec);
STUB_OF(fstat, XV6_fstat);
STUB_OF(chdir, XV6_chdir);
STUB_OF(dup, XV6_dup);
STUB_OF(getpid, XV6_getpid);
STUB_OF(sbrk, XV6_sbrk); // has one argument: a1 may hold any value
STUB_OF(sleep, XV6_sleep);
STUB_OF(uptime, XV6_uptime);
STUB_OF(open, XV6_open);
STUB_OF(write, XV6_write);
STUB_OF(mknod, XV6_mknod);
STUB_OF(unlink, XV6_unlink);
STUB_OF(link, XV6_link);
STUB_OF(mkdir, XV6_mkdir);
STUB_OF(close, XV6_close);

long call(long number, long a0, long a1, long a2)
{
    register long r7 asm("a7") = number;
    register long r0 asm("a0") = a0;
    register long r1 asm("a1") = a1;
    register long r2 asm("a2") = a2;
    asm volatile("ecall" : "+r"(r0), "+r"(r1) : "r"(r7), "r"(r2) : "memory");
    return r0;
}

// ---- memory and strings, for the compiler and the tests ----

void *memset(void *dst, int c, uint64 n)
{
    char *p = dst;
    while (n-- > 0)
        *p++ = c;
    return dst;
}

void *memcpy(void *dst, const void *src, uint64 n)
{
    char *to = dst;
    const char *from = src;
    while (n-- > 0)
        *to++ = *from++;
    return dst;
}

bool same(const void *a, const void *b, uint64 n)
{
    const char *x = a, *y = b;
    for (uint64 i = 0; i < n; i++) {
        if (x[i] != y[i])
            return false;
    }
    return true;
}

uint64 length(const char *s)
{
    uint64 n = 0;
    while (s[n])
        n++;
    return n;
}

// ---- output: collects a line, so that it needs only one write() ----

static char line[160];
static uint64 line_length;

static void put(const char *s)
{
    for (; *s && line_length < sizeof(line); s++)
        line[line_length++] = *s;
}

static void put_number(long n)
{
    char digits[24];
    int at = sizeof(digits) - 1;
    uint64 value = n < 0 ? -(uint64)n : (uint64)n;
    digits[at] = 0;
    do {
        digits[--at] = '0' + value % 10;
        value /= 10;
    } while (value > 0);
    if (n < 0)
        digits[--at] = '-';
    put(&digits[at]);
}

static void flush(void)
{
    write(1, line, line_length);
    line_length = 0;
}

void expect_at(int line_number, const char *what, long seen, long expected)
{
    if (seen == expected)
        return;
    put("FAILED: line ");
    put_number(line_number);
    put(": ");
    put(what);
    put(": expected ");
    put_number(expected);
    put(", seen ");
    put_number(seen);
    put("\n");
    flush();
    exit(1);
}

// ---- running ----

// Returns how many bytes of memory a process can get; a child finds out by taking all of it.
// Returns 0 if there are more than 512 MiB, because measuring would take too long.
static uint64 count_memory(void)
{
    static const int steps[] = {1 << 20, 64 << 10, PGSIZE};
    int fds[2];
    uint64 count = 0;
    EXPECT(pipe(fds), 0);
    int pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 3; i++) {
            while (count < 512ul << 20 && sbrk(steps[i]) != (char *)-1)
                count += steps[i];
        }
        if (count >= 512ul << 20)
            count = 0;
        write(fds[1], &count, sizeof(count));
        exit(0);
    }
    close(fds[1]);
    read(fds[0], &count, sizeof(count));
    close(fds[0]);
    EXPECT(wait(0), pid);
    return count;
}

static bool run_test(const struct test *test)
{
    int status = -2;
    put("test ");
    put(test->name);
    put(": ");
    flush();
    int pid = fork();
    if (pid == 0) {
        test->run();
        exit(0);
    }
    if (pid < 0 || wait(&status) != pid || status != 0) {
        // With status 1, the test has printed the reason.
        if (status != 1) {
            put("FAILED: exit status ");
            put_number(status);
            put("\n");
            flush();
        }
        return false;
    }
    put("ok\n");
    flush();
    return true;
}

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (length(argv[i]) == length(name) && same(argv[i], name, length(name)))
            return true;
    }
    return argc <= 1;
}

// Runs the test, and checks that afterwards there is as much memory as before.
static bool run_whole(const struct test *test)
{
    uint64 before = count_memory();
    if (!run_test(test))
        return false;
    uint64 after = count_memory();
    if (before == after)
        return true;
    put("FAILED: bytes of available memory before and after: ");
    put_number(before);
    put(", ");
    put_number(after);
    put("\n");
    flush();
    return false;
}

static int run_table(const struct test *test, int argc, char **argv)
{
    int failed = 0;
    for (; test->name; test++) {
        if (wanted(test->name, argc, argv))
            failed += !run_whole(test);
    }
    return failed;
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '@')
        return exec_mode(argc, argv);
    int failed = run_table(process_tests, argc, argv) + run_table(file_tests, argc, argv) +
                 run_table(limit_tests, argc, argv);
    if (failed > 0) {
        put_number(failed);
        put(" TESTS FAILED\n");
    } else {
        put("ALL TESTS PASSED\n");
    }
    flush();
    return failed > 0;
}
