// usertests: sbrk(), its limits, and what happens when memory runs out.

#include "user/usertests/usertests.h"

#define FAILED_BREAK ((char *)-1)
#define BREAK() sbrk(0)

static void sbrk_grow(void)
{
    char *start = BREAK();
    // Byte by byte, over page boundaries: each is there at once, and zero.
    for (long i = 0; i < 3 * PAGE; i++) {
        char *byte = sbrk(1);
        EXPECT(byte, start + i);
        EXPECT(*byte, 0);
        *byte = i % 127 + 1;
    }
    for (long i = 0; i < 3 * PAGE; i++)
        EXPECT(start[i], i % 127 + 1);
    EXPECT(BREAK(), start + 3 * PAGE);
    EXPECT(BREAK(), start + 3 * PAGE);
    EXPECT(sbrk(10 * PAGE + 17), start + 3 * PAGE);
    EXPECT(BREAK(), start + 13 * PAGE + 17);
}

static void sbrk_shrink(void)
{
    char *start = sbrk(8 * PAGE);
    fill_pattern(start, 8 * PAGE, 1);
    // Down by pieces; what stays keeps its contents.
    EXPECT(sbrk(-PAGE), start + 8 * PAGE);
    EXPECT(sbrk(-1), start + 7 * PAGE);
    EXPECT(sbrk(-PAGE - 5), start + 7 * PAGE - 1);
    EXPECT(BREAK(), start + 6 * PAGE - 6);
    CHECK(has_pattern(start, 6 * PAGE - 6, 1));
    // What comes back in new pages is zero.
    EXPECT(sbrk(-3 * PAGE), start + 6 * PAGE - 6);
    EXPECT(sbrk(5 * PAGE), start + 3 * PAGE - 6);
    CHECK(has_pattern(start, 3 * PAGE - 6, 1));
    for (char *at = start + 4 * PAGE; at < start + 8 * PAGE - 6; at++)
        EXPECT(*at, 0);
}

// Memory given back is gone: touching it ends the process.
static void sbrk_freed(void)
{
    for (int i = 0; i < 2; i++) {
        int pid = START();
        if (pid == 0) {
            char *start = sbrk(4 * PAGE);
            start[3 * PAGE] = 1;
            sbrk(-2 * PAGE);
            start[2 * PAGE - 1] = 1;
            if (i == 0)
                start[2 * PAGE + PAGE - (long)start % PAGE] = 1;
            else
                exit(*(volatile char *)(start + 3 * PAGE));
            exit(0);
        }
        JOIN(pid, -1);
    }
}

static void sbrk_limits(void)
{
    char *start = BREAK();
    char *on_heap = sbrk(PAGE);
    fill_pattern(on_heap, PAGE, 2);
    EXPECT(sbrk(HEAP_LIMIT), FAILED_BREAK);
    EXPECT(errno, ENOMEM);
    EXPECT(sbrk(0x7fffffff), FAILED_BREAK);
    EXPECT(sbrk(0x7ffff000), FAILED_BREAK);
    EXPECT(BREAK(), start + PAGE);
    CHECK(has_pattern(on_heap, PAGE, 2));
    // A shrink to below nothing changes nothing.
    EXPECT(sbrk(-0x7fffffff - 1), start + PAGE);
    EXPECT(sbrk(-(int)(long)BREAK() - 1), start + PAGE);
    EXPECT(BREAK(), start + PAGE);
    CHECK(has_pattern(on_heap, PAGE, 2));
}

// A program may give back all it has, its own code and stack too, and is then ended by the kernel.
static void sbrk_everything(void)
{
    extern char end[];
    // What is left: nothing; part of the first page; all but the stack.
    const long left[] = {0, 1800, (long)end};
    for (unsigned i = 0; i < ARRAY_SIZE(left); i++) {
        int pid = START();
        if (pid == 0) {
            sbrk(left[i] - (long)BREAK());
            asm volatile("sd zero, -16(sp)" ::: "memory");
            exit(0);
        }
        JOIN(pid, -1);
    }
}

// Heap memory serves every call, up to its last byte.
static void sbrk_arguments(void)
{
    char *start = sbrk(2 * PAGE);
    // The break on a page boundary.
    sbrk(PAGE - (long)start % PAGE);
    char *end = BREAK();
    fill_pattern(end - 5000, 5000, 3);
    int fd = MAKE("f");
    EXPECT(write(fd, end - 5000, 5000), 5000);
    memset(end - 5000, 0, 5000);
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    EXPECT(read(fd, end - 5000, 5000), 5000);
    CHECK(has_pattern(end - 5000, 5000, 3));
    int *fds = (int *)end - 2;
    EXPECT(pipe(fds), 0);
    EXPECT(close(fds[0]), 0);
    EXPECT(close(fds[1]), 0);
    EXPECT(fstat(fd, (struct stat *)end - 1), 0);
    EXPECT(((struct stat *)end)[-1].size, 5000);
    strcpy(end - 2, "f");
    EXPECT(close(open(end - 2, O_RDONLY)), 0);
}

