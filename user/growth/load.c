// Growth of the number of sleeping processes, of running processes, and of damage on the display.

#include "user/growth/growth.h"
#include "user/lib/fb.h"

#define SLICE_NS 300000000ul
#define MAX_WORKERS 8
#define FILE_NAME "growth.tmp"
#define FILE_BYTES (1ul << 20)

// ---- sleeping processes ----

static int hold[2]; // sleepers read from this pipe; closing the write end makes them exit
static int last_sleeper;

static bool add_sleeper(void)
{
    char byte;
    int pid = fork();
    if (pid > 0)
        last_sleeper = pid;
    if (pid != 0)
        return pid > 0;
    close(hold[1]);
    read(hold[0], &byte, 1);
    exit(0);
}

static void fork_and_wait(void)
{
    int pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0)
        exit(0);
    wait(NULL);
}

// Starts a process that returns every byte it receives.
static void start_partner(int to[2], int from[2])
{
    char byte;
    if (pipe(to) < 0 || pipe(from) < 0)
        die("pipe");
    int pid = fork();
    if (pid < 0)
        die("fork");
    if (pid > 0)
        return;
    close(to[1]);
    close(hold[1]);
    while (read(to[0], &byte, 1) == 1)
        write(from[1], &byte, 1);
    exit(0);
}

static int to_partner[2], from_partner[2];

static void round_trip(void)
{
    char byte = 'x';
    if (write(to_partner[1], &byte, 1) != 1 || read(from_partner[0], &byte, 1) != 1)
        die("pipe");
}

void grow_processes(uint64_t limit)
{
    uint64_t sleepers = 0;
    if (pipe(hold) < 0)
        die("pipe");
    start_partner(to_partner, from_partner);
    printf("sleepers fork_exit_wait pipe_round_trip\n");
    bool room = true;
    for (uint64_t next = 0; next <= limit; next = next > 0 ? next * 2 : 8) {
        while (room && sleepers < next) {
            room = add_sleeper();
            sleepers += room;
        }
        if (!room)
            break;
        print_row(3, (uint64_t[]){sleepers, cost_of(fork_and_wait), cost_of(round_trip)});
    }
    // There are no more processes. End one sleeper, to make room for the process to measure.
    if (!room) {
        kill(last_sleeper);
        wait(NULL);
        print_row(3, (uint64_t[]){--sleepers, cost_of(fork_and_wait), cost_of(round_trip)});
    }
    close(hold[1]);
    close(to_partner[1]);
    for (uint64_t i = 0; i < sleepers + 1; i++)
        wait(NULL);
}

// ---- running processes ----

static int file;
static char buffer[4096];

static void compute(void)
{
    uint64_t x = 1;
    for (int i = 0; i < 1000; i++)
        x = x * 6364136223846793005ul + 1442695040888963407ul;
    asm volatile("" : : "r"(x)); // the compiler must keep the loop
}

static void call(void)
{
    getpid();
}

static void read_file(void)
{
    if (read(file, buffer, sizeof(buffer)) == 0)
        lseek(file, 0, SEEK_SET);
}

// Opens a file that belongs to this worker alone and is in the cache.
static void open_own_file(uint64_t worker)
{
    char name[16];
    snprintf(name, sizeof(name), "growth.%lu", worker);
    file = open(name, O_RDWR | O_CREATE | O_TRUNC);
    for (uint64_t at = 0; at < FILE_BYTES; at += sizeof(buffer))
        if (write(file, buffer, sizeof(buffer)) != sizeof(buffer))
            die(name);
    unlink(name);
}

// Returns how many operations per second all workers together do, times 1000.
static uint64_t rate_of(void (*operation)(void), uint64_t workers)
{
    int report[2];
    uint64_t begin = clock_gettime() + SLICE_NS / 4, total = 0, mine; // all workers exist by then
    if (pipe(report) < 0)
        die("pipe");
    for (uint64_t i = 0; i < workers; i++) {
        int pid = fork();
        if (pid < 0)
            die("fork");
        if (pid > 0)
            continue;
        open_own_file(i);
        while (clock_gettime() < begin)
            ;
        uint64_t done = 0, now;
        do {
            for (int k = 0; k < 16; k++)
                operation();
            done += 16;
            now = clock_gettime();
        } while (now - begin < SLICE_NS);
        // Count the time from the common beginning, even if this worker had its first turn later.
        mine = done * 1000000000ul / ((now - begin) / 1000);
        write(report[1], &mine, sizeof(mine));
        exit(0);
    }
    for (uint64_t i = 0; i < workers; i++) {
        wait(NULL);
        if (read(report[0], &mine, sizeof(mine)) != sizeof(mine))
            die("report");
        total += mine;
    }
    close(report[0]);
    close(report[1]);
    return total;
}

void grow_workers(uint64_t limit)
{
    void (*const operations[])(void) = {compute, call, read_file, fork_and_wait};
    printf("workers compute getpid read_4k fork_exit_wait\n");
    for (uint64_t n = 1; n <= limit && n <= MAX_WORKERS; n *= 2) {
        uint64_t row[1 + ARRAY_SIZE(operations)] = {n};
        for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
            row[1 + i] = rate_of(operations[i], n);
        print_row(ARRAY_SIZE(row), row);
    }
}

// ---- rectangles in one present ----

static struct fb fb;
static struct fb_rect rects[FB_MAX_RECTS];
static unsigned rect_count;

static void present(void)
{
    if (fb_present(&fb, 0, rects, rect_count, 0) < 0)
        die("present");
}

static void set_rects(unsigned count, uint32_t width, uint32_t height)
{
    rect_count = count;
    for (unsigned i = 0; i < count; i++)
        rects[i] = (struct fb_rect){i % 4 * 160 + 8, i / 4 * 120 + 8, width, height};
}

void grow_damage(uint64_t limit)
{
    if (fb_open(&fb, 640, 480) < 0)
        fb_die();
    printf("rectangles of_8x8 of_64x64 of_128x96\n");
    for (unsigned n = 1; n <= limit && n <= FB_MAX_RECTS; n++) {
        uint64_t row[4] = {n};
        static const struct fb_mode sizes[] = {{8, 8}, {64, 64}, {128, 96}};
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            set_rects(n, sizes[i].width, sizes[i].height);
            row[1 + i] = cost_of(present);
        }
        print_row(4, row);
    }
    fb_close(&fb);
}
