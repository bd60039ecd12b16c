// usertests: pipes. The tests do not assume a capacity; they measure it.

#include "user/usertests/usertests.h"

static void pipe_basic(void)
{
    int fds[2];
    EXPECT(pipe(fds), 0);
    CHECK(fds[0] != fds[1]);
    EXPECT(write(fds[1], "hello", 5), 5);
    EXPECT(write(fds[1], buffer, 0), 0);
    EXPECT(read(fds[0], buffer, 0), 0);
    EXPECT(read(fds[0], buffer, 2), 2);
    // A read returns what is there and does not wait for more.
    EXPECT(read(fds[0], buffer + 2, 100), 3);
    EXPECT(memcmp(buffer, "hello", 5), 0);
    struct stat st;
    EXPECT_ERROR(fstat(fds[0], &st), 0);
    EXPECT_ERROR(lseek(fds[0], 0, SEEK_SET), ESPIPE);
}

static void pipe_directions(void)
{
    int fds[2];
    EXPECT(pipe(fds), 0);
    EXPECT_ERROR(write(fds[0], "x", 1), EBADF);
    EXPECT_ERROR(read(fds[1], buffer, 1), EBADF);
}

// Every byte arrives once and in order, through writes and reads of many sizes.
static void pipe_stream(void)
{
    static const int write_sizes[] = {1, 3, 127, 512, 513, 1000, 4095, 4096, 4097, 10000};
    static const int read_sizes[] = {1, 7, 511, 4096, 5000, 12288};
    enum { TOTAL = 300000 };
    int fds[2];
    EXPECT(pipe(fds), 0);
    int pid = START();
    if (pid == 0) {
        close(fds[0]);
        for (int at = 0, i = 0; at < TOTAL; i++) {
            int n = write_sizes[i % ARRAY_SIZE(write_sizes)];
            n = n < TOTAL - at ? n : TOTAL - at;
            for (int j = 0; j < n; j++)
                buffer[j] = (at + j) % 251;
            EXPECT(write(fds[1], buffer, n), n);
            at += n;
        }
        exit(0);
    }
    close(fds[1]);
    int at = 0, n;
    for (int i = 0; (n = read(fds[0], buffer, read_sizes[i % ARRAY_SIZE(read_sizes)])) > 0; i++) {
        for (int j = 0; j < n; j++) {
            if (buffer[j] != (char)((at + j) % 251))
                FAIL("byte %d of the stream is %d", at + j, buffer[j]);
        }
        at += n;
    }
    EXPECT(n, 0);
    EXPECT(at, TOTAL);
    JOIN(pid, 0);
}

// read() sleeps until there is data.
static void pipe_reader_waits(void)
{
    int fds[2];
    EXPECT(pipe(fds), 0);
    int pid = START();
    if (pid == 0) {
        nanosleep(100 * MS);
        EXPECT(write(fds[1], "late", 4), 4);
        exit(0);
    }
    uint64_t start = clock_gettime();
    EXPECT(read(fds[0], buffer, 100), 4);
    CHECK(clock_gettime() - start > 50 * MS);
    JOIN(pid, 0);
}

// write() sleeps while the pipe is full, and then writes all of it.
static void pipe_writer_waits(void)
{
    enum { TOTAL = 200000 };
    static char block[1000];
    int fds[2], done[2];
    EXPECT(pipe(fds), 0);
    EXPECT(pipe(done), 0);
    int pid = START();
    if (pid == 0) {
        for (int i = 0; i < TOTAL / 1000; i++)
            EXPECT(write(fds[1], block, 1000), 1000);
        EXPECT(write(done[1], "x", 1), 1);
        exit(0);
    }
    close(fds[1]);
    close(done[1]);
    // The writer cannot have finished, because nothing has been read yet. So the first byte is
    // data.
    nanosleep(50 * MS);
    int total = 0, n;
    while ((n = read(fds[0], buffer, BUFFER_SIZE)) > 0) {
        CHECK(n < TOTAL);
        total += n;
    }
    EXPECT(total, TOTAL);
    EXPECT(read(done[0], buffer, 1), 1);
    JOIN(pid, 0);
}

static void pipe_end_of_file(void)
{
    int fds[2];
    EXPECT(pipe(fds), 0);
    EXPECT(write(fds[1], "rest", 4), 4);
    int second = dup(fds[1]);
    EXPECT(close(fds[1]), 0);
    EXPECT(write(second, "!", 1), 1);
    EXPECT(close(second), 0);
    EXPECT(read(fds[0], buffer, 100), 5);
    EXPECT(read(fds[0], buffer, 100), 0);
    EXPECT(read(fds[0], buffer, 100), 0);
    // When the last writer closes the pipe, a sleeping reader wakes up.
    EXPECT(pipe(fds), 0);
    int pid = START();
    if (pid == 0) {
        nanosleep(50 * MS);
        exit(0);
    }
    EXPECT(close(fds[1]), 0);
    EXPECT(read(fds[0], buffer, 1), 0);
    JOIN(pid, 0);
}

