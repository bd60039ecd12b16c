// What tests are made of: expectations, child processes, files with known contents.

#include "user/usertests/usertests.h"

char buffer[BUFFER_SIZE];

static void say_at(const char *file, int line, const char *format, va_list ap)
{
    // Print each message with one write(): several processes of a test may fail at the same time.
    char text[320];
    const char *base = strrchr(file, '/');
    int n = snprintf(text, sizeof(text), "FAILED: %s:%d: ", base ? base + 1 : file, line);
    n += vsnprintf(text + n, sizeof(text) - n - 1, format, ap);
    if (n > (int)sizeof(text) - 2)
        n = sizeof(text) - 2;
    text[n++] = '\n';
    // A test may have closed its standard output.
    if (write(1, text, n) != n)
        write(2, text, n);
}

void fail_at(const char *file, int line, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say_at(file, line, format, ap);
    va_end(ap);
    exit(STATUS_FAILED);
}

void skip(const char *reason)
{
    printf("skipped: %s\n", reason);
    exit(STATUS_SKIPPED);
}

void expect_at(const char *file, int line, const char *what, long seen, long expected)
{
    int error = errno;
    if (seen == expected)
        return;
    if (seen == -1)
        fail_at(file, line, "%s: expected %ld, seen -1 (%s)", what, expected, strerror(error));
    fail_at(file, line, "%s: expected %ld, seen %ld", what, expected, seen);
}

void expect_error_at(const char *file, int line, const char *what, long seen, int error)
{
    int reason = errno;
    if (seen != -1)
        fail_at(file, line, "%s: expected -1, seen %ld", what, seen);
    if (reason == 0)
        fail_at(file, line, "%s: is -1, but errno is 0", what);
    if (error != 0 && reason != error)
        fail_at(file, line, "%s: expected errno %d (%s), seen %d (%s)", what, error,
                strerror(error), reason, strerror(reason));
}

// ---- processes ----

int start_at(const char *file, int line)
{
    int pid = fork();
    if (pid < 0)
        fail_at(file, line, "fork: %s", strerror(errno));
    return pid;
}

void join_at(const char *file, int line, int pid, int status)
{
    int seen_status = -12345;
    int seen = wait(&seen_status);
    if (seen != pid)
        fail_at(file, line, "wait: expected child %d, seen %d", pid, seen);
    if (seen_status != status)
        fail_at(file, line, "exit status of a child: expected %d, seen %d", status, seen_status);
}

void join_all_at(const char *file, int line, int count)
{
    for (int i = 0; i < count; i++) {
        int status;
        if (wait(&status) < 0)
            fail_at(file, line, "wait: expected %d children, seen %d", count, i);
        if (status != 0)
            fail_at(file, line, "exit status of a child: expected 0, seen %d", status);
    }
    if (wait(NULL) != -1)
        fail_at(file, line, "wait: expected %d children, seen another", count);
}

int run_program(const char *path, char **argv, const char *output)
{
    int pid = START();
    if (pid == 0) {
        close(1);
        EXPECT(open(output, O_CREATE | O_TRUNC | O_WRONLY), 1);
        exec(path, argv);
        exit(127);
    }
    int status;
    EXPECT(wait(&status), pid);
    return status;
}

// ---- files ----

static char pattern_byte(long i, unsigned seed)
{
    // The division makes the pages differ too.
    return (char)(i * 7 + i / 251 + seed * 31);
}

void fill_pattern(char *dst, long n, unsigned seed)
{
    for (long i = 0; i < n; i++)
        dst[i] = pattern_byte(i, seed);
}

bool has_pattern(const char *src, long n, unsigned seed)
{
    for (long i = 0; i < n; i++) {
        if (src[i] != pattern_byte(i, seed))
            return false;
    }
    return true;
}

int make_at(const char *file, int line, const char *path)
{
    int fd = open(path, O_CREATE | O_TRUNC | O_RDWR);
    if (fd < 0)
        fail_at(file, line, "making %s: %s", path, strerror(errno));
    return fd;
}

void put_file(const char *path, long n, unsigned seed)
{
    int fd = MAKE(path);
    for (long done = 0; done < n;) {
        long part = n - done < PAGE ? n - done : PAGE;
        fill_pattern(buffer, part, seed + done / PAGE);
        EXPECT(write(fd, buffer, part), part);
        done += part;
    }
    EXPECT(close(fd), 0);
}

void expect_file_at(const char *file, int line, const char *path, long n, unsigned seed)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        fail_at(file, line, "open %s: %s", path, strerror(errno));
    for (long done = 0; done < n;) {
        long part = n - done < PAGE ? n - done : PAGE;
        long got = read(fd, buffer, part);
        if (got != part)
            fail_at(file, line, "%s: reading %ld bytes at %ld gave %ld", path, part, done, got);
        if (!has_pattern(buffer, part, seed + done / PAGE))
            fail_at(file, line, "%s: wrong contents in the page at %ld", path, done);
        done += part;
    }
    if (read(fd, buffer, 1) != 0)
        fail_at(file, line, "%s: expected to end after %ld bytes, but it is longer", path, n);
    close(fd);
}

bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

struct stat stat_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        FAIL("stat %s: %s", path, strerror(errno));
    return st;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int count_entries(const char *path)
{
    char name[15];
    unsigned inode;
    int count = 0;
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        FAIL("open %s: %s", path, strerror(errno));
    while (read_entry(fd, name, &inode) == 1)
        count += !is_dot(name);
    close(fd);
    return count;
}

struct kstat kernel_state(void)
{
    struct kstat state;
    int fd = open("/dev/kstat", O_RDONLY);
    if (fd < 0 || read(fd, &state, sizeof(state)) != sizeof(state))
        FAIL("cannot read /dev/kstat: %s", strerror(errno));
    close(fd);
    return state;
}

uint64_t free_bytes(void)
{
    return kernel_state().free_pages * PAGE;
}

// Reads the next name in the current directory, beginning at *offset. Returns 1, 0 at the end, or
// -1. It leaves no descriptor open, because a tree may be deeper than a process has descriptors.
static int next_name(int64_t *offset, char name[15])
{
    unsigned inode;
    int fd = open(".", O_RDONLY);
    if (fd < 0)
        return -1;
    lseek(fd, *offset, SEEK_SET);
    int result;
    do {
        result = read_entry(fd, name, &inode);
    } while (result == 1 && is_dot(name));
    *offset = lseek(fd, 0, SEEK_CUR);
    close(fd);
    return result;
}

// Removes one name from the current directory: a file, or a directory with everything in it.
static int remove_one(const char *name)
{
    if (unlink(name) == 0)
        return 0;
    if (chdir(name) < 0)
        return -1;
    int result = remove_contents(".");
    if (result < 0 || chdir("..") < 0)
        return -1;
    return unlink(name);
}

// Enters directories with chdir(), so that no path gets too long.
int remove_contents(const char *path)
{
    char name[15];
    int64_t offset = 0;
    bool elsewhere = strcmp(path, ".") != 0;
    if (elsewhere && chdir(path) < 0)
        return -1;
    int result;
    while ((result = next_name(&offset, name)) == 1) {
        result = remove_one(name);
        if (result < 0)
            break;
    }
    if (elsewhere && chdir("/") < 0)
        return -1;
    return result;
}
