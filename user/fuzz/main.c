// fuzz: hostile programs. On every hart at once, processes make random system calls with random
// arguments and run programs with changed bytes in their headers. They are killed at random
// moments. None of this may harm the kernel or another program. A test watches from outside: it
// looks for a panic and for lost memory, and checks the disk.
//
//   fuzz [-s SEED] [-n CALLS] [-p PROCESSES]
//
// It ends when the kernel has counted CALLS system calls (10,000 by default). The same seed makes
// the same choices, but the processes may run in another order.
//
// A life is a process that makes CALLS_PER_LIFE random calls. Each of the PROCESSES starts one life
// after the other.

#include "user/fuzz/fuzz.h"

#define CALLS_PER_LIFE 2000
#define MOST_BETWEEN_SWEEPS 300000000ul // nanoseconds
#define MAX_PROCESSES 32

static int first_pid; // sweep() may kill this process and all later ones
static uint64_t seed = 1, calls = 10000, processes = 4;

static void live(uint64_t random)
{
    for (int fd = 0; fd < NOFILE; fd++)
        close(fd);
    int null = open("/dev/null", O_RDWR);
    dup(null);
    dup(null);
    chdir(FUZZ_FOLDER);
    for (int i = 0; i < CALLS_PER_LIFE; i++)
        fuzz_call(&random);
    exit(0);
}

// The number of system calls since boot.
static uint64_t calls_made(void)
{
    struct kstat stat = {0};
    int fd = open("/dev/kstat", O_RDONLY);
    read(fd, &stat, sizeof(stat));
    close(fd);
    return stat.system_calls;
}

// Starts one life after the other, until the kernel has counted `until` calls. Waits until main()
// closes the gate.
static void lives(uint64_t random, uint64_t until, int gate[2])
{
    char nothing;
    close(gate[1]);
    read(gate[0], &nothing, 1);
    while (calls_made() < until) {
        uint64_t own = random_u64(&random);
        int life = fork();
        if (life == 0)
            live(own);
        while (life > 0 && wait(NULL) != life)
            ;
    }
    exit(0);
}

// Kills every process that may be killed and has started since the last sweep began. Some are in
// the middle of a call, others wait for something that never comes.
static void sweep(void)
{
    static int from;
    int last = fork();
    if (last == 0)
        exit(0);
    if (from == 0)
        from = first_pid;
    for (int pid = from; pid < last; pid++)
        kill(pid);
    from = last;
}

// Removes everything in a folder.
static void empty(const char *folder)
{
    char name[15], path[MAXPATH];
    unsigned inode;
    int fd = open(folder, O_RDONLY);
    while (fd >= 0 && read_entry(fd, name, &inode) == 1) {
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            join_path(path, sizeof(path), folder, name) < 0)
            continue;
        if (unlink(path) < 0) {
            empty(path);
            unlink(path);
        }
    }
    close(fd);
}

// Sets the mode that the display had at boot, so that a test can compare the memory in use.
static void reset_display(void)
{
    struct fb_mode mode = {640, 480};
    int fd = open("/dev/fb0", O_RDWR);
    if (fd >= 0)
        ioctl(fd, FB_SET_MODE, &mode);
    close(fd);
}

static uint64_t number(const char *text)
{
    uint64_t value;
    if (!text || !parse_number(text, &value))
        usage("fuzz [-s SEED] [-n CALLS] [-p PROCESSES]");
    return value;
}

int main(int argc, char **argv)
{
    (void)argc;
    for (int i = 1; argv[i]; i += 2) {
        if (strcmp(argv[i], "-s") == 0)
            seed = number(argv[i + 1]);
        else if (strcmp(argv[i], "-n") == 0)
            calls = number(argv[i + 1]);
        else if (strcmp(argv[i], "-p") == 0)
            processes = number(argv[i + 1]);
        else
            number(NULL);
    }
    if (processes == 0 || processes > MAX_PROCESSES)
        usage("fuzz: 1 to 32 processes");
    if (mkdir(FUZZ_FOLDER) < 0 && errno != EEXIST)
        die(FUZZ_FOLDER);
    reset_display();
    uint64_t random = seed, before = calls_made();
    // The processes that start lives must not be killed. They get the next pids, because no life
    // begins before all of them exist.
    int gate[2];
    if (pipe(gate) < 0)
        die("pipe");
    first_pid = getpid() + 1 + processes;
    for (uint64_t i = 0; i < processes; i++) {
        uint64_t own = random_u64(&random);
        int pid = fork();
        if (pid == 0)
            lives(own, before + calls, gate);
        if (pid < 0)
            die("fork");
    }
    close(gate[0]);
    close(gate[1]);
    while (calls_made() < before + calls) {
        nanosleep(random_below(&random, MOST_BETWEEN_SWEEPS));
        sweep();
    }
    // A process that is being killed may have forked another, so sweep more than once.
    for (int i = 0; i < 3; i++) {
        nanosleep(MOST_BETWEEN_SWEEPS);
        sweep();
    }
    while (wait(NULL) >= 0)
        ;
    empty(FUZZ_FOLDER);
    unlink(FUZZ_FOLDER);
    reset_display();
    printf("fuzz: seed %lu: %lu calls\n", seed, calls_made() - before);
    return 0;
}