static void pipe_broken(void)
{
    int fds[2];
    EXPECT(pipe(fds), 0);
    EXPECT(close(fds[0]), 0);
    EXPECT_ERROR(write(fds[1], "x", 1), EPIPE);
    EXPECT_ERROR(write(fds[1], buffer, BUFFER_SIZE), EPIPE);
    EXPECT(close(fds[1]), 0);
    // When the last reader closes the pipe, a sleeping writer wakes up.
    EXPECT(pipe(fds), 0);
    int pid = START();
    if (pid == 0) {
        close(fds[1]);
        nanosleep(50 * MS);
        exit(0);
    }
    EXPECT(close(fds[0]), 0);
    while (write(fds[1], buffer, BUFFER_SIZE) == BUFFER_SIZE)
        ;
    EXPECT(errno, EPIPE);
    JOIN(pid, 0);
}

// Several writers: the bytes of each arrive in the order in which it wrote them, and none is lost.
static void pipe_many_writers(void)
{
    enum { WRITERS = 8, EACH = 3000 };
    int fds[2], next[WRITERS] = {0};
    EXPECT(pipe(fds), 0);
    for (int i = 0; i < WRITERS; i++) {
        if (START() != 0)
            continue;
        for (int j = 0; j < EACH; j += 10) {
            for (int k = 0; k < 10; k++)
                buffer[k] = (char)(i * 32 + (j + k) % 32);
            EXPECT(write(fds[1], buffer, 10), 10);
        }
        exit(0);
    }
    close(fds[1]);
    int n, total = 0;
    while ((n = read(fds[0], buffer, 777)) > 0) {
        for (int j = 0; j < n; j++) {
            int writer = (unsigned char)buffer[j] / 32, value = (unsigned char)buffer[j] % 32;
            EXPECT(value, next[writer] % 32);
            next[writer]++;
        }
        total += n;
    }
    EXPECT(total, WRITERS * EACH);
    JOIN_ALL(WRITERS);
}

// Several readers: each byte reaches exactly one of them.
static void pipe_many_readers(void)
{
    enum { READERS = 4, TOTAL = 20000 };
    int fds[2], sums[2];
    EXPECT(pipe(fds), 0);
    EXPECT(pipe(sums), 0);
    for (int i = 0; i < READERS; i++) {
        if (START() != 0)
            continue;
        close(fds[1]);
        int count = 0, n;
        while ((n = read(fds[0], buffer, 100)) > 0)
            count += n;
        EXPECT(write(sums[1], &count, sizeof(count)), sizeof(count));
        exit(0);
    }
    close(fds[0]);
    for (int i = 0; i < TOTAL; i += 1000)
        EXPECT(write(fds[1], buffer, 1000), 1000);
    close(fds[1]);
    int total = 0;
    for (int i = 0; i < READERS; i++) {
        int count;
        EXPECT(read(sums[0], &count, sizeof(count)), sizeof(count));
        total += count;
    }
    EXPECT(total, TOTAL);
    JOIN_ALL(READERS);
}

// A byte goes there and back many times: no wake-up is lost.
static void pipe_ping_pong(void)
{
    int there[2], back[2];
    char byte = 0;
    EXPECT(pipe(there), 0);
    EXPECT(pipe(back), 0);
    int pid = START();
    if (pid == 0) {
        close(there[1]);
        while (read(there[0], &byte, 1) == 1) {
            byte++;
            EXPECT(write(back[1], &byte, 1), 1);
        }
        exit(0);
    }
    for (int i = 0; i < 1000; i++) {
        byte = i;
        EXPECT(write(there[1], &byte, 1), 1);
        EXPECT(read(back[0], &byte, 1), 1);
        EXPECT(byte, (char)(i + 1));
    }
    close(there[1]);
    JOIN(pid, 0);
}

// If only one descriptor is free, pipe() fails, and the descriptor stays free.
static void pipe_no_descriptors(void)
{
    int fds[2] = {-7, -7};
    int last = 0, fd;
    while ((fd = dup(0)) >= 0)
        last = fd;
    EXPECT(errno, EMFILE);
    EXPECT(last, NOFILE - 1);
    EXPECT_ERROR(pipe(fds), EMFILE);
    EXPECT(close(last), 0);
    EXPECT_ERROR(pipe(fds), EMFILE);
    EXPECT(fds[0], -7);
    EXPECT(dup(0), last);
    EXPECT(close(last), 0);
    EXPECT(close(last - 1), 0);
    EXPECT(pipe(fds), 0);
}

const struct test pipe_tests[] = {
    {"pipe-basic", pipe_basic, false},
    {"pipe-directions", pipe_directions, false},
    {"pipe-stream", pipe_stream, false},
    {"pipe-reader-waits", pipe_reader_waits, false},
    {"pipe-writer-waits", pipe_writer_waits, false},
    {"pipe-end", pipe_end_of_file, false},
    {"pipe-broken", pipe_broken, false},
    {"pipe-writers", pipe_many_writers, false},
    {"pipe-readers", pipe_many_readers, false},
    {"pipe-ping-pong", pipe_ping_pong, false},
    {"pipe-descriptors", pipe_no_descriptors, false},
    {0},
};
