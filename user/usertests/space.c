// usertests: large files, and what happens when there are no free blocks, inodes or open files.
// Calls then fail with ordinary errors. Existing files are unharmed, and what becomes free can be
// used again.

#include "user/usertests/usertests.h"

static uint64_t free_blocks(void)
{
    return kernel_state().fs_free_blocks;
}

// On a large disk, the three tests below that fill it would take minutes.
#define MOST_BLOCKS (64 * MIB / PAGE)

static void skip_if_large_disk(void)
{
    if (free_blocks() > MOST_BLOCKS)
        skip("more than 64 MiB of disk are free");
}

// Writes numbered blocks until one does not fit, but at most `most`. Returns how many fitted.
static long fill_file(int fd, long most)
{
    for (long block = 0; block < most; block++) {
        for (long at = 0; at < PAGE; at += sizeof(long))
            *(long *)(buffer + at) = block * 3 + at;
        int n = write(fd, buffer, PAGE);
        if (n != PAGE) {
            CHECK(n == -1);
            EXPECT(errno, ENOSPC);
            return block;
        }
    }
    return most;
}

static void check_blocks(int fd, long count)
{
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    for (long block = 0; block < count; block++) {
        EXPECT(read(fd, buffer, PAGE), PAGE);
        for (long at = 0; at < PAGE; at += sizeof(long)) {
            if (*(long *)(buffer + at) != block * 3 + at)
                FAIL("block %ld is wrong at byte %ld", block, at);
        }
    }
    EXPECT(read(fd, buffer, PAGE), 0);
}

// A file of a third of the disk, which needs double-indirect blocks.
static void large_file(void)
{
    long blocks = free_blocks() / 3;
    if (blocks > 6000)
        blocks = 6000;
    if (blocks < 1100)
        skip("too little disk for a double-indirect file");
    uint64_t before = free_blocks();
    int fd = MAKE("f");
    EXPECT(fill_file(fd, blocks), blocks);
    EXPECT(stat_of("f").size, blocks * PAGE);
    check_blocks(fd, blocks);
    // Read it again with another descriptor: from the disk, if the file is larger than the cache.
    EXPECT(fsync(fd), 0);
    close(fd);
    fd = open("f", O_RDONLY);
    check_blocks(fd, blocks);
    close(fd);
    EXPECT(unlink("f"), 0);
    EXPECT(free_blocks(), before);
}

// One file fills the disk. After it is removed, the disk is as empty as before. The second time
// shows whether a block was lost.
static void disk_full(void)
{
    skip_if_large_disk();
    put_file("stays", 10 * PAGE, 5);
    uint64_t before = free_blocks();
    for (int round = 0; round < 2; round++) {
        int fd = MAKE("f");
        long count = fill_file(fd, MOST_BLOCKS + 1);
        // Some of the blocks only point to other blocks.
        CHECK(count > (long)before - 32);
        EXPECT_ERROR(write(fd, "x", 1), ENOSPC);
        // Programs can still read and overwrite other files, and remove names. No new file can hold
        // data.
        EXPECT_FILE("stays", 10 * PAGE, 5);
        int other = open("stays", O_RDWR);
        fill_pattern(buffer, PAGE, 5);
        EXPECT(write(other, buffer, PAGE), PAGE);
        close(other);
        other = open("new", O_CREATE | O_RDWR);
        if (other >= 0) {
            EXPECT_ERROR(write(other, "x", 1), ENOSPC);
            close(other);
            EXPECT(unlink("new"), 0);
        }
        mkdir("d"); // may need a block, or use a free entry
        unlink("d");
        check_blocks(fd, count);
        close(fd);
        EXPECT(unlink("f"), 0);
        EXPECT(free_blocks(), before);
    }
    EXPECT_FILE("stays", 10 * PAGE, 5);
}

// Many files in several directories fill the disk. Then all of them are removed.
static void disk_full_of_files(void)
{
    skip_if_large_disk();
    uint64_t before = free_blocks();
    char name[24];
    int fd = -1;
    for (int files = 0;; files++) {
        if (files % 50 == 0) {
            snprintf(name, sizeof(name), "d%d", files / 50);
            if (mkdir(name) < 0)
                break;
        }
        snprintf(name, sizeof(name), "d%d/f%d", files / 50, files);
        fd = open(name, O_CREATE | O_RDWR);
        if (fd < 0 || fill_file(fd, 40) < 40)
            break; // errno is from the call that failed
        EXPECT(close(fd), 0);
    }
    EXPECT(errno, ENOSPC);
    close(fd);
    CHECK(free_blocks() < 8);
    EXPECT(remove_contents(TEST_DIR), 0);
    EXPECT(chdir(TEST_DIR), 0);
    // The test's own directory keeps the block with its entries.
    CHECK(free_blocks() + 1 >= before);
    put_file("f", 100 * PAGE, 1);
    EXPECT_FILE("f", 100 * PAGE, 1);
}

