// usertests: sbrk_lazy(): the kernel allocates this memory when the program or a system call first
// touches it.

#include "user/usertests/usertests.h"

#define FAILED_BREAK ((char *)-1)

static void lazy_touch(void)
{
    char *start = sbrk_lazy(100 * PAGE);
    CHECK(start != FAILED_BREAK);
    EXPECT(sbrk(0), start + 100 * PAGE);
    // Touch pages in any order, by reading and by writing.
    for (int page = 99; page >= 0; page -= 3)
        EXPECT(start[page * PAGE + page], 0);
    for (int page = 0; page < 100; page += 2)
        start[page * PAGE + 100] = page + 1;
    for (int page = 0; page < 100; page++)
        EXPECT(start[page * PAGE + 100], page % 2 == 0 ? page + 1 : 0);
}

// Untouched memory costs nothing. Each touched page costs one page, and becomes free again.
static void lazy_cost(void)
{
    long size = 256 * MIB;
    uint64_t before = free_bytes();
    char *start = sbrk_lazy(size);
    CHECK(start != FAILED_BREAK);
    CHECK(before - free_bytes() < 16 * (unsigned long)PAGE);
    for (long at = 0; at < size; at += 16 * MIB)
        start[at] = 1;
    // 16 pages, and a page table for each of them.
    CHECK(before - free_bytes() >= 16 * (unsigned long)PAGE);
    CHECK(before - free_bytes() < 64 * (unsigned long)PAGE);
    EXPECT(sbrk(-size), start + size);
    CHECK(before - free_bytes() < 48 * (unsigned long)PAGE);
}

// Half a gigabyte, touched in a few places.
static void lazy_sparse(void)
{
    long size = 512 * MIB, step = 256 * PAGE;
    char *start = sbrk_lazy(size);
    CHECK(start != FAILED_BREAK);
    for (long at = 0; at < size; at += step)
        *(char **)(start + at) = start + at;
    for (long at = 0; at < size; at += step)
        EXPECT(*(char **)(start + at), start + at);
}

static void lazy_shrink(void)
{
    char *start = sbrk_lazy(10 * PAGE);
    start[5 * PAGE] = 1;
    start[9 * PAGE] = 1;
    EXPECT(sbrk(-8 * PAGE), start + 10 * PAGE);
    EXPECT(sbrk_lazy(8 * PAGE), start + 2 * PAGE);
    EXPECT(start[5 * PAGE], 0);
    EXPECT(start[9 * PAGE], 0);
    // After the break there is no memory, lazy or not.
    int pid = START();
    if (pid == 0) {
        sbrk(-8 * PAGE);
        exit(start[5 * PAGE]);
    }
    JOIN(pid, -1);
    pid = START();
    if (pid == 0)
        exit(start[11 * PAGE]);
    JOIN(pid, -1);
}

// A lazy stretch stays lazy when the heap grows eagerly after it.
static void lazy_then_eager(void)
{
    char *lazy = sbrk_lazy(3 * PAGE);
    char *eager = sbrk(3 * PAGE);
    EXPECT(eager, lazy + 3 * PAGE);
    eager[2 * PAGE] = 1;
    EXPECT(lazy[PAGE], 0);
    lazy[2 * PAGE] = 2;
    EXPECT(eager[0], 0);
    EXPECT(eager[2 * PAGE], 1);
}

// System calls allocate the pages too, when they read them and when they write them.
static void lazy_in_calls(void)
{
    int fd = MAKE("f");
    char *page = sbrk_lazy(4 * PAGE);
    EXPECT(write(fd, page, 2 * PAGE), 2 * PAGE); // zeros
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    EXPECT(write(fd, "data", 4), 4);
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    page = sbrk_lazy(4 * PAGE);
    EXPECT(read(fd, page + 100, 2 * PAGE), 2 * PAGE);
    EXPECT(memcmp(page + 100, "data", 4), 0);
    for (int i = 104; i < 2 * PAGE; i++)
        EXPECT(page[i], 0);
    int *fds = (int *)sbrk_lazy(PAGE);
    EXPECT(pipe(fds), 0);
    char *through = sbrk_lazy(2 * PAGE);
    EXPECT(write(fds[1], through, 100), 100);
    EXPECT(read(fds[0], through + PAGE, 100), 100);
    EXPECT(fstat(fd, (struct stat *)sbrk_lazy(PAGE)), 0);
    // This is an empty path, which names no file.
    EXPECT_ERROR(unlink(sbrk_lazy(PAGE)), ENOENT);
    int pid = START();
    if (pid == 0)
        exit(6);
    int *status = (int *)sbrk_lazy(PAGE);
    EXPECT(wait(status), pid);
    EXPECT(*status, 6);
}

