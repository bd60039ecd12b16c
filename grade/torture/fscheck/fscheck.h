// Shared by fscheck's tests: the disk image, system calls as functions, random operations.

#ifndef FSCHECK_H
#define FSCHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/fs/file.h"
#include "kernel/fs/fs.h"
#include "kernel/fs/sysfile.h"
#include "shim.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            panic("%s:%d: not true: %s", __FILE__, __LINE__, #condition);                          \
    } while (0)

#define EXPECT(expression, expected)                                                               \
    do {                                                                                           \
        long seen_ = (expression), wanted_ = (expected);                                           \
        if (seen_ != wanted_)                                                                      \
            panic("%s:%d: %s is %ld, not %ld", __FILE__, __LINE__, #expression, seen_, wanted_);   \
    } while (0)

// ---- system calls ----

#define CALL(function, ...) function((const uint64_t[6]){__VA_ARGS__})
#define ADDRESS(pointer) ((uint64_t)(uintptr_t)(pointer))

static inline long k_open(const char *path, int flags)
{
    return CALL(sys_open, ADDRESS(path), flags);
}
static inline long k_close(long fd)
{
    return CALL(sys_close, fd);
}
static inline long k_read(long fd, void *to, int n)
{
    return CALL(sys_read, fd, ADDRESS(to), n);
}
static inline long k_write(long fd, const void *from, int n)
{
    return CALL(sys_write, fd, ADDRESS(from), n);
}
static inline long k_seek(long fd, long to)
{
    return CALL(sys_lseek, fd, to, SEEK_SET);
}
static inline long k_fsync(long fd)
{
    return CALL(sys_fsync, fd);
}
static inline long k_fstat(long fd, struct stat *stat)
{
    return CALL(sys_fstat, fd, ADDRESS(stat));
}
static inline long k_unlink(const char *path)
{
    return CALL(sys_unlink, ADDRESS(path));
}
static inline long k_mkdir(const char *path)
{
    return CALL(sys_mkdir, ADDRESS(path));
}
static inline long k_chdir(const char *path)
{
    return CALL(sys_chdir, ADDRESS(path));
}
static inline long k_link(const char *from, const char *to)
{
    return CALL(sys_link, ADDRESS(from), ADDRESS(to));
}

// ---- main.c ----

extern char *image; // the disk's contents, shared between processes
extern uint64_t image_bytes;

extern __thread unsigned seed; // for this thread's random numbers
unsigned random_below(unsigned n);

void mount_image(void);
// Runs a function in a separate process, where the file system's variables are fresh. True if it
// returned.
bool in_child(void (*function)(void *), void *argument);
// Panics if fsck finds anything wrong with the image. If blocks_may_be_lost, unused blocks that are
// marked in use do not count.
extern bool blocks_may_be_lost;
void check_image(const char *when);
// Writes everything to its place on the disk, then checks the image.
void shut_down(const char *when);
char *copy_image(void);

// ---- workload.c ----

extern int workload_max_write;      // bytes of one write
extern unsigned workload_sync_rate; // the larger, the less often

void workload_start(void);
// Makes one random system call. True if everything so far is durable now.
bool workload_step(void);
uint64_t tree_hash(void); // names, types, link counts and contents of everything below "/"

// ---- the tests; each returns whether it passed ----

bool test_crash(unsigned first_seed, unsigned count);
bool test_stale(unsigned first_seed, unsigned count);
bool test_model(unsigned first_seed, unsigned count);
bool test_stress(unsigned first_seed, unsigned count);
bool test_full(unsigned first_seed, unsigned count);
bool test_share(unsigned first_seed, unsigned count);
bool test_errors(unsigned first_seed, unsigned count);
bool test_corrupt(unsigned first_seed, unsigned count);

// model.c: random operations inside a directory, each compared with a simple model.
void model_start(const char *directory);
void model_step(void);
void model_finish(void); // compares and removes everything

#endif
