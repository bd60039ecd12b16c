// usertests: fork, exit, wait, getpid, orphans, and what parent and child share.

#include "user/usertests/usertests.h"

static int shared_or_not = 1;

// fork() copies memory: neither process sees what the other writes.
static void fork_memory(void)
{
    char *heap = sbrk(2 * PAGE);
    int on_stack = 1;
    int fds[2];
    char byte;
    CHECK(heap != (char *)-1);
    fill_pattern(heap, 2 * PAGE, 1);
    EXPECT(pipe(fds), 0);
    int pid = START();
    if (pid == 0) {
        CHECK(has_pattern(heap, 2 * PAGE, 1));
        shared_or_not = 2;
        on_stack = 2;
        fill_pattern(heap, 2 * PAGE, 2);
        EXPECT(write(fds[1], "x", 1), 1);
        // The parent writes after this child has written, and then the child checks again.
        nanosleep(50 * MS);
        EXPECT(shared_or_not, 2);
        EXPECT(on_stack, 2);
        CHECK(has_pattern(heap, 2 * PAGE, 2));
        exit(0);
    }
    EXPECT(read(fds[0], &byte, 1), 1);
    EXPECT(shared_or_not, 1);
    EXPECT(on_stack, 1);
    CHECK(has_pattern(heap, 2 * PAGE, 1));
    shared_or_not = 3;
    on_stack = 3;
    fill_pattern(heap, 2 * PAGE, 3);
    JOIN(pid, 0);
    shared_or_not = 1;
}

// Parent and child share an open file and its offset. If one closes it, it stays open in the other.
static void fork_files(void)
{
    char text[8] = "";
    int fd = MAKE("f");
    EXPECT(write(fd, "ab", 2), 2);
    int pid = START();
    if (pid == 0) {
        EXPECT(write(fd, "cd", 2), 2);
        EXPECT(close(fd), 0);
        exit(0);
    }
    JOIN(pid, 0);
    EXPECT(write(fd, "ef", 2), 2);
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    EXPECT(read(fd, text, 8), 6);
    EXPECT(memcmp(text, "abcdef", 6), 0);
}

// A child inherits the current directory, but does not share it.
static void fork_directory(void)
{
    EXPECT(mkdir("d"), 0);
    EXPECT(chdir("d"), 0);
    int pid = START();
    if (pid == 0) {
        close(MAKE("from-child"));
        EXPECT(chdir("/"), 0);
        exit(0);
    }
    JOIN(pid, 0);
    CHECK(exists("from-child"));
}

static void exit_status(void)
{
    static const int statuses[] = {0,  1,    7,          255,        256,
                                   -1, -128, 0x12345678, 0x7fffffff, -0x7fffffff - 1};
    for (unsigned i = 0; i < ARRAY_SIZE(statuses); i++) {
        int pid = START();
        if (pid == 0)
            exit(statuses[i]);
        JOIN(pid, statuses[i]);
    }
    // wait(NULL) stores no status.
    int pid = START();
    if (pid == 0)
        exit(5);
    EXPECT(wait(NULL), pid);
}

static void wait_errors(void)
{
    EXPECT_ERROR(wait(NULL), ECHILD);
    int status = 77;
    EXPECT_ERROR(wait(&status), ECHILD);
    EXPECT(status, 77);
    // If wait() cannot store the status, the child is not lost.
    int pid = START();
    if (pid == 0)
        exit(3);
    EXPECT_ERROR(wait((int *)KERNEL_ADDRESS), EFAULT);
    JOIN(pid, 3);
    EXPECT_ERROR(wait(NULL), ECHILD);
}

// A child may end long before its parent calls wait(), or long after.
static void wait_order(void)
{
    int pid = START();
    if (pid == 0)
        exit(1);
    nanosleep(50 * MS);
    JOIN(pid, 1);
    pid = START();
    if (pid == 0) {
        nanosleep(50 * MS);
        exit(2);
    }
    JOIN(pid, 2);
    for (int i = 0; i < 100; i++) {
        pid = START();
        if (pid == 0)
            exit(i);
        JOIN(pid, i);
    }
}

static void getpid_works(void)
{
    int me = getpid();
    CHECK(me > 1);
    EXPECT(getpid(), me);
    int pid = START();
    if (pid == 0) {
        CHECK(getpid() != me);
        exit(getpid());
    }
    JOIN(pid, pid);
}

// Many generations of children at the same time.
static void many_children(void)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++) {
            if (START() != 0)
                continue;
            int pid = START();
            if (pid == 0)
                exit(i);
            JOIN(pid, i);
            exit(0);
        }
        JOIN_ALL(20);
    }
}

