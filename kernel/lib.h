// For every file of the kernel: memory and string functions, messages, panic, small macros.

#ifndef RINGFENCE_LIB_H
#define RINGFENCE_LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
// For powers of two.
#define ALIGN_UP(x, a) (((x) + (a)-1) & ~((typeof(x))(a)-1))
#define ALIGN_DOWN(x, a) ((x) & ~((typeof(x))(a)-1))

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void *memset(void *dst, int c, size_t n);
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
// Copies at most size - 1 bytes, and always adds a zero.
void copy_string(char *dst, const char *src, size_t size);

// Prints a message on the console. Messages of different harts do not mix. Call it anywhere, with
// any lock held. Supports %d %u %x %p %s %c %% and the lengths l, ll and z; ignores a width.
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

// The functions that you write in the labs call this at first. It prints once that `what`, as in
// "lab 1: virtq_add", is yours to write. Returns -ENOSYS.
int lab_todo(const char *what);

// Prints a message and stops every hart. Only for the kernel's own mistakes: a device or a program
// must never cause a panic.
void panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
