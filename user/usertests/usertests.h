// What the test files of usertests share: the table of tests, the ways a test ends, and small
// helpers.
//
// A test is a function that runs in a child process, in an empty directory of its own (TEST_DIR),
// and returns if all is well. What it leaves behind there is removed for it. The first thing that
// is not as expected ends the process with one line that says where, what was expected and what was
// seen. A test may fork; its children fail in the same way, and the test learns it from their exit
// status.

#ifndef RINGFENCE_USERTESTS_H
#define RINGFENCE_USERTESTS_H

#include "user/lib/user.h"

#define PAGE 4096l
#define MIB (1024l * 1024)
#define MS 1000000ul // nanoseconds
#define TEST_DIR "/usertests.dir"
#define SELF "/usertests"

// Where the kernel lives; no user access may succeed there.
#define KERNEL_ADDRESS 0xffffffc080200000ul
#define USER_ADDRESS_END 0x4000000000ul
#define HEAP_LIMIT (1l << 30) // more than one eager sbrk() gives

struct test {
    const char *name;
    void (*run)(void);
    bool slow; // left out by -q
};

// One table a file, ended by an entry without a name.
extern const struct test process_tests[], kill_tests[], pipe_tests[], exec_tests[], elf_tests[],
    heap_tests[], lazy_tests[], pointer_tests[], fault_tests[], file_tests[], truncate_tests[],
    offset_tests[], link_tests[], directory_tests[], path_tests[], share_tests[], space_tests[],
    device_tests[], display_tests[], time_tests[], trap_tests[];

// ---- how a process of a test ends (check.c) ----

#define STATUS_FAILED 1   // it has printed why
#define STATUS_SKIPPED 77 // it has printed why

void fail_at(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void skip(const char *reason) __attribute__((noreturn)); // only in the test's first process
void expect_at(const char *file, int line, const char *what, long seen, long expected);
void expect_error_at(const char *file, int line, const char *what, long seen, int error);

#define FAIL(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            FAIL("expected %s, which was not so", #condition);                                     \
    } while (0)
// The call gives exactly this number.
#define EXPECT(call, expected) expect_at(__FILE__, __LINE__, #call, (long)(call), (long)(expected))
// The call gives -1 and leaves this reason in errno; 0 as the reason means any.
#define EXPECT_ERROR(call, error) expect_error_at(__FILE__, __LINE__, #call, (long)(call), error)

// ---- processes ----

int start_at(const char *file, int line); // fork() that must not fail
void join_at(const char *file, int line, int pid, int status);
void join_all_at(const char *file, int line, int count);

#define START() start_at(__FILE__, __LINE__)
// The next child to end is this one, with this exit status.
#define JOIN(pid, status) join_at(__FILE__, __LINE__, pid, status)
// This many children end, each with exit status 0, and then there are no more.
#define JOIN_ALL(count) join_all_at(__FILE__, __LINE__, count)

// Runs a program with standard output going to the file `output`; its exit status.
int run_program(const char *path, char **argv, const char *output);

// ---- files ----

// 3 pages and a bit, for reads and writes; nothing of it is kept from one helper call to the next.
#define BUFFER_SIZE (3 * 4096 + 64)
extern char buffer[BUFFER_SIZE];

void fill_pattern(char *dst, long n, unsigned seed); // bytes that differ by place and seed
bool has_pattern(const char *src, long n, unsigned seed);

int make_at(const char *file, int line, const char *path); // opens a new, empty file for both
#define MAKE(path) make_at(__FILE__, __LINE__, path)
// Makes a file of n bytes of pattern `seed`, whatever was there before; and checks that it is one.
void put_file(const char *path, long n, unsigned seed);
void expect_file_at(const char *file, int line, const char *path, long n, unsigned seed);
#define EXPECT_FILE(path, n, seed) expect_file_at(__FILE__, __LINE__, path, n, seed)

bool exists(const char *path);
struct stat stat_of(const char *path); // fails the test if there is none
int count_entries(const char *path);   // of a directory, "." and ".." left out

struct kstat kernel_state(void);
uint64_t free_bytes(void); // of memory

// Empties a directory, whatever it holds; 0 or -1. The current directory is "/" afterwards.
int remove_contents(const char *path);

// `usertests -x MODE ...`: what tests have exec() start (exec.c).
int exec_mode(int argc, char **argv);

#endif