// Two children fork all the time.
static void fork_race(void)
{
    for (int i = 0; i < 2; i++) {
        if (START() != 0)
            continue;
        for (int j = 0; j < 100; j++) {
            int pid = START();
            if (pid == 0)
                exit(j);
            JOIN(pid, j);
        }
        exit(0);
    }
    JOIN_ALL(2);
}

// Forks until there are no more processes or no more memory. Then fork() returns -1, and nothing
// else breaks. Afterwards the same number of forks works again.
static int fork_until_failure(void)
{
    int gate[2], count = 0;
    char byte;
    EXPECT(pipe(gate), 0);
    for (;;) {
        int pid = fork();
        if (pid == 0) {
            // Wait until the last process has closed the other end.
            close(gate[1]);
            exit(read(gate[0], &byte, 1) != 0);
        }
        if (pid < 0) {
            CHECK(errno == EAGAIN || errno == ENOMEM);
            break;
        }
        count++;
        CHECK(count < 1000);
    }
    EXPECT(close(gate[1]), 0);
    JOIN_ALL(count);
    EXPECT(close(gate[0]), 0);
    return count;
}

static void fork_exhaustion(void)
{
    int first = fork_until_failure();
    CHECK(first > 20);
    int second = fork_until_failure();
    // Other processes may have taken a few pages meanwhile.
    CHECK(second >= first - 2);
}

// When a parent ends, its children become children of init, which waits for them. If one stayed as
// a zombie, the runner would count it.
static void orphans(void)
{
    int fds[2];
    char byte;
    EXPECT(pipe(fds), 0);
    for (int i = 0; i < 20; i++) {
        int pid = START();
        if (pid == 0) {
            for (int j = 0; j < 2; j++) {
                if (START() == 0) {
                    nanosleep(i % 4 * 5 * MS);
                    EXPECT(write(fds[1], "x", 1), 1);
                    exit(9);
                }
            }
            exit(4);
        }
        JOIN(pid, 4);
        EXPECT_ERROR(wait(NULL), ECHILD);
    }
    EXPECT(close(fds[1]), 0);
    int count = 0;
    while (read(fds[0], &byte, 1) == 1)
        count++;
    EXPECT(count, 40);
}

// Parents end at the same time as their children.
static void orphan_race(void)
{
    for (int i = 0; i < 40; i++) {
        int pid = START();
        if (pid == 0) {
            START();
            START();
            exit(0);
        }
        JOIN(pid, 0);
    }
}

// Parents and children end at the same time, while this process waits for others.
static void exit_race(void)
{
    for (int i = 0; i < 50; i++) {
        int first = START();
        if (first == 0)
            exit(0);
        int second = START();
        if (second == 0)
            exit(0);
        JOIN_ALL(2);
    }
}

// No process can occupy a hart. More processes spin than there are harts, and others still run.
static void preemption(void)
{
    enum { SPINNERS = 10 };
    int pids[SPINNERS];
    int fds[2];
    EXPECT(pipe(fds), 0);
    for (int i = 0; i < SPINNERS; i++) {
        pids[i] = START();
        if (pids[i] == 0) {
            EXPECT(write(fds[1], "x", 1), 1);
            for (;;)
                asm volatile("" ::: "memory");
        }
    }
    // Each of them runs, and so does this process.
    EXPECT(close(fds[1]), 0);
    for (int i = 0; i < SPINNERS; i++)
        EXPECT(read(fds[0], buffer, 1), 1);
    for (int i = 0; i < SPINNERS; i++)
        EXPECT(kill(pids[i]), 0);
    for (int i = 0; i < SPINNERS; i++) {
        int status;
        CHECK(wait(&status) > 0);
        EXPECT(status, -1);
    }
    EXPECT(read(fds[0], buffer, 1), 0);
}

const struct test process_tests[] = {
    {"fork-memory", fork_memory, false},
    {"fork-files", fork_files, false},
    {"fork-directory", fork_directory, false},
    {"exit-status", exit_status, false},
    {"wait-errors", wait_errors, false},
    {"wait-order", wait_order, false},
    {"getpid", getpid_works, false},
    {"many-children", many_children, false},
    {"fork-race", fork_race, false},
    {"fork-exhaustion", fork_exhaustion, false},
    {"orphans", orphans, false},
    {"orphan-race", orphan_race, false},
    {"exit-race", exit_race, false},
    {"preemption", preemption, false},
    {0},
};
