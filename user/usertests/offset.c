// usertests: lseek() and holes.

#include "user/usertests/usertests.h"

static void lseek_works(void)
{
    put_file("f", 100, 1);
    int fd = open("f", O_RDWR);
    EXPECT(lseek(fd, 0, SEEK_CUR), 0);
    EXPECT(lseek(fd, 10, SEEK_SET), 10);
    EXPECT(lseek(fd, 5, SEEK_CUR), 15);
    EXPECT(lseek(fd, -15, SEEK_CUR), 0);
    EXPECT(lseek(fd, -1, SEEK_END), 99);
    EXPECT(read(fd, buffer, 10), 1);
    EXPECT(lseek(fd, 0, SEEK_CUR), 100);
    EXPECT(lseek(fd, 0, SEEK_END), 100);
    EXPECT(read(fd, buffer, 10), 0);
}

static void lseek_errors(void)
{
    int fd = MAKE("f"), fds[2];
    EXPECT(write(fd, "abc", 3), 3);
    EXPECT_ERROR(lseek(fd, -1, SEEK_SET), EINVAL);
    EXPECT_ERROR(lseek(fd, -4, SEEK_CUR), EINVAL);
    EXPECT_ERROR(lseek(fd, -4, SEEK_END), EINVAL);
    EXPECT_ERROR(lseek(fd, 0, 3), EINVAL);
    EXPECT_ERROR(lseek(fd, 0, -1), EINVAL);
    EXPECT_ERROR(lseek(fd, 0x7fffffffffffffff, SEEK_CUR), EINVAL);
    EXPECT(lseek(fd, 0, SEEK_CUR), 3);
    EXPECT(pipe(fds), 0);
    EXPECT_ERROR(lseek(fds[0], 0, SEEK_CUR), ESPIPE);
    EXPECT_ERROR(lseek(fds[1], 0, SEEK_CUR), ESPIPE);
}

// lseek() past the end does not make a file longer. A write there does, and the bytes in between
// read as zeros.
static void hole_small(void)
{
    int fd = MAKE("f");
    EXPECT(write(fd, "abc", 3), 3);
    EXPECT(lseek(fd, 50, SEEK_SET), 50);
    EXPECT(stat_of("f").size, 3);
    EXPECT(read(fd, buffer, 10), 0);
    EXPECT(write(fd, "xyz", 3), 3);
    EXPECT(stat_of("f").size, 53);
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    memset(buffer, 1, 100);
    EXPECT(read(fd, buffer, 100), 53);
    EXPECT(memcmp(buffer, "abc", 3), 0);
    for (int i = 3; i < 50; i++)
        EXPECT(buffer[i], 0);
    EXPECT(memcmp(buffer + 50, "xyz", 3), 0);
}

// A hole must not show old contents of a block, neither from before a truncation nor from a removed
// file.
static void hole_is_zero(void)
{
    put_file("old", 40 * PAGE, 1);
    EXPECT(unlink("old"), 0);
    put_file("f", 20 * PAGE, 2);
    int fd = open("f", O_RDWR | O_TRUNC);
    EXPECT(write(fd, "a", 1), 1);
    for (int page = 1; page < 16; page++) {
        EXPECT(lseek(fd, page * PAGE + 100, SEEK_SET), page * PAGE + 100);
        EXPECT(write(fd, "b", 1), 1);
    }
    EXPECT(lseek(fd, 1, SEEK_SET), 1);
    for (int page = 1; page < 16; page++) {
        int n = page == 1 ? PAGE + 99 : PAGE - 1;
        EXPECT(read(fd, buffer, n), n);
        for (int i = 0; i < n; i++)
            EXPECT(buffer[i], 0);
        EXPECT(read(fd, buffer, 1), 1);
        EXPECT(buffer[0], 'b');
    }
}

// A file with only two bytes, far apart: it needs indirect and double-indirect blocks.
static void hole_large(void)
{
    static const int64_t places[] = {11 * 4096, 1034 * 4096, 1035 * 4096 + 7, 100 * MIB,
                                     1024 * MIB - 1};
    uint64_t before = kernel_state().fs_free_blocks;
    int fd = MAKE("f");
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        EXPECT(lseek(fd, places[i], SEEK_SET), places[i]);
        EXPECT(write(fd, "x", 1), 1);
        EXPECT(stat_of("f").size, places[i] + 1);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        EXPECT(lseek(fd, places[i] - 100, SEEK_SET), places[i] - 100);
        EXPECT(read(fd, buffer, 101), 101);
        for (int j = 0; j < 100; j++)
            EXPECT(buffer[j], 0);
        EXPECT(buffer[100], 'x');
    }
    // It uses the blocks that were written, and the blocks that point to them.
    CHECK(before - kernel_state().fs_free_blocks <= 12);
    close(fd);
    EXPECT(unlink("f"), 0);
    EXPECT(kernel_state().fs_free_blocks, before);
}

// A file has a maximum size. A write past it fails.
static void largest_offset(void)
{
    int fd = MAKE("f");
    int64_t largest = (10 + 1024 + 1024 * 1024l) * 4096;
    EXPECT(lseek(fd, largest - 1, SEEK_SET), largest - 1);
    EXPECT(write(fd, "x", 1), 1);
    EXPECT_ERROR(write(fd, "y", 1), EFBIG);
    EXPECT(stat_of("f").size, largest);
    EXPECT(lseek(fd, largest - 1, SEEK_SET), largest - 1);
    EXPECT(read(fd, buffer, 10), 1);
    EXPECT(buffer[0], 'x');
    if (lseek(fd, 0x7ffffffffffffff0, SEEK_SET) >= 0) {
        EXPECT_ERROR(write(fd, "y", 1), EFBIG);
        EXPECT(read(fd, buffer, 100), 0);
        EXPECT_ERROR(write(fd, buffer, 100), EFBIG);
    }
}

// A later write fills a page of a hole.
static void hole_filled(void)
{
    int fd = MAKE("f");
    EXPECT(lseek(fd, 30 * PAGE, SEEK_SET), 30 * PAGE);
    EXPECT(write(fd, "end", 3), 3);
    for (int page = 29; page >= 0; page -= 2) {
        fill_pattern(buffer, PAGE, page);
        EXPECT(lseek(fd, page * PAGE, SEEK_SET), page * PAGE);
        EXPECT(write(fd, buffer, PAGE), PAGE);
    }
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    for (int page = 0; page < 30; page++) {
        EXPECT(read(fd, buffer, PAGE), PAGE);
        if (page % 2 == 1)
            CHECK(has_pattern(buffer, PAGE, page));
        else
            EXPECT(buffer[0] | buffer[PAGE / 2] | buffer[PAGE - 1], 0);
    }
    EXPECT(read(fd, buffer, PAGE), 3);
}

const struct test offset_tests[] = {
    {"lseek", lseek_works, false},
    {"lseek-errors", lseek_errors, false},
    {"hole-small", hole_small, false},
    {"hole-zero", hole_is_zero, false},
    {"hole-large", hole_large, false},
    {"hole-filled", hole_filled, false},
    {"largest-offset", largest_offset, false},
    {0},
};
