// usertests: O_TRUNC and O_APPEND, also while other descriptors have the file open.

#include "user/usertests/usertests.h"

static void truncate_basic(void)
{
    put_file("f", 2 * PAGE + 5, 1);
    // Without O_TRUNC nothing is lost.
    close(open("f", O_WRONLY));
    EXPECT_FILE("f", 2 * PAGE + 5, 1);
    close(open("f", O_WRONLY | O_TRUNC));
    EXPECT_FILE("f", 0, 1);
    put_file("f", 3, 1);
    close(open("f", O_CREATE | O_TRUNC | O_RDWR));
    EXPECT_FILE("f", 0, 1);
    // O_TRUNC frees the blocks: repeat it many times with a large file.
    uint64_t before = kernel_state().fs_free_blocks;
    for (int i = 0; i < 5; i++) {
        put_file("f", 64 * PAGE, i);
        close(open("f", O_WRONLY | O_TRUNC));
    }
    EXPECT(kernel_state().fs_free_blocks, before);
}

// A file is truncated while another descriptor is far inside it.
static void truncate_open(void)
{
    int first = MAKE("f");
    EXPECT(write(first, "abcd", 4), 4);
    int reader = open("f", O_RDONLY);
    EXPECT(read(reader, buffer, 2), 2);
    int second = open("f", O_WRONLY | O_TRUNC);
    EXPECT(read(reader, buffer, 100), 0);
    EXPECT(write(second, "abcdef", 6), 6);
    EXPECT(read(reader, buffer, 100), 4);
    EXPECT(memcmp(buffer, "cdef", 4), 0);
    // The first writer continues at its old offset.
    EXPECT(write(first, "X", 1), 1);
    EXPECT(lseek(reader, 0, SEEK_SET), 0);
    EXPECT(read(reader, buffer, 100), 6);
    EXPECT(memcmp(buffer, "abcdXf", 6), 0);
    // Past the end, a write fails, as programs of xv6 expect. After an lseek() it leaves a hole.
    close(open("f", O_WRONLY | O_TRUNC));
    EXPECT_ERROR(write(first, "Y", 1), EINVAL);
    EXPECT(lseek(first, 5, SEEK_SET), 5);
    EXPECT(write(first, "Y", 1), 1);
    EXPECT(lseek(reader, 0, SEEK_SET), 0);
    EXPECT(read(reader, buffer, 100), 6);
    EXPECT(memcmp(buffer, "\0\0\0\0\0Y", 6), 0);
}

static void truncate_race(void)
{
    int pid = START();
    if (pid == 0) {
        for (int i = 0; i < 100; i++) {
            int fd = open("f", O_WRONLY | O_CREATE | O_TRUNC);
            EXPECT(write(fd, "xxx", 3), 3);
            close(fd);
        }
        exit(0);
    }
    for (int i = 0; i < 100; i++) {
        int fd = open("f", O_WRONLY | O_CREATE);
        EXPECT(write(fd, "1234567890", 10), 10);
        close(fd);
        fd = open("f", O_RDONLY);
        int n = read(fd, buffer, 32);
        CHECK(n == 0 || n == 3 || n == 10);
        close(fd);
    }
    JOIN(pid, 0);
}

static void append(void)
{
    put_file("f", 10, 1);
    int fd = open("f", O_WRONLY | O_APPEND);
    EXPECT(write(fd, "ab", 2), 2);
    // An append ignores the offset.
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    EXPECT(write(fd, "cd", 2), 2);
    int other = open("f", O_WRONLY | O_APPEND);
    EXPECT(write(other, "ef", 2), 2);
    EXPECT(write(fd, "gh", 2), 2);
    close(fd);
    fd = open("f", O_RDONLY);
    EXPECT(read(fd, buffer, 100), 18);
    CHECK(has_pattern(buffer, 10, 1));
    EXPECT(memcmp(buffer + 10, "abcdefgh", 8), 0);
}

// Several processes append at the same time: no write overwrites another.
static void append_race(void)
{
    enum { WRITERS = 4, EACH = 50 };
    close(MAKE("f"));
    for (int i = 0; i < WRITERS; i++) {
        if (START() != 0)
            continue;
        int fd = open("f", O_WRONLY | O_APPEND);
        char line[8];
        memset(line, 'a' + i, sizeof(line));
        for (int j = 0; j < EACH; j++)
            EXPECT(write(fd, line, sizeof(line)), sizeof(line));
        exit(0);
    }
    JOIN_ALL(WRITERS);
    int counts[WRITERS] = {0}, fd = open("f", O_RDONLY);
    char line[8];
    while (read(fd, line, sizeof(line)) == sizeof(line)) {
        for (int i = 1; i < 8; i++)
            EXPECT(line[i], line[0]);
        CHECK(line[0] >= 'a' && line[0] < 'a' + WRITERS);
        counts[line[0] - 'a']++;
    }
    for (int i = 0; i < WRITERS; i++)
        EXPECT(counts[i], EACH);
}

const struct test truncate_tests[] = {
    {"truncate", truncate_basic, false},     {"truncate-open", truncate_open, false},
    {"truncate-race", truncate_race, false}, {"append", append, false},
    {"append-race", append_race, false},     {0},
};
