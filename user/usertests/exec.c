// usertests: exec(): arguments, what a program inherits and what it does not, and files that change
// while they run. The tests with invalid programs are in elf.c.

#include "user/usertests/usertests.h"

// ---- the programs that tests start: usertests -x MODE ... ----

static int zeroed[2 * 4096 / sizeof(int)];
static int initialised = 12345;
// Whole pages of data. A wrong kernel might map them directly from its cache.
static char initialised_pages[3 * 4096] = {[0 ... 3 * 4096 - 1] = 'i'};

static int mode_args(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("%s\n", argv[i]);
    return argv[argc] == NULL ? argc : -2;
}

static int mode_status(int argc, char **argv)
{
    return argc > 0 ? atoi(argv[0]) : 0;
}

// Copies descriptor 3 to standard output.
static int mode_copy(int argc, char **argv)
{
    (void)argc, (void)argv;
    int n;
    while ((n = read(3, buffer, BUFFER_SIZE)) > 0)
        write(1, buffer, n);
    return n;
}

// Checks that the data is as in the file, and everything else is zero.
static int mode_fresh(int argc, char **argv)
{
    (void)argc, (void)argv;
    EXPECT(initialised, 12345);
    for (unsigned i = 0; i < ARRAY_SIZE(initialised_pages); i++) {
        EXPECT(initialised_pages[i], 'i');
        initialised_pages[i] = 'x';
    }
    for (unsigned i = 0; i < ARRAY_SIZE(zeroed); i++)
        EXPECT(zeroed[i], 0);
    const char *heap = sbrk(4 * PAGE);
    for (int i = 0; i < 4 * PAGE; i++)
        EXPECT(heap[i], 0);
    EXPECT(sbrk(0), heap + 4 * PAGE);
    return 0;
}

// Returns the sum of the program's first pages, which are code and constants.
static uint32_t sum_text(void)
{
    const uint32_t *word = NULL;
    // A program begins at address 0. The asm hides the null pointer from the compiler.
    asm("" : "+r"(word));
    uint32_t sum = 0;
    for (int i = 0; i < 8 * PAGE / 4; i++)
        sum = sum * 31 + word[i];
    return sum;
}

// Reports that it is running, waits for a byte on descriptor 3, then prints the sum of its code.
static int mode_sum(int argc, char **argv)
{
    (void)argc, (void)argv;
    write(4, "x", 1);
    read(3, buffer, 1);
    printf("%u", sum_text());
    return 0;
}

int exec_mode(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } modes[] = {
        {"args", mode_args},   {"status", mode_status}, {"copy", mode_copy},
        {"fresh", mode_fresh}, {"sum", mode_sum},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
        if (strcmp(argv[0], modes[i].name) == 0)
            return modes[i].run(argc - 1, argv + 1);
    }
    return 99;
}

// ---- the tests ----

static void exec_arguments(void)
{
    char *argv[] = {"usertests", "-x", "args", "", "a b", "tab\t", "-", "x", NULL};
    EXPECT(run_program(SELF, argv, "out"), 5);
    int fd = open("out", O_RDONLY);
    static const char expected[] = "\na b\ntab\t\n-\nx\n";
    EXPECT(read(fd, buffer, 100), sizeof(expected) - 1);
    EXPECT(memcmp(buffer, expected, sizeof(expected) - 1), 0);
}

// argv[0] may be any string, and may be missing.
static void exec_argv0(void)
{
    char *odd[] = {"", "-x", "status", "7", NULL};
    EXPECT(run_program(SELF, odd, "out"), 7);
    char *none[] = {NULL};
    EXPECT(run_program("/true", none, "out"), 0);
}

static void exec_argument_count(void)
{
    char *argv[MAXARG + 2] = {"usertests", "-x", "args"};
    for (int i = 3; i < MAXARG - 1; i++)
        argv[i] = "x";
    EXPECT(run_program(SELF, argv, "out"), MAXARG - 4);
    argv[MAXARG - 1] = "x";
    EXPECT_ERROR(exec(SELF, argv), E2BIG);
    argv[MAXARG] = "x";
    EXPECT_ERROR(exec(SELF, argv), E2BIG);
}

