// usertests: open, read, write, close, dup and fstat on ordinary files, and every error they
// return.

#include "user/usertests/usertests.h"

static void file_create(void)
{
    EXPECT_ERROR(open("f", O_RDONLY), ENOENT);
    EXPECT_ERROR(open("f", O_RDWR | O_TRUNC), ENOENT);
    int fd = open("f", O_CREATE | O_RDWR);
    EXPECT(write(fd, "hello", 5), 5);
    EXPECT(close(fd), 0);
    // Again: this opens the existing file.
    fd = open("f", O_CREATE | O_RDWR);
    EXPECT(read(fd, buffer, 100), 5);
    EXPECT(memcmp(buffer, "hello", 5), 0);
    EXPECT(read(fd, buffer, 100), 0);
    EXPECT(close(fd), 0);
    // A file that is created for reading exists.
    fd = open("g", O_CREATE | O_RDONLY);
    CHECK(fd >= 0);
    EXPECT_ERROR(write(fd, "x", 1), EBADF);
    EXPECT(stat_of("g").size, 0);
}

static void file_modes(void)
{
    put_file("f", 10, 1);
    int reader = open("f", O_RDONLY), writer = open("f", O_WRONLY), both = open("f", O_RDWR);
    CHECK(reader >= 0 && writer >= 0 && both >= 0);
    EXPECT_ERROR(write(reader, "x", 1), EBADF);
    EXPECT_ERROR(read(writer, buffer, 1), EBADF);
    EXPECT(read(both, buffer, 4), 4);
    EXPECT(write(both, "abc", 3), 3);
    EXPECT(write(writer, "xyz", 3), 3);
    EXPECT(read(reader, buffer, 100), 10);
    EXPECT(memcmp(buffer, "xyz", 3), 0);
    EXPECT(memcmp(buffer + 4, "abc", 3), 0);
}

static void bad_descriptors(void)
{
    static const int bad[] = {-1, -2, NOFILE, NOFILE + 1, 3, 15, 1000, 0x7fffffff, -0x7fffffff - 1};
    struct stat st;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        EXPECT_ERROR(read(bad[i], buffer, 1), EBADF);
        EXPECT_ERROR(write(bad[i], buffer, 1), EBADF);
        EXPECT_ERROR(close(bad[i]), EBADF);
        EXPECT_ERROR(dup(bad[i]), EBADF);
        EXPECT_ERROR(fstat(bad[i], &st), EBADF);
        EXPECT_ERROR(lseek(bad[i], 0, SEEK_SET), EBADF);
        EXPECT_ERROR(fsync(bad[i]), EBADF);
        EXPECT_ERROR(ioctl(bad[i], 1, buffer), EBADF);
        EXPECT_ERROR(syscall(SYS_mmap, PAGE, bad[i], 0), EBADF);
    }
    // A descriptor is an int: the kernel ignores the upper half of the register.
    int fd = MAKE("f");
    EXPECT(syscall(SYS_write, fd + (1l << 32), "x", 1), 1);
    EXPECT(close(fd), 0);
    EXPECT_ERROR(close(fd), EBADF);
    EXPECT_ERROR(write(fd, "x", 1), EBADF);
}

static void bad_sizes(void)
{
    int fds[2], fd = MAKE("f");
    EXPECT(write(fd, "0123456789", 10), 10);
    EXPECT(pipe(fds), 0);
    static const int sizes[] = {-1, -4096, -0x7fffffff - 1};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        EXPECT(lseek(fd, 0, SEEK_SET), 0);
        EXPECT_ERROR(write(fd, buffer, sizes[i]), EINVAL);
        EXPECT_ERROR(read(fd, buffer, sizes[i]), EINVAL);
        EXPECT_ERROR(write(fds[1], buffer, sizes[i]), EINVAL);
        EXPECT_ERROR(read(fds[0], buffer, sizes[i]), EINVAL);
        EXPECT(lseek(fd, 0, SEEK_CUR), 0);
    }
    EXPECT(write(fd, buffer, 0), 0);
    EXPECT(read(fd, buffer, 0), 0);
    EXPECT(stat_of("f").size, 10);
}

// Writes and reads of many sizes, not aligned, in direct and indirect blocks.
static void file_sizes(void)
{
    static const int sizes[] = {1, 2, 511, 512, 513, 1023, 4095, 4096, 4097, 8191, 8192, 12288};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        int fd = MAKE("f"), n = sizes[i];
        fill_pattern(buffer, n, i);
        int writes = n < 4096 ? 12 : 6;
        for (int j = 0; j < writes; j++)
            EXPECT(write(fd, buffer, n), n);
        close(fd);
        EXPECT(stat_of("f").size, writes * n);
        fd = open("f", O_RDONLY);
        for (int j = 0; j < writes; j++) {
            memset(buffer, 0, n);
            EXPECT(read(fd, buffer, n), n);
            CHECK(has_pattern(buffer, n, i));
        }
        EXPECT(read(fd, buffer, 1), 0);
        close(fd);
    }
}

