// usertests: kill() ends a process whatever it is doing, and processes that waited for it continue.

#include "user/usertests/usertests.h"

// Starts `body` in a child, gives it time to reach the interesting point, kills it, and expects
// status -1.
static void expect_killed(void (*body)(void))
{
    int ready[2];
    char byte;
    EXPECT(pipe(ready), 0);
    int pid = START();
    if (pid == 0) {
        close(ready[0]);
        EXPECT(write(ready[1], "x", 1), 1);
        close(ready[1]);
        body();
        FAIL("returned, but should have been killed");
    }
    close(ready[1]);
    EXPECT(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    nanosleep(20 * MS);
    EXPECT(kill(pid), 0);
    JOIN(pid, -1);
}

static void spin(void)
{
    for (;;)
        asm volatile("" ::: "memory");
}

static void make_calls(void)
{
    for (;;)
        getpid();
}

static void sleep_long(void)
{
    nanosleep(1000ul * 1000 * MS);
}

static void sleep_longest(void)
{
    nanosleep(~0ul);
}

static void pause_long(void)
{
    pause(100000);
}

static void read_pipe(void)
{
    int fds[2];
    EXPECT(pipe(fds), 0);
    read(fds[0], buffer, 1);
}

static void write_pipe(void)
{
    int fds[2];
    EXPECT(pipe(fds), 0);
    for (;;)
        write(fds[1], buffer, BUFFER_SIZE);
}

static void wait_for_child(void)
{
    int gate[2];
    EXPECT(pipe(gate), 0);
    if (START() == 0) {
        // Ends when its parent has been killed, because that closes the parent's end of the pipe.
        close(gate[1]);
        read(gate[0], buffer, 1);
        exit(0);
    }
    wait(NULL);
}

static void write_file(void)
{
    int fd = MAKE("f");
    for (;;) {
        EXPECT(lseek(fd, 0, SEEK_SET), 0);
        write(fd, buffer, BUFFER_SIZE);
    }
}

static void fork_often(void)
{
    for (;;) {
        int pid = fork();
        if (pid == 0)
            exit(0);
        wait(NULL);
    }
}

static void kill_running(void)
{
    expect_killed(spin);
}
static void kill_calling(void)
{
    expect_killed(make_calls);
}
static void kill_nanosleep(void)
{
    expect_killed(sleep_long);
}
static void kill_longest_sleep(void)
{
    expect_killed(sleep_longest);
}

static void kill_pause(void)
{
    expect_killed(pause_long);
}
static void kill_pipe_reader(void)
{
    expect_killed(read_pipe);
}
static void kill_pipe_writer(void)
{
    expect_killed(write_pipe);
}
static void kill_waiting(void)
{
    expect_killed(wait_for_child);
}
static void kill_file_writer(void)
{
    expect_killed(write_file);
}
static void kill_forking(void)
{
    expect_killed(fork_often);
}

static void kill_errors(void)
{
    EXPECT_ERROR(kill(-1), ESRCH);
    EXPECT_ERROR(kill(0x7fffffff), ESRCH);
    int pid = START();
    if (pid == 0)
        exit(0);
    JOIN(pid, 0);
    EXPECT_ERROR(kill(pid), ESRCH);
}

// kill() works on a zombie, but changes nothing.
static void kill_zombie(void)
{
    int pid = START();
    if (pid == 0)
        exit(3);
    nanosleep(50 * MS);
    EXPECT(kill(pid), 0);
    JOIN(pid, 3);
}

// A process that kills itself does not return from the call.
static void kill_self(void)
{
    int pid = START();
    if (pid == 0) {
        kill(getpid());
        FAIL("kill(getpid()) returned");
    }
    JOIN(pid, -1);
}

// The status is -1 however early the kill comes: before the child has run, or in the middle of its
// fork().
static void kill_early(void)
{
    for (int i = 0; i < 50; i++) {
        int pid = START();
        if (pid == 0)
            spin();
        EXPECT(kill(pid), 0);
        JOIN(pid, -1);
    }
}

// Killing a process twice, or while it is ending, does no harm.
static void kill_twice(void)
{
    for (int i = 0; i < 20; i++) {
        int pid = START();
        if (pid == 0)
            spin();
        EXPECT(kill(pid), 0);
        kill(pid);
        JOIN(pid, -1);
    }
}

// When the only writer is killed, the reader sees the end of the pipe.
static void kill_closes_files(void)
{
    int fds[2];
    EXPECT(pipe(fds), 0);
    int pid = START();
    if (pid == 0)
        spin();
    EXPECT(close(fds[1]), 0);
    nanosleep(10 * MS);
    EXPECT(kill(pid), 0);
    EXPECT(read(fds[0], buffer, 1), 0);
    JOIN(pid, -1);
}

// The kernel closes the files of a killed process. What it had written stays.
static void kill_keeps_data(void)
{
    int ready[2];
    EXPECT(pipe(ready), 0);
    int pid = START();
    if (pid == 0) {
        int fd = MAKE("f");
        EXPECT(write(fd, "kept", 4), 4);
        EXPECT(write(ready[1], "x", 1), 1);
        spin();
    }
    EXPECT(read(ready[0], buffer, 1), 1);
    EXPECT(kill(pid), 0);
    JOIN(pid, -1);
    int fd = open("f", O_RDONLY);
    EXPECT(read(fd, buffer, 10), 4);
    EXPECT(memcmp(buffer, "kept", 4), 0);
}

const struct test kill_tests[] = {
    {"kill-running", kill_running, false},
    {"kill-calling", kill_calling, false},
    {"kill-nanosleep", kill_nanosleep, false},
    {"kill-pause", kill_pause, false},
    {"kill-longest-sleep", kill_longest_sleep, false},
    {"kill-pipe-reader", kill_pipe_reader, false},
    {"kill-pipe-writer", kill_pipe_writer, false},
    {"kill-waiting", kill_waiting, false},
    {"kill-file-writer", kill_file_writer, false},
    {"kill-forking", kill_forking, false},
    {"kill-errors", kill_errors, false},
    {"kill-zombie", kill_zombie, false},
    {"kill-self", kill_self, false},
    {"kill-early", kill_early, false},
    {"kill-twice", kill_twice, false},
    {"kill-closes", kill_closes_files, false},
    {"kill-keeps-data", kill_keeps_data, false},
    {0},
};
