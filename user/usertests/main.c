// usertests: tests every system call from user space.
//
//   usertests            runs all tests
//   usertests -q         skips the slow ones
//   usertests NAME...    runs the named tests
//   usertests -l         lists the tests
//
// Each test runs in a child process, in an empty directory. After the test, the kernel must have as
// much free memory, as many processes, open files and inodes, and as much disk space as before. If
// not, something has leaked. The exit status is 0 if every test passed.

#include "user/usertests/usertests.h"

static const struct test *const tables[] = {
    process_tests, kill_tests,      pipe_tests,  exec_tests,  elf_tests,      heap_tests,
    lazy_tests,    pointer_tests,   fault_tests, file_tests,  truncate_tests, offset_tests,
    link_tests,    directory_tests, path_tests,  share_tests, device_tests,   display_tests,
    time_tests,    trap_tests,      space_tests,
};

// A test that takes longer counts as hanging. On an idle host, the slowest test of each kind needs
// a tenth of this time.
#define QUICK_LIMIT (100 * 1000 * MS)
#define SLOW_LIMIT (300 * 1000 * MS)

// The time that the kernel has to clean up after a test: orphans end, and the log writes its
// blocks.
#define SETTLE_LIMIT (3 * 1000 * MS)

enum verdict { PASSED, FAILED, SKIPPED };

// Describes in `text` what has leaked; false if nothing has.
static bool find_leak(const struct kstat *before, const struct kstat *after, char *text, int size)
{
    const struct {
        const char *name;
        uint64_t before, after;
    } counts[] = {
        {"processes in use", before->processes, after->processes},
        {"open files", before->open_files, after->open_files},
        {"inodes in memory", before->inodes, after->inodes},
        // Free pages, blocks and inodes are counted down, so that every leak is a growth.
        {"pages used", before->memory_pages - before->free_pages,
         after->memory_pages - after->free_pages},
        {"disk blocks (fewer free)", -before->fs_free_blocks, -after->fs_free_blocks},
        {"disk inodes (fewer free)", -before->fs_free_inodes, -after->fs_free_inodes},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
        int64_t growth = counts[i].after - counts[i].before;
        if (growth > 0) {
            snprintf(text, size, "%ld %s more than before the test", growth, counts[i].name);
            return true;
        }
    }
    return false;
}

// Waits until nothing is missing, at most SETTLE_LIMIT. Returns whether something leaked.
static bool leaked(const struct kstat *before, char *text, int size)
{
    uint64_t limit = clock_gettime() + SETTLE_LIMIT;
    for (;;) {
        struct kstat after = kernel_state();
        if (!find_leak(before, &after, text, size))
            return false;
        if (clock_gettime() > limit)
            return true;
        nanosleep(10 * MS);
    }
}

static uint64_t limit_of(const struct test *test)
{
    return test->slow ? SLOW_LIMIT : QUICK_LIMIT;
}

// Starts a process that ends when the time is up.
static int start_watchdog(uint64_t limit)
{
    int pid = fork();
    if (pid == 0) {
        nanosleep(limit);
        exit(0);
    }
    return pid;
}

// Runs the test in a child and returns its exit status. If the time is up, it kills the child and
// sets *in_time to false.
static int run_child(const struct test *test, bool *in_time)
{
    int watchdog = start_watchdog(limit_of(test));
    int child = fork();
    if (watchdog < 0 || child < 0)
        die("fork");
    if (child == 0) {
        if (chdir(TEST_DIR) < 0)
            die(TEST_DIR);
        test->run();
        exit(0);
    }
    int status = 0, first;
    first = wait(&status);
    *in_time = first == child;
    kill(*in_time ? watchdog : child);
    wait(NULL);
    return status;
}

static enum verdict run_test(const struct test *test)
{
    printf("test %s: ", test->name);
    struct kstat before = kernel_state();
    if (mkdir(TEST_DIR) < 0) {
        printf("FAILED: cannot make " TEST_DIR ": %s\n", strerror(errno));
        return FAILED;
    }
    bool in_time;
    int status = run_child(test, &in_time);

    bool removed = remove_contents(TEST_DIR) == 0 && unlink(TEST_DIR) == 0;
    char leak[80];
    bool leaks = leaked(&before, leak, sizeof(leak));

    if (in_time && status == STATUS_SKIPPED)
        return SKIPPED;
    if (!in_time)
        printf("FAILED: not done within %lu s\n", limit_of(test) / (1000 * MS));
    else if (status != 0 && status != STATUS_FAILED)
        printf("FAILED: the test's process ended with status %d\n", status);
    else if (status == 0 && !removed)
        printf("FAILED: the files that it left in " TEST_DIR " could not be removed\n");
    else if (status == 0 && leaks)
        printf("FAILED: %s\n", leak);
    else if (status == 0) {
        printf("ok\n");
        return PASSED;
    }
    return FAILED;
}

// Returns whether to run the test. Without names, all tests are wanted.
static bool wanted(const struct test *test, bool quick, int count, char **names)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], test->name) == 0)
            return true;
    }
    return count == 0 && !(quick && test->slow);
}

static bool known(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
        for (const struct test *test = tables[i]; test->name; test++) {
            if (strcmp(test->name, name) == 0)
                return true;
        }
    }
    return false;
}

static void list_tests(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
        for (const struct test *test = tables[i]; test->name; test++)
            printf("%s%s\n", test->name, test->slow ? " (slow)" : "");
    }
}

// Runs the wanted tests and prints the last line. Returns the exit status.
static int run_tests(bool quick, int count, char **names)
{
    int failed = 0, skipped = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
        for (const struct test *test = tables[i]; test->name; test++) {
            if (!wanted(test, quick, count, names))
                continue;
            enum verdict verdict = run_test(test);
            failed += verdict == FAILED;
            skipped += verdict == SKIPPED;
        }
    }
    if (skipped > 0)
        printf("%d skipped\n", skipped);
    if (failed > 0)
        printf("%d TESTS FAILED\n", failed);
    else
        printf("ALL TESTS PASSED\n");
    return failed > 0;
}

int main(int argc, char **argv)
{
    bool quick = false;
    int first = 1;

    if (argc > 2 && strcmp(argv[1], "-x") == 0)
        return exec_mode(argc - 2, argv + 2);
    if (argc == 2 && strcmp(argv[1], "-l") == 0) {
        list_tests();
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "-q") == 0) {
        quick = true;
        first = 2;
    }
    for (int i = first; i < argc; i++) {
        if (argv[i][0] == '-')
            usage("usertests [-l | -q | NAME...]");
        if (!known(argv[i])) {
            printf("usertests: there is no test named %s (usertests -l lists them)\n", argv[i]);
            return 2;
        }
    }
    // The display gets its memory at the first open and keeps it. In a test, this would look like a
    // leak.
    close(open("/dev/fb0", O_RDWR));
    // An interrupted run may have left files. Also, after this name has once been in the root
    // directory, making it again does not let the directory grow.
    mkdir(TEST_DIR);
    if (remove_contents(TEST_DIR) < 0 || unlink(TEST_DIR) < 0)
        die(TEST_DIR);
    return run_tests(quick, argc - first, argv + first);
}
