// usertests: sbrk(), its limits, and what happens when memory runs out.

#include "user/usertests/usertests.h"

#define FAILED_BREAK ((char *)-1)
#define BREAK() sbrk(0)

static void sbrk_grow(void)
{
    char *start = BREAK();
    // Grow byte by byte, over page boundaries. Each byte exists at once and is zero.
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
    // Shrink in pieces. The rest keeps its contents.
    EXPECT(sbrk(-PAGE), start + 8 * PAGE);
    EXPECT(sbrk(-1), start + 7 * PAGE);
    EXPECT(sbrk(-PAGE - 5), start + 7 * PAGE - 1);
    EXPECT(BREAK(), start + 6 * PAGE - 6);
    CHECK(has_pattern(start, 6 * PAGE - 6, 1));
    // New pages are zero.
    EXPECT(sbrk(-3 * PAGE), start + 6 * PAGE - 6);
    EXPECT(sbrk(5 * PAGE), start + 3 * PAGE - 6);
    CHECK(has_pattern(start, 3 * PAGE - 6, 1));
    for (char *at = start + 4 * PAGE; at < start + 8 * PAGE - 6; at++)
        EXPECT(*at, 0);
}

// A process that touches memory it has returned ends.
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
    // A shrink by more than there is changes nothing.
    EXPECT(sbrk(-0x7fffffff - 1), start + PAGE);
    EXPECT(sbrk(-(int)(long)BREAK() - 1), start + PAGE);
    EXPECT(BREAK(), start + PAGE);
    CHECK(has_pattern(on_heap, PAGE, 2));
}

// A program may return all its memory, even its code and stack. Then the kernel ends it.
static void sbrk_everything(void)
{
    extern char end[];
    // What remains: nothing; part of the first page; everything except the stack.
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

// Every call can use heap memory, up to the last byte.
static void sbrk_arguments(void)
{
    char *start = sbrk(2 * PAGE);
    // Move the break to a page boundary.
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

// A child has a copy of the heap, and may shrink it without changing the parent's.
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

// Half of the free memory, at most 100 MiB. All of it is zero and usable, and all of it becomes
// free again.
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

// Makes other calls while there is no memory. They may fail with an error, but must not do harm.
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

// Takes all the memory there is. Returns the number of bytes.
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

// On a machine with much memory, this would touch all of it, and the host would have to provide it.
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

// exec() with 0, 1, 2 ... pages left. It works, or it fails with an error and frees what it took.
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

// Several processes ask for more memory than there is. Those that get none continue. All of it
// becomes free when they end.
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
