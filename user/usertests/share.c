// usertests: several processes use the same files, directories and names.

#include "user/usertests/usertests.h"

// Two processes write to one inherited descriptor: all writes are in the file, one after the other.
static void shared_offset(void)
{
    enum { WRITES = 300, SIZE = 10 };
    int fd = MAKE("f");
    int pid = START();
    memset(buffer, pid == 0 ? 'c' : 'p', SIZE);
    for (int i = 0; i < WRITES; i++)
        EXPECT(write(fd, buffer, SIZE), SIZE);
    if (pid == 0)
        exit(0);
    JOIN(pid, 0);
    int counts[2] = {0};
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    while (read(fd, buffer, SIZE) == SIZE) {
        for (int i = 1; i < SIZE; i++)
            EXPECT(buffer[i], buffer[0]);
        CHECK(buffer[0] == 'c' || buffer[0] == 'p');
        counts[buffer[0] == 'c']++;
    }
    EXPECT(counts[0], WRITES);
    EXPECT(counts[1], WRITES);
}

// Several processes read one descriptor: each byte is read exactly once.
static void shared_reading(void)
{
    enum { READERS = 4, PAGES = 40 };
    int fds[2];
    put_file("f", PAGES * PAGE, 1);
    int fd = open("f", O_RDONLY);
    EXPECT(pipe(fds), 0);
    for (int i = 0; i < READERS; i++) {
        if (START() != 0)
            continue;
        int count = 0, n;
        while ((n = read(fd, buffer, 1000)) > 0)
            count += n;
        EXPECT(write(fds[1], &count, sizeof(count)), sizeof(count));
        exit(0);
    }
    JOIN_ALL(READERS);
    int total = 0;
    for (int i = 0; i < READERS; i++) {
        int count;
        EXPECT(read(fds[0], &count, sizeof(count)), sizeof(count));
        total += count;
    }
    EXPECT(total, PAGES * PAGE);
}

static void separate_files(void)
{
    enum { WRITERS = 4 };
    for (int i = 0; i < WRITERS; i++) {
        if (START() != 0)
            continue;
        char name[] = {'f', '0' + i, 0};
        for (int round = 0; round < 5; round++) {
            put_file(name, 12 * PAGE + i, i);
            EXPECT_FILE(name, 12 * PAGE + i, i);
        }
        exit(0);
    }
    JOIN_ALL(WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        char name[] = {'f', '0' + i, 0};
        EXPECT_FILE(name, 12 * PAGE + i, i);
    }
}

// Several writers fill the same block at the same time. The result is one writer's block, never a
// mixture.
static void same_file(void)
{
    enum { WRITERS = 4, BLOCKS = 8 };
    close(MAKE("f"));
    for (int i = 0; i < WRITERS; i++) {
        if (START() != 0)
            continue;
        int fd = open("f", O_WRONLY);
        memset(buffer, 'a' + i, PAGE);
        for (int round = 0; round < 10; round++) {
            EXPECT(lseek(fd, 0, SEEK_SET), 0);
            for (int block = 0; block < BLOCKS; block++)
                EXPECT(write(fd, buffer, PAGE), PAGE);
        }
        exit(0);
    }
    JOIN_ALL(WRITERS);
    int fd = open("f", O_RDONLY);
    for (int block = 0; block < BLOCKS; block++) {
        EXPECT(read(fd, buffer, PAGE), PAGE);
        for (int i = 1; i < PAGE; i++)
            EXPECT(buffer[i], buffer[0]);
    }
    EXPECT(read(fd, buffer, 1), 0);
}

// Several processes make and remove names in one directory.
static void create_delete(void)
{
    enum { PROCESSES = 4, FILES = 30 };
    char name[16];
    for (int i = 0; i < PROCESSES; i++) {
        if (START() != 0)
            continue;
        for (int j = 0; j < FILES; j++) {
            snprintf(name, sizeof(name), "p%d-%d", i, j);
            close(MAKE(name));
            if (j > 0 && j % 2 == 0) {
                snprintf(name, sizeof(name), "p%d-%d", i, j / 2);
                EXPECT(unlink(name), 0);
            }
        }
        exit(0);
    }
    JOIN_ALL(PROCESSES);
    for (int i = 0; i < PROCESSES; i++) {
        for (int j = 0; j < FILES; j++) {
            snprintf(name, sizeof(name), "p%d-%d", i, j);
            bool removed = j >= 1 && j < FILES / 2;
            if (exists(name) == removed)
                FAIL("%s should%s be there", name, removed ? " not" : "");
        }
    }
}