// All arguments together may have one page. exec() rejects more, and never overruns a buffer.
static void exec_argument_size(void)
{
    char *argv[MAXARG] = {"usertests", "-x", "args"};
    static char text[2 * 4096];
    memset(text, 'y', sizeof(text));
    text[100] = 0;
    for (int i = 3; i < MAXARG - 1; i++)
        argv[i] = text;
    EXPECT(run_program(SELF, argv, "out"), MAXARG - 4);
    EXPECT(stat_of("out").size, (MAXARG - 4) * 101);
    text[100] = 'y';
    text[400] = 0;
    EXPECT_ERROR(exec(SELF, argv), E2BIG);
    argv[4] = NULL;
    text[400] = 'y';
    text[3000] = 0;
    EXPECT(run_program(SELF, argv, "out"), 1);
    EXPECT(stat_of("out").size, 3001);
    text[3000] = 'y';
    text[PAGE - 1] = 0;
    EXPECT_ERROR(exec(SELF, argv), E2BIG);
    text[PAGE - 1] = 'y';
    text[sizeof(text) - 1] = 0;
    EXPECT_ERROR(exec(SELF, argv), 0);
}

static void exec_paths(void)
{
    char *argv[] = {"x", "-x", "status", "0", NULL};
    EXPECT_ERROR(exec("missing", argv), ENOENT);
    EXPECT_ERROR(exec("", argv), ENOEXEC);
    EXPECT_ERROR(exec("missing/x", argv), ENOENT);
    EXPECT_ERROR(exec(SELF "/x", argv), ENOTDIR);
    EXPECT(chdir("/"), 0);
    EXPECT(run_program("usertests", argv, TEST_DIR "/out"), 0);
    EXPECT(run_program("./usertests", argv, TEST_DIR "/out"), 0);
    EXPECT(run_program(TEST_DIR "/..//usertests", argv, TEST_DIR "/out"), 0);
}

// Descriptors stay open with their offsets. The current directory and the pid stay the same.
static void exec_keeps_files(void)
{
    char *argv[] = {"usertests", "-x", "copy", NULL};
    int fd = MAKE("f");
    EXPECT(fd, 3);
    EXPECT(write(fd, "0123456789", 10), 10);
    EXPECT(lseek(fd, 4, SEEK_SET), 4);
    EXPECT(run_program(SELF, argv, "out"), 0);
    EXPECT(lseek(fd, 0, SEEK_CUR), 10);
    close(fd);
    fd = open("out", O_RDONLY);
    EXPECT(read(fd, buffer, 100), 6);
    EXPECT(memcmp(buffer, "456789", 6), 0);
}

// The new program sees nothing of the old one's memory.
static void exec_fresh_memory(void)
{
    char *argv[] = {"usertests", "-x", "fresh", NULL};
    initialised = 1;
    memset(initialised_pages, 'y', sizeof(initialised_pages));
    memset(zeroed, 0xff, sizeof(zeroed));
    char *heap = sbrk(64 * PAGE);
    memset(heap, 0xff, 64 * PAGE);
    EXPECT(run_program(SELF, argv, "out"), 0);
}

// If exec() fails, the old program continues unchanged.
static void exec_failure_keeps(void)
{
    char *argv[] = {"x", NULL};
    char *heap = sbrk(2 * PAGE);
    fill_pattern(heap, 2 * PAGE, 5);
    int fd = MAKE("f");
    int me = getpid();
    for (int i = 0; i < 20; i++) {
        EXPECT_ERROR(exec("missing", argv), ENOENT);
        EXPECT_ERROR(exec("f", argv), ENOEXEC);
    }
    CHECK(has_pattern(heap, 2 * PAGE, 5));
    EXPECT(getpid(), me);
    EXPECT(write(fd, "x", 1), 1);
}

