// The C library of user programs: system calls, strings, formatted output, memory. A program
// includes this file and defines main(), which returns the exit status.
//
// System calls 1 to 21 have xv6's prototypes. If a call fails, it returns -1 and sets errno to one
// of the E numbers of kernel/abi.h. If it succeeds, errno is 0.

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

int fork(void); // returns the child's pid, and 0 in the child
void exit(int status) __attribute__((noreturn));
int wait(int *status); // returns a child's pid; *status is -1 if the kernel ended the child
int pipe(int fds[2]);  // fds[0] reads what fds[1] writes
int write(int fd, const void *data, int n);
int read(int fd, void *buffer, int n); // returns 0 at the end of the file
int close(int fd);
int kill(int pid);
int exec(const char *path, char **argv); // returns only if it fails
int open(const char *path, int flags);   // O_ flags
int mknod(const char *path, short major, short minor);
int unlink(const char *path);
int fstat(int fd, struct stat *st);
int link(const char *old_path, const char *new_path);
int mkdir(const char *path);
int chdir(const char *path);
int dup(int fd);
int getpid(void);
char *sbrk(int n);      // moves the end of the heap by n bytes; returns the old end, or (char *)-1
char *sbrk_lazy(int n); // the same, but the kernel allocates each page at its first use
int pause(int ticks);   // sleeps; a tick is TICK_MS milliseconds
int sleep(int ticks);   // the older name of pause()
int uptime(void);       // ticks since boot

int ioctl(int fd, unsigned request, void *argument);
void *mmap(size_t length, int fd, uint64_t offset); // devices only; (void *)-1 on failure
int munmap(void *address, size_t length);
int64_t lseek(int fd, int64_t offset, int whence); // returns the new offset
int fsync(int fd);
int nanosleep(uint64_t ns);
uint64_t clock_gettime(void); // nanoseconds since boot
int reboot(int how);          // REBOOT_POWEROFF, REBOOT_RESTART

// Makes a system call by its number: for tests that pass arguments of other types.
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
char *strchr(const char *s, int c);  // finds the first c; NULL if there is none; c may be 0
char *strrchr(const char *s, int c); // finds the last c
int atoi(const char *s);
// The base is 8, 10 or 16; 0 means that the prefix (0x or 0) decides. Sets *end to the first
// character after the number, unless end is NULL.
unsigned long strtoul(const char *s, char **end, int base);
// Parses a string that is only a decimal or 0x number; false for other text or too large a number.
bool parse_number(const char *s, uint64_t *value);

// ---- formatted output (printf.c) ----
//
// These know %d %i %u %x %X %p %s %c %%, the lengths h hh l ll z, a width (or *), the flags 0 - +,
// and a precision for %s.

void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fprintf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vfprintf(int fd, const char *format, va_list ap);
// Writes at most `size` bytes; the last one is a zero. Returns the length of the whole text, which
// may be larger.
int snprintf(char *dst, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *dst, size_t size, const char *format, va_list ap);

// ---- errors (error.c) ----

extern const char *program_name; // the last part of argv[0]
const char *strerror(int error); // such as "no such file or directory"
void perror(const char *what);   // prints "PROGRAM: WHAT: reason" on fd 2; errno is the reason
void die(const char *what) __attribute__((noreturn));   // perror() and exit(1)
void usage(const char *text) __attribute__((noreturn)); // prints "usage: TEXT" and calls exit(2)

// ---- files (file.c) ----

int stat(const char *path, struct stat *st);
// Reads a line from fd 0, with its newline. It reads byte by byte, so the bytes after the line stay
// in the input. The line is empty at the end of the input.
char *gets(char *buffer, int max);
// Writes all n bytes, in as many calls as it takes. Returns 0 or -1.
int write_all(int fd, const void *data, size_t n);
// Reads the next used entry of an open directory. Returns 1, 0 at the end, or -1. The name always
// ends with a zero.
int read_entry(int fd, char name[15], unsigned *inode);
// Joins a directory and a name to a path in dst. Returns 0, or -1 with ENAMETOOLONG if the path and
// its zero need more than `size` bytes.
int join_path(char *dst, size_t size, const char *directory, const char *name);

// ---- memory from the heap (malloc.c) ----
//
// The memory is aligned to 16 bytes. NULL means that there is no memory left, or that size is 0.

void *malloc(size_t size);
void free(void *p);
void *calloc(size_t count, size_t size);
void *realloc(void *p, size_t size);

// ---- others (random.h, sort.c) ----

// Sorts `count` elements of `size` bytes in place; size is at most 64. Equal elements may change
// their order.
void sort(void *base, size_t count, size_t size, int (*compare)(const void *a, const void *b));

#endif
