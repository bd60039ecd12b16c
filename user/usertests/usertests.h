// Shared by the files of usertests: the tables of tests, the ways a test can end, and small
// helpers.
//
// A test is a function. It runs in a child process, in an empty directory (TEST_DIR), and returns
// if all is well. The runner removes the files that it leaves there. The first failed check ends
// the process and prints one line: where it is, what was expected and what was seen. A test may
// fork. Its children fail in the same way; the test sees it in their exit status.

#ifndef RINGFENCE_USERTESTS_H
#define RINGFENCE_USERTESTS_H

#include "user/lib/user.h"

#define PAGE 4096l
#define MIB (1024l * 1024)
#define MS 1000000ul // nanoseconds
#define TEST_DIR "/usertests.dir"
#define SELF "/usertests"

// The kernel's memory; no user access may succeed here.
#define KERNEL_ADDRESS 0xffffffc080200000ul
#define USER_ADDRESS_END 0x4000000000ul
#define HEAP_LIMIT (1l << 30) // bytes; an eager sbrk() of this size fails

struct test {
    const char *name;
    void (*run)(void);
    bool slow; // -q skips it
};

// Each file has one table. An entry without a name ends it.
extern const struct test process_tests[], kill_tests[], pipe_tests[], exec_tests[], elf_tests[],
    heap_tests[], lazy_tests[], pointer_tests[], fault_tests[], file_tests[], truncate_tests[],
    offset_tests[], link_tests[], directory_tests[], path_tests[], share_tests[], space_tests[],
    device_tests[], display_tests[], time_tests[], trap_tests[];

// ---- how a process of a test ends (check.c) ----

#define STATUS_FAILED 1   // the process has printed why
#define STATUS_SKIPPED 77 // the process has printed why

void fail_at(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void skip(const char *reason) __attribute__((noreturn)); // call it only in the test's first process
void expect_at(const char *file, int line, const char *what, long seen, long expected);
void expect_error_at(const char *file, int line, const char *what, long seen, int error);

#define FAIL(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            FAIL("expected %s, but it is false", #condition);                                      \
    } while (0)
// Checks that the call returns exactly this number.
#define EXPECT(call, expected) expect_at(__FILE__, __LINE__, #call, (long)(call), (long)(expected))
// Checks that the call returns -1 and sets errno to `error`; 0 means any error.
#define EXPECT_ERROR(call, error) expect_error_at(__FILE__, __LINE__, #call, (long)(call), error)

// ---- processes ----

int start_at(const char *file, int line); // fork(); ends the test if it fails
void join_at(const char *file, int line, int pid, int status);
void join_all_at(const char *file, int line, int count);

#define START() start_at(__FILE__, __LINE__)
// Waits for a child, and checks that it is this one and has this exit status.
#define JOIN(pid, status) join_at(__FILE__, __LINE__, pid, status)
// Waits for `count` children, and checks that each has exit status 0 and that no other child is
// left.
#define JOIN_ALL(count) join_all_at(__FILE__, __LINE__, count)

// Runs a program, with its standard output going to the file `output`. Returns its exit status.
int run_program(const char *path, char **argv, const char *output);

// ---- files ----

// For reads and writes, a little more than 3 pages. The helpers below overwrite it.
#define BUFFER_SIZE (3 * 4096 + 64)
extern char buffer[BUFFER_SIZE];

void fill_pattern(char *dst, long n, unsigned seed); // the bytes depend on their place and the seed
bool has_pattern(const char *src, long n, unsigned seed);

// Makes a file, or empties an existing one, and opens it for reading and writing.
int make_at(const char *file, int line, const char *path);
#define MAKE(path) make_at(__FILE__, __LINE__, path)
// Makes a file of n bytes with pattern `seed`; it replaces an existing file.
void put_file(const char *path, long n, unsigned seed);
// Checks that a file has n bytes with pattern `seed`.
void expect_file_at(const char *file, int line, const char *path, long n, unsigned seed);
#define EXPECT_FILE(path, n, seed) expect_file_at(__FILE__, __LINE__, path, n, seed)

bool exists(const char *path);
struct stat stat_of(const char *path); // ends the test if stat() fails
int count_entries(const char *path);   // in a directory, without "." and ".."

struct kstat kernel_state(void);
uint64_t free_bytes(void); // free memory

// Removes everything in a directory. Returns 0 or -1. Unless path is ".", the current directory is
// "/" afterwards.
int remove_contents(const char *path);

// Runs `usertests -x MODE ...`, the programs that tests start with exec() (exec.c).
int exec_mode(int argc, char **argv);

#endif
