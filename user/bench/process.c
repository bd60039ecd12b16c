// Benchmarks of system calls, processes and pipes.

#include "user/bench/bench.h"

static void run_getpid(uint64_t n)
{
    while (n-- > 0)
        getpid();
}

static void run_fork(uint64_t n)
{
    while (n-- > 0) {
        int pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0)
            exit(0);
        wait(NULL);
    }
}

static void run_exec(uint64_t n)
{
    char *arguments[] = {"true", NULL};
    while (n-- > 0) {
        int status, pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            exec("/true", arguments);
            die("/true");
        }
        wait(&status);
        if (status != 0)
            exit(1);
    }
}

static int to_partner[2], from_partner[2];

// Starts a process that returns every byte it receives.
static const char *begin_pipe(void)
{
    if (pipe(to_partner) < 0 || pipe(from_partner) < 0)
        die("pipe");
    int pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        char byte;
        close(to_partner[1]);
        close(from_partner[0]);
        while (read(to_partner[0], &byte, 1) == 1)
            if (write(from_partner[1], &byte, 1) != 1)
                exit(1);
        exit(0);
    }
    close(to_partner[0]);
    close(from_partner[1]);
    return NULL;
}

static void run_pipe(uint64_t n)
{
    char byte = 'x';
    while (n-- > 0)
        if (write(to_partner[1], &byte, 1) != 1 || read(from_partner[0], &byte, 1) != 1)
            die("pipe");
}

static void end_pipe(void)
{
    close(to_partner[1]);
    close(from_partner[0]);
    wait(NULL);
}

const struct benchmark process_benchmarks[] = {
    {"getpid", "the shortest system call", "calls/s", PER_OPERATION, NULL, run_getpid, NULL},
    {"fork", "fork + exit + wait", "/s", PER_OPERATION, NULL, run_fork, NULL},
    {"exec", "fork + exec of a small program + wait", "/s", PER_OPERATION, NULL, run_exec, NULL},
    {"pipe", "a byte to another process and back", "trips/s", PER_OPERATION, begin_pipe, run_pipe,
     end_pipe},
    {0},
};