// A child has the same lazy stretch. Parent and child have separate pages.
static void lazy_fork(void)
{
    char *start = sbrk_lazy(10 * PAGE);
    start[0] = 1;
    int pid = START();
    if (pid == 0) {
        EXPECT(start[0], 1);
        EXPECT(start[5 * PAGE], 0);
        start[5 * PAGE] = 2;
        start[0] = 2;
        EXPECT(sbrk(0), start + 10 * PAGE);
        exit(0);
    }
    JOIN(pid, 0);
    EXPECT(start[5 * PAGE], 0);
    EXPECT(start[0], 1);
}

// Only the value SBRK_LAZY makes sbrk() lazy: older programs of xv6 leave any value in the second
// argument.
static void lazy_other_how(void)
{
    static const long hows[] = {0, 1, 3, -1, 0x7fffffff, KERNEL_ADDRESS};
    for (unsigned i = 0; i < ARRAY_SIZE(hows); i++) {
        uint64_t before = free_bytes();
        char *start = (char *)syscall(SYS_sbrk, 32 * PAGE, hows[i]);
        CHECK(start != FAILED_BREAK);
        CHECK(before - free_bytes() >= 31 * (unsigned long)PAGE);
    }
}

// A process that touches more memory than there is ends. The others continue.
static void lazy_exhaustion(void)
{
    if (free_bytes() > 600 * (unsigned long)MIB)
        skip("more than 600 MiB are free");
    int pid = START();
    if (pid == 0) {
        char *start = sbrk_lazy(900 * MIB);
        CHECK(start != FAILED_BREAK);
        for (long at = 0; at < 900 * MIB; at += PAGE)
            start[at] = 1;
        exit(0);
    }
    JOIN(pid, -1);
    // A system call that needs such a page fails.
    pid = START();
    if (pid == 0) {
        char *start = sbrk_lazy(PAGE);
        while (sbrk(MIB) != FAILED_BREAK)
            ;
        while (sbrk(PAGE) != FAILED_BREAK)
            ;
        int fd = open("/dev/kstat", O_RDONLY);
        EXPECT_ERROR(read(fd, start, sizeof(struct kstat)), 0);
        exit(0);
    }
    JOIN(pid, 0);
}

// Large steps, one after the other, until there are no more addresses.
static void lazy_far(void)
{
    char *brk = sbrk(0);
    int steps = 0;
    while (sbrk_lazy(HEAP_LIMIT / 2) != FAILED_BREAK) {
        char *next = sbrk(0);
        EXPECT(next, brk + HEAP_LIMIT / 2);
        next[-1] = 1;
        brk = next;
        steps++;
        CHECK(brk < (char *)USER_ADDRESS_END);
    }
    CHECK(steps > 0);
    EXPECT(sbrk(0), brk);
    EXPECT(brk[-1], 1);
}

const struct test lazy_tests[] = {
    {"lazy-touch", lazy_touch, false},
    {"lazy-cost", lazy_cost, false},
    {"lazy-sparse", lazy_sparse, false},
    {"lazy-shrink", lazy_shrink, false},
    {"lazy-then-eager", lazy_then_eager, false},
    {"lazy-calls", lazy_in_calls, false},
    {"lazy-fork", lazy_fork, false},
    {"lazy-other-how", lazy_other_how, false},
    {"lazy-exhausted", lazy_exhaustion, false},
    {"lazy-far", lazy_far, false},
    {0},
};