// A child has the heap too, and may shrink it without its parent's noticing.
static void sbrk_fork(void)
{
    char *start = sbrk(20 * PAGE);
    fill_pattern(start, 20 * PAGE, 4);
    int pid = START();
    if (pid == 0) {
        CHECK(has_pattern(start, 20 * PAGE, 4));
        EXPECT(sbrk(-20 * PAGE), start + 20 * PAGE);
        EXPECT(BREAK(), start);
        exit(0);
    }
    JOIN(pid, 0);
    CHECK(has_pattern(start, 20 * PAGE, 4));
}

// As much as half of what is free, at most 100 MiB: all zero, all usable, and all of it comes back.
static void sbrk_large(void)
{
    long size = free_bytes() / 2;
    if (size > 100 * MIB)
        size = 100 * MIB;
    size = size / PAGE * PAGE;
    for (int round = 0; round < 2; round++) {
        char *start = sbrk(size);
        CHECK(start != FAILED_BREAK);
        for (long at = 0; at < size; at += PAGE) {
            EXPECT(*(long *)(start + at / 8 * 8), 0);
            *(long *)(start + at) = at + 1;
        }
        for (long at = 0; at < size; at += PAGE)
            EXPECT(*(long *)(start + at), at + 1);
        start[size - 1] = 1;
        uint64_t before = free_bytes();
        EXPECT(sbrk(-size), start + size);
        CHECK(free_bytes() >= before + size - PAGE);
    }
}

// Does anything else work while there is no memory? It may fail, with a reason, but not harm.
static void live_without_memory(void)
{
    char *argv[] = {"/true", NULL};
    int fds[2];
    EXPECT_ERROR(fork(), ENOMEM);
    EXPECT_ERROR(exec("/true", argv), ENOMEM);
    EXPECT_ERROR(exec(SELF, argv), ENOMEM);
    if (pipe(fds) == 0) {
        close(fds[0]);
        close(fds[1]);
    } else {
        EXPECT(errno, ENOMEM);
    }
    int fd = open("f", O_CREATE | O_RDWR);
    if (fd >= 0) {
        EXPECT(write(fd, "abc", 3), 3);
        EXPECT(lseek(fd, 0, SEEK_SET), 0);
        EXPECT(read(fd, buffer, 3), 3);
        EXPECT(memcmp(buffer, "abc", 3), 0);
        close(fd);
    }
}

// Takes all memory there is; the number of bytes.
static long take_all(void)
{
    static const int steps[] = {MIB, 64 * 1024, 4096};
    long total = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
        while (sbrk(steps[i]) != FAILED_BREAK)
            total += steps[i];
        EXPECT(errno, ENOMEM);
    }
    return total;
}

// All of a big machine's memory would be touched here, and then all of the host's for it.
static void skip_if_much_memory(void)
{
    if (free_bytes() > 600 * (unsigned long)MIB)
        skip("more than 600 MiB are free");
}

static void memory_exhaustion(void)
{
    skip_if_much_memory();
    for (int round = 0; round < 2; round++) {
        int pid = START();
        if (pid == 0) {
            CHECK(take_all() > 0);
            live_without_memory();
            exit(0);
        }
        JOIN(pid, 0);
    }
    char *argv[] = {"/true", NULL};
    EXPECT(run_program("/true", argv, "out"), 0);
}

// exec() with 0, 1, 2 ... pages left: it works or says why not, and gives back what it took.
static void exec_without_memory(void)
{
    skip_if_much_memory();
    char *argv[] = {"/true", NULL};
    int good = 0;
    for (int pages = 0; pages < 24; pages++) {
        int pid = START();
        if (pid == 0) {
            take_all();
            sbrk(-pages * PAGE);
            exec("/true", argv);
            EXPECT(errno, ENOMEM);
            exit(9);
        }
        int status;
        EXPECT(wait(&status), pid);
        CHECK(status == 0 || status == 9);
        good += status == 0;
    }
    CHECK(good > 0);
}

// Several processes want more than there is: those that get none go on, and all comes back when
// they end.
static void memory_contention(void)
{
    skip_if_much_memory();
    for (int i = 0; i < 6; i++) {
        if (START() != 0)
            continue;
        char *start = BREAK();
        long taken = 0;
        while (sbrk(8 * MIB) != FAILED_BREAK) {
            taken += 8 * MIB;
            for (long at = taken - 8 * MIB; at < taken; at += PAGE)
                start[at] = i + 1;
        }
        for (long at = 0; at < taken; at += PAGE)
            EXPECT(start[at], i + 1);
        exit(0);
    }
    JOIN_ALL(6);
}

const struct test heap_tests[] = {
    {"sbrk-grow", sbrk_grow, false},
    {"sbrk-shrink", sbrk_shrink, false},
    {"sbrk-freed", sbrk_freed, false},
    {"sbrk-limits", sbrk_limits, false},
    {"sbrk-everything", sbrk_everything, false},
    {"sbrk-arguments", sbrk_arguments, false},
    {"sbrk-fork", sbrk_fork, false},
    {"sbrk-large", sbrk_large, false},
    {"memory-exhausted", memory_exhaustion, false},
    {"exec-no-memory", exec_without_memory, true},
    {"memory-contended", memory_contention, true},
    {0},
};