static void copy_file(const char *from, const char *to)
{
    int n, in = open(from, O_RDONLY), out = MAKE(to);
    CHECK(in >= 0);
    while ((n = read(in, buffer, 2 * PAGE)) > 0)
        EXPECT(write(out, buffer, n), n);
    EXPECT(n, 0);
    close(in);
    close(out);
}

// Starts ./prog, which waits. Then `change` changes its file. The running code must stay the same.
static void run_while(void (*change)(void))
{
    char *argv[] = {"prog", "-x", "sum", NULL};
    int go[2], ready[2];
    copy_file(SELF, "prog");
    EXPECT(pipe(go), 0);
    EXPECT(pipe(ready), 0);
    int pid = START();
    if (pid == 0) {
        // The descriptors that mode_sum() expects: 1 is its output, 3 says go, 4 says ready.
        close(1);
        EXPECT(open("out", O_CREATE | O_TRUNC | O_WRONLY), 1);
        EXPECT(go[0], 3);
        close(go[1]);
        EXPECT(dup(ready[1]), 4);
        close(ready[0]);
        close(ready[1]);
        exec("prog", argv);
        exit(127);
    }
    close(ready[1]);
    EXPECT(read(ready[0], buffer, 1), 1);
    change();
    EXPECT(write(go[1], "x", 1), 1);
    JOIN(pid, 0);
    int fd = open("out", O_RDONLY);
    int n = read(fd, buffer, 20);
    CHECK(n > 0);
    buffer[n] = 0;
    EXPECT(strtoul(buffer, NULL, 10), sum_text());
    for (int i = 3; i < NOFILE; i++)
        close(i);
}

static void overwrite_program(void)
{
    int fd = open("prog", O_WRONLY);
    uint64_t size = stat_of("prog").size;
    memset(buffer, 0xee, PAGE);
    for (uint64_t at = 0; at < size; at += PAGE)
        EXPECT(write(fd, buffer, PAGE), PAGE);
    close(fd);
}

static void truncate_program(void)
{
    close(MAKE("prog"));
    put_file("other", 20 * PAGE, 3);
}

static void remove_program(void)
{
    EXPECT(unlink("prog"), 0);
    put_file("other", 20 * PAGE, 3);
}

static void exec_overwrite(void)
{
    run_while(overwrite_program);
    run_while(truncate_program);
    run_while(remove_program);
}

// Running a program does not change its file, although its data pages come from there.
static void exec_file_unchanged(void)
{
    char *argv[] = {"prog", "-x", "fresh", NULL};
    static char other[4096];
    copy_file(SELF, "prog");
    EXPECT(run_program("prog", argv, "out"), 0);
    EXPECT(run_program("prog", argv, "out"), 0);
    int a = open("prog", O_RDONLY), b = open(SELF, O_RDONLY), n;
    while ((n = read(a, buffer, PAGE)) > 0) {
        EXPECT(read(b, other, PAGE), n);
        EXPECT(memcmp(buffer, other, n), 0);
    }
    EXPECT(read(b, other, 1), 0);
}

// Several processes run one program at the same time. Each has its own data.
static void exec_many(void)
{
    char *argv[] = {"usertests", "-x", "fresh", NULL};
    for (int i = 0; i < 12; i++) {
        if (START() == 0) {
            exec(SELF, argv);
            exit(127);
        }
    }
    JOIN_ALL(12);
}

const struct test exec_tests[] = {
    {"exec-arguments", exec_arguments, false}, {"exec-argv0", exec_argv0, false},
    {"exec-argc", exec_argument_count, false}, {"exec-arg-size", exec_argument_size, false},
    {"exec-paths", exec_paths, false},         {"exec-files", exec_keeps_files, false},
    {"exec-fresh", exec_fresh_memory, false},  {"exec-failure", exec_failure_keeps, false},
    {"exec-overwrite", exec_overwrite, false}, {"exec-unchanged", exec_file_unchanged, false},
    {"exec-many", exec_many, false},           {0},
};