// A write may be larger than one transaction of the file system.
static void file_large_write(void)
{
    long n = 3 * MIB;
    if (kernel_state().fs_free_blocks * PAGE < 2 * (unsigned long)n)
        n = kernel_state().fs_free_blocks * PAGE / 4;
    char *big = sbrk(n);
    if (big == (char *)-1)
        skip("too little memory");
    fill_pattern(big, n, 7);
    int fd = MAKE("f");
    EXPECT(write(fd, big, n), n);
    memset(big, 0, n);
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    EXPECT(read(fd, big, n), n);
    CHECK(has_pattern(big, n, 7));
    EXPECT(read(fd, big, n), 0);
}

static void file_overwrite(void)
{
    put_file("f", 3 * PAGE, 1);
    int fd = open("f", O_RDWR);
    EXPECT(lseek(fd, PAGE - 10, SEEK_SET), PAGE - 10);
    memset(buffer, 'z', 20);
    EXPECT(write(fd, buffer, 20), 20);
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    EXPECT(read(fd, buffer, 3 * PAGE), 3 * PAGE);
    CHECK(has_pattern(buffer, PAGE - 10, 1));
    for (int i = -10; i < 10; i++)
        EXPECT(buffer[PAGE + i], 'z');
    CHECK(has_pattern(buffer + 2 * PAGE, PAGE, 3));
    EXPECT(stat_of("f").size, 3 * PAGE);
}

static void open_limit(void)
{
    int fd, count = 0;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
        EXPECT(fd, 3 + count);
        count++;
    }
    EXPECT(errno, EMFILE);
    EXPECT(count, NOFILE - 3);
    EXPECT_ERROR(dup(0), EMFILE);
    // An open() that fails because there is no free descriptor creates no file, or one that can be
    // removed.
    EXPECT_ERROR(open("f", O_CREATE | O_RDWR), EMFILE);
    unlink("f");
    // open() takes the lowest free descriptor.
    EXPECT(close(7), 0);
    EXPECT(close(5), 0);
    EXPECT(open("/dev/null", O_RDONLY), 5);
    EXPECT(dup(0), 7);
}

static void dup_works(void)
{
    int fd = MAKE("f");
    EXPECT(write(fd, "ab", 2), 2);
    int copy = dup(fd);
    EXPECT(copy, fd + 1);
    // Both descriptors share one offset.
    EXPECT(write(copy, "cd", 2), 2);
    EXPECT(lseek(fd, 0, SEEK_CUR), 4);
    EXPECT(close(fd), 0);
    EXPECT(write(copy, "ef", 2), 2);
    EXPECT(lseek(copy, 1, SEEK_SET), 1);
    EXPECT(read(copy, buffer, 100), 5);
    EXPECT(memcmp(buffer, "bcdef", 5), 0);
    // Two open() calls have separate offsets.
    int other = open("f", O_RDONLY);
    EXPECT(read(other, buffer, 100), 6);
}

static void fstat_works(void)
{
    put_file("f", 5000, 1);
    struct stat st = stat_of("f");
    EXPECT(st.type, T_FILE);
    EXPECT(st.size, 5000);
    EXPECT(st.nlink, 1);
    CHECK(st.ino > 1);
    put_file("g", 1, 1);
    CHECK(stat_of("g").ino != st.ino);
    EXPECT(stat_of("g").dev, st.dev);
    EXPECT(stat_of("/").ino, 1);
    EXPECT(stat_of("/").type, T_DIR);
    EXPECT(stat_of("/dev/null").type, T_DEVICE);
    // The structure has 24 bytes, as in xv6, and the kernel writes no byte more.
    memset(buffer, 0x55, 64);
    int fd = open("f", O_RDONLY);
    EXPECT(fstat(fd, (struct stat *)buffer), 0);
    EXPECT(sizeof(struct stat), 24);
    for (int i = 24; i < 64; i++)
        EXPECT(buffer[i], 0x55);
}

static void fsync_works(void)
{
    int fds[2], fd = MAKE("f");
    for (int i = 0; i < 5; i++) {
        EXPECT(write(fd, "x", 1), 1);
        EXPECT(fsync(fd), 0);
    }
    EXPECT(fsync(fd), 0);
    int dir = open(".", O_RDONLY);
    EXPECT(fsync(dir), 0);
    uint64_t commits = kernel_state().log_commits;
    EXPECT(write(fd, "y", 1), 1);
    EXPECT(fsync(fd), 0);
    CHECK(kernel_state().log_commits > commits);
    EXPECT(pipe(fds), 0);
    EXPECT_ERROR(fsync(fds[0]), EINVAL);
    // Several at the same time.
    for (int i = 0; i < 4; i++) {
        if (START() != 0)
            continue;
        char name[] = {'a' + i, 0};
        int mine = MAKE(name);
        for (int j = 0; j < 10; j++) {
            EXPECT(write(mine, "0123456789", 10), 10);
            EXPECT(fsync(mine), 0);
        }
        exit(0);
    }
    JOIN_ALL(4);
}

const struct test file_tests[] = {
    {"file-create", file_create, false},
    {"file-modes", file_modes, false},
    {"bad-descriptors", bad_descriptors, false},
    {"bad-sizes", bad_sizes, false},
    {"file-sizes", file_sizes, false},
    {"file-large-write", file_large_write, false},
    {"file-overwrite", file_overwrite, false},
    {"open-limit", open_limit, false},
    {"dup", dup_works, false},
    {"fstat", fstat_works, false},
    {"fsync", fsync_works, false},
    {0},
};
