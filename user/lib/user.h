// The C library of user programs: system calls, strings, formatted output, memory. A program
// includes this file and defines main(); what main returns is its exit status.
//
// System calls 1 to 21 have xv6's prototypes. Every call returns -1 on failure and leaves the
// reason in errno, one of the E numbers of kernel/abi.h; after a success errno is 0.

#ifndef RINGFENCE_USER_H
#define RINGFENCE_USER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "user/lib/random.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

// ---- system calls (syscall.S) ----

extern int errno;

int fork(void); // the child's pid; 0 in the child
void exit(int status) __attribute__((noreturn));
int wait(int *status); // a child's pid; status may be NULL; -1 from a child that the kernel ended
int pipe(int fds[2]);  // fds[0] reads what fds[1] writes
int write(int fd, const void *data, int n);
int read(int fd, void *buffer, int n); // 0 at the end of the file
int close(int fd);
int kill(int pid);
int exec(const char *path, char **argv); // returns only if it failed
int open(const char *path, int flags);   // O_ flags
int mknod(const char *path, short major, short minor);
int unlink(const char *path);
int fstat(int fd, struct stat *st);
int link(const char *old_path, const char *new_path);
int mkdir(const char *path);
int chdir(const char *path);
int dup(int fd);
int getpid(void);
char *sbrk(int n);      // moves the end of the heap; its old place, (char *)-1 on failure
char *sbrk_lazy(int n); // the same; pages are found when first touched
int pause(int ticks);   // sleeps; a tick is TICK_MS milliseconds
int sleep(int ticks);   // pause() under its older name
int uptime(void);       // ticks since boot

int ioctl(int fd, unsigned request, void *argument);
void *mmap(size_t length, int fd, uint64_t offset); // devices only; (void *)-1 on failure
int munmap(void *address, size_t length);
int64_t lseek(int fd, int64_t offset, int whence); // the new offset
int fsync(int fd);
int nanosleep(uint64_t ns);
uint64_t clock_gettime(void); // nanoseconds since boot
int reboot(int how);          // REBOOT_POWEROFF, REBOOT_RESTART

// Any call by its number: for tests that pass what the prototypes above would not let through.
long syscall(long number, ...);

// The machine's `time` register, without a system call.
static inline uint64_t read_time(void)
{
    uint64_t ticks;
    asm volatile("rdtime %0" : "=r"(ticks));
    return ticks;
}

// ---- memory and strings (memory.c, string.c) ----

void *memset(void *dst, int c, size_t n);
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strcpy(char *dst, const char *src);
char *strchr(const char *s, int c);  // NULL if it is not there; c may be 0
char *strrchr(const char *s, int c); // the last one
int atoi(const char *s);
// Base 8, 10 or 16; base 0 takes it from the prefix (0x, 0). Sets *end, if given, behind the last
// digit.
unsigned long strtoul(const char *s, char **end, int base);
// A whole string as a decimal or 0x number; false if it is anything else or too large.
bool parse_number(const char *s, uint64_t *value);

// ---- formatted output (printf.c) ----
//
// %d %i %u %x %X %p %s %c %%, the lengths h hh l ll z, a width (or *), flags 0 and -, a precision
// for %s.

void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fprintf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vfprintf(int fd, const char *format, va_list ap);
// Always ends dst with a zero if size is not 0; returns the length the whole text has.
int snprintf(char *dst, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *dst, size_t size, const char *format, va_list ap);

// ---- errors (error.c) ----

extern const char *program_name; // the last part of argv[0]
const char *strerror(int error); // "no such file or directory"
void perror(const char *what);   // on fd 2: "PROGRAM: WHAT: reason", from errno
void die(const char *what) __attribute__((noreturn));   // perror() and exit(1)
void usage(const char *text) __attribute__((noreturn)); // "usage: TEXT" and exit(2)

// ---- files (file.c) ----

int stat(const char *path, struct stat *st);
// Reads a line with its newline, byte by byte so that nothing behind it is lost; empty at the end
// of input.
char *gets(char *buffer, int max);
// Writes all n bytes, in as many calls as it takes; 0 or -1.
int write_all(int fd, const void *data, size_t n);
// The next entry in use of an open directory: 1, 0 at its end, -1. The name gets its zero.
int read_entry(int fd, char name[15], unsigned *inode);
// Joins a directory and a name into dst; -1 with ENAMETOOLONG if size does not hold it.
int join_path(char *dst, size_t size, const char *directory, const char *name);

// ---- memory from the heap (malloc.c) ----
//
// Aligned to 16 bytes. NULL when there is no more (or for a size of 0).

void *malloc(size_t size);
void free(void *p);
void *calloc(size_t count, size_t size);
void *realloc(void *p, size_t size);

// ---- others (random.h, sort.c) ----

// Sorts count elements of `size` bytes, at most 64, in place; equal ones may change places.
void sort(void *base, size_t count, size_t size, int (*compare)(const void *a, const void *b));

#endif
