// xv6tests: what happens when something runs out. Calls then fail with ordinary errors. When the
// test has returned everything it took, there is as much as before.

#include "user/xv6tests/xv6tests.h"

static char block[PGSIZE];

// "l.x6/" and a number of four digits.
static const char *numbered(int n)
{
    static char name[] = "l.x6/0000";
    for (int i = 8; i >= 5; i--, n /= 10)
        name[i] = '0' + n % 10;
    return name;
}

// ---- disk ----

#define MOST_BLOCKS (64 << 20 >> 12) // a larger disk would take too long to fill

// Writes blocks into new files of 1,000 blocks until one does not fit. Then removes the files.
// Returns how many blocks fitted.
static int fill_disk(void)
{
    int blocks = 0, files = 0, fd = -1;
    bool full = false;
    for (; !full && blocks < MOST_BLOCKS; files++) {
        fd = open(numbered(files), O_CREATE | O_WRONLY);
        full = fd < 0;
        for (int i = 0; i < 1000 && !full; i++) {
            int n = write(fd, block, PGSIZE);
            full = n != PGSIZE;
            if (full)
                EXPECT(n, -1);
            blocks += !full;
        }
        close(fd);
    }
    if (full) {
        // Existing blocks can still be overwritten; a new directory needs a new block.
        fd = open(numbered(0), O_RDWR);
        EXPECT(write(fd, block, PGSIZE), PGSIZE);
        EXPECT(close(fd), 0);
        EXPECT(mkdir("l.x6/directory"), -1);
    }
    while (files-- > 0)
        unlink(numbered(files));
    return blocks;
}

static void disk_full(void)
{
    EXPECT(mkdir("l.x6"), 0);
    int blocks = fill_disk();
    EXPECT(blocks > 100, true);
    EXPECT(fill_disk(), blocks);
    EXPECT(unlink("l.x6"), 0);
}

// Makes empty files until that fails. Then removes them. Returns how many there were.
static int use_inodes(void)
{
    int files = 0, fd;
    while (files < 5000 && (fd = open(numbered(files), O_CREATE | O_WRONLY)) >= 0) {
        close(fd);
        files++;
    }
    if (files < 5000) {
        EXPECT(mkdir("l.x6/directory"), -1);
        EXPECT(mknod("l.x6/device", CONSOLE, 0), -1);
    }
    for (int i = files; i-- > 0;)
        EXPECT(unlink(numbered(i)), 0);
    return files;
}

static void inodes_used(void)
{
    EXPECT(mkdir("l.x6"), 0);
    int files = use_inodes();
    EXPECT(files > 100, true);
    EXPECT(use_inodes(), files);
    EXPECT(unlink("l.x6"), 0);
}

// ---- memory ----

static char *argv_echo[] = {"name", "@echo", 0};

// Only a few pages of memory are free: every call that needs memory either fails or works, and no
// memory is lost.
static void memory_out(void)
{
    for (int spare = 0; spare < 12; spare++) {
        int status, fds[2], pid = fork();
        if (pid == 0) {
            int pages = 0;
            for (char *page; (page = sbrk(PGSIZE)) != (char *)-1; pages++)
                page[0] = 1;
            EXPECT(pages > 100, true);
            if (spare == 0) {
                EXPECT(sbrk(PGSIZE), -1);
                EXPECT(fork(), -1);
                EXPECT(pipe(fds), -1);
                EXPECT(open(SELF, O_RDONLY), 3); // opening a file needs no page
            }
            sbrk(-spare * PGSIZE);
            close(1);
            exec(SELF, argv_echo);
            exit(2); // exec() had no memory: exit with the status of the other program
        }
        EXPECT(wait(&status), pid);
        EXPECT(status, 2);
        // The memory is back.
        EXPECT(sbrk(100 * PGSIZE) != (char *)-1, true);
        EXPECT(sbrk(-100 * PGSIZE) != (char *)-1, true);
    }
}

// Several processes ask for more memory than there is. Some get it, no process is harmed, and all
// of it becomes free again.
static void memory_shared_out(void)
{
    int fds[2], pids[10], got = 0;
    EXPECT(pipe(fds), 0);
    for (int i = 0; i < 10; i++) {
        if ((pids[i] = fork()) == 0) {
            char answer = sbrk(100 << 20) != (char *)-1;
            write(fds[1], &answer, 1);
            sleep(100000);
        }
    }
    for (int i = 0; i < 10; i++) {
        char answer;
        EXPECT(read(fds[0], &answer, 1), 1);
        got += answer;
    }
    EXPECT(got < 10, true);
    EXPECT(sbrk(PGSIZE) != (char *)-1, true); // those that failed have kept no memory
    for (int i = 0; i < 10; i++)
        EXPECT(kill(pids[i]), 0);
    for (int i = 0; i < 10; i++)
        EXPECT(wait(0) > 0, true);
}

// ---- processes ----

static int fork_all(void)
{
    int n = 0, pid;
    while (n < 1000 && (pid = fork()) >= 0) {
        if (pid == 0)
            exit(0);
        n++;
    }
    for (int i = 0; i < n; i++)
        EXPECT(wait(0) > 0, true);
    EXPECT(wait(0), -1);
    return n;
}

static void processes_out(void)
{
    int n = fork_all();
    EXPECT(n >= 50 && n < 1000, true);
    EXPECT(fork_all(), n);
}

const struct test limit_tests[] = {
    {"xv6-disk-full", disk_full},         {"xv6-inodes-used", inodes_used},
    {"xv6-memory-out", memory_out},       {"xv6-memory-shared", memory_shared_out},
    {"xv6-processes-out", processes_out}, {0, 0},
};