// All processes use the same names. Every call succeeds or fails with an expected error, and no
// name exists twice.
static void same_names(void)
{
    enum { PROCESSES = 4, NAMES = 10, ROUNDS = 60 };
    for (int i = 0; i < PROCESSES; i++) {
        if (START() != 0)
            continue;
        uint64_t random = i + 1;
        for (int round = 0; round < ROUNDS; round++) {
            char name[] = {'n', '0' + random_below(&random, NAMES), 0};
            char other[] = {'n', '0' + random_below(&random, NAMES), 0};
            switch (random_below(&random, 4)) {
            case 0: {
                int fd = open(name, O_CREATE | O_RDWR);
                CHECK(fd >= 0 || errno == EISDIR);
                close(fd);
                break;
            }
            case 1:
                if (unlink(name) < 0)
                    EXPECT(errno, ENOENT);
                break;
            case 2:
                if (link(name, other) < 0)
                    CHECK(errno == ENOENT || errno == EEXIST || errno == EPERM);
                break;
            case 3:
                if (mkdir(name) < 0)
                    EXPECT(errno, EEXIST);
                break;
            }
        }
        exit(0);
    }
    JOIN_ALL(PROCESSES);
    char name[15], seen[NAMES] = {0};
    unsigned inode;
    int fd = open(".", O_RDONLY);
    while (read_entry(fd, name, &inode) == 1) {
        if (name[0] != 'n')
            continue;
        EXPECT(seen[name[1] - '0'], 0);
        seen[name[1] - '0'] = 1;
        EXPECT(stat_of(name).ino, inode);
    }
}

// Processes make directories, enter them through "..", and remove them, all at the same time: no
// deadlock.
static void directory_race(void)
{
    enum { PROCESSES = 4 };
    EXPECT(mkdir("a"), 0);
    EXPECT(mkdir("a/b"), 0);
    for (int i = 0; i < PROCESSES; i++) {
        if (START() != 0)
            continue;
        char name[16];
        for (int round = 0; round < 60; round++) {
            snprintf(name, sizeof(name), "a/b/d%d", round % 3);
            mkdir(name);
            struct stat st;
            stat("a/b/../b/../../a/b", &st);
            if (chdir("a/b") == 0)
                EXPECT(chdir("../.."), 0);
            snprintf(name, sizeof(name), "a/b/d%d", (round + i) % 3);
            unlink(name);
        }
        exit(0);
    }
    JOIN_ALL(PROCESSES);
}

// One process lists a directory while another changes it. A name that exists all the time is listed
// exactly once.
static void list_race(void)
{
    char name[16];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "stays%d", i);
        close(MAKE(name));
    }
    int pid = START();
    if (pid == 0) {
        for (int i = 0; i < 200; i++) {
            snprintf(name, sizeof(name), "comes%d", i % 7);
            close(MAKE(name));
            EXPECT(unlink(name), 0);
        }
        exit(0);
    }
    for (int round = 0; round < 20; round++) {
        int fd = open(".", O_RDONLY), stays = 0;
        unsigned inode;
        while (read_entry(fd, name, &inode) == 1)
            stays += name[0] == 's';
        EXPECT(stays, 50);
        close(fd);
    }
    JOIN(pid, 0);
}

// Files, pipes and processes, all at the same time for a while.
static void mixture(void)
{
    enum { PROCESSES = 6 };
    for (int i = 0; i < PROCESSES; i++) {
        if (START() != 0)
            continue;
        char name[] = {'m', '0' + i, 0};
        for (int round = 0; round < 8; round++) {
            int fds[2];
            put_file(name, 5 * PAGE, round);
            EXPECT(pipe(fds), 0);
            int pid = START();
            if (pid == 0) {
                int fd = open(name, O_RDONLY), n;
                while ((n = read(fd, buffer, 3000)) > 0)
                    EXPECT(write(fds[1], buffer, n), n);
                exit(0);
            }
            close(fds[1]);
            int n, total = 0;
            while ((n = read(fds[0], buffer, PAGE)) > 0)
                total += n;
            EXPECT(total, 5 * PAGE);
            close(fds[0]);
            JOIN(pid, 0);
            EXPECT(unlink(name), 0);
        }
        exit(0);
    }
    JOIN_ALL(PROCESSES);
}

const struct test share_tests[] = {
    {"shared-offset", shared_offset, false},
    {"shared-reading", shared_reading, false},
    {"separate-files", separate_files, false},
    {"same-file", same_file, false},
    {"create-delete", create_delete, false},
    {"same-names", same_names, false},
    {"directory-race", directory_race, false},
    {"list-race", list_race, false},
    {"mixture", mixture, false},
    {0},
};