// If only part of a write fits, write() returns how much, or fails as a whole. The file's size must
// agree with that.
static void partial_write(void)
{
    skip_if_large_disk();
    long n = 64 * PAGE;
    char *big = sbrk(n);
    int filler = MAKE("filler");
    long room = free_blocks();
    EXPECT(fill_file(filler, room - 40), room - 40);
    int fd = MAKE("f");
    fill_pattern(big, n, 1);
    long put = write(fd, big, n);
    CHECK(put == -1 || (put > 0 && put < n));
    long size = stat_of("f").size;
    EXPECT(size, put == -1 ? size : put);
    memset(big, 0, n);
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    EXPECT(read(fd, big, n), size);
    CHECK(has_pattern(big, size, 1));
}

// Makes files until no inode is free, then removes them until one is free again.
static void inodes_exhausted(void)
{
    struct kstat before = kernel_state();
    if (before.fs_free_inodes > 20000)
        skip("more than 20,000 inodes are free");
    char name[24];
    long files = 0;
    for (;; files++) {
        if (files % 500 == 0) {
            snprintf(name, sizeof(name), "d%ld", files / 500);
            if (mkdir(name) < 0)
                break;
        }
        snprintf(name, sizeof(name), "d%ld/f%ld", files / 500, files);
        int fd = open(name, O_CREATE | O_RDWR);
        if (fd < 0)
            break;
        close(fd);
    }
    EXPECT(errno, ENOSPC);
    EXPECT(kernel_state().fs_free_inodes, 0);
    EXPECT_ERROR(mkdir("x"), ENOSPC);
    EXPECT_ERROR(mknod("x", DEV_NULL, 0), ENOSPC);
    EXPECT_ERROR(open("x", O_CREATE), ENOSPC);
    EXPECT(unlink("d0/f3"), 0);
    put_file("x", 10, 1);
    EXPECT_FILE("x", 10, 1);
    EXPECT(remove_contents(TEST_DIR), 0);
    EXPECT(kernel_state().fs_free_inodes, before.fs_free_inodes);
}

// The system's table of open files is full before the processes' own tables are.
static void open_files_exhausted(void)
{
    enum { PROCESSES = 120 };
    int ready[2], gate[2];
    EXPECT(pipe(ready), 0);
    EXPECT(pipe(gate), 0);
    for (int i = 0; i < PROCESSES; i++) {
        int pid = fork();
        if (pid < 0) {
            EXPECT(close(gate[1]), 0);
            JOIN_ALL(i);
            skip("too few processes");
        }
        if (pid > 0)
            continue;
        close(gate[1]);
        char outcome = 'm';
        while (open("/dev/null", O_RDONLY) >= 0)
            ;
        if (errno == ENFILE) {
            outcome = 's';
            int fds[2];
            EXPECT_ERROR(pipe(fds), ENFILE);
        } else {
            EXPECT(errno, EMFILE);
        }
        EXPECT(write(ready[1], &outcome, 1), 1);
        // Every child stays until all have tried.
        EXPECT(read(gate[0], &outcome, 1), 0);
        exit(0);
    }
    int full = 0;
    for (int i = 0; i < PROCESSES; i++) {
        char outcome;
        EXPECT(read(ready[0], &outcome, 1), 1);
        full += outcome == 's';
    }
    CHECK(full > 0);
    EXPECT_ERROR(open("/dev/null", O_RDONLY), ENFILE);
    EXPECT(close(gate[1]), 0);
    JOIN_ALL(PROCESSES);
    EXPECT(close(open("/dev/null", O_RDONLY)), 0);
}

// Many writers at once. Each writes more than the log can hold, and some end without closing the
// file.
static void heavy_writing(void)
{
    enum { WRITERS = 4 };
    long blocks = free_blocks() / (2 * WRITERS);
    if (blocks > 1500)
        blocks = 1500;
    for (int i = 0; i < WRITERS; i++) {
        if (START() != 0)
            continue;
        char name[] = {'w', '0' + i, 0};
        int fd = MAKE(name);
        EXPECT(fill_file(fd, blocks), blocks);
        check_blocks(fd, blocks);
        if (i % 2)
            EXPECT(unlink(name), 0);
        exit(0);
    }
    JOIN_ALL(WRITERS);
    EXPECT(count_entries("."), WRITERS / 2);
}

const struct test space_tests[] = {
    {"open-files", open_files_exhausted, false},   {"large-file", large_file, true},
    {"heavy-writing", heavy_writing, true},        {"disk-full", disk_full, true},
    {"disk-full-files", disk_full_of_files, true}, {"partial-write", partial_write, true},
    {"inodes-exhausted", inodes_exhausted, true},  {0},
};
