// Memory and string functions. The compiler calls the first four by itself.

#include "kernel/lib.h"

// A word that may lie over objects of any type.
typedef uint64_t __attribute__((may_alias)) word_t;

void *memset(void *dst, int c, size_t n)
{
    uint8_t *d = dst;
    uint64_t pattern = (uint8_t)c * 0x0101010101010101ul;
    for (; n > 0 && (uint64_t)d % 8; n--)
        *d++ = c;
    for (; n >= 32; n -= 32, d += 32) {
        word_t *w = (word_t *)d;
        w[0] = pattern;
        w[1] = pattern;
        w[2] = pattern;
        w[3] = pattern;
    }
    for (; n > 0; n--)
        *d++ = c;
    return dst;
}

void *memcpy(void *dst, const void *src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;
    if (((uint64_t)d ^ (uint64_t)s) % 8 == 0) {
        for (; n > 0 && (uint64_t)d % 8; n--)
            *d++ = *s++;
        for (; n >= 64; n -= 64, d += 64, s += 64) {
            word_t *to = (word_t *)d;
            const word_t *from = (const word_t *)s;
            uint64_t a = from[0], b = from[1], c = from[2], e = from[3];
            uint64_t f = from[4], g = from[5], h = from[6], i = from[7];
            to[0] = a, to[1] = b, to[2] = c, to[3] = e;
            to[4] = f, to[5] = g, to[6] = h, to[7] = i;
        }
        for (; n >= 8; n -= 8, d += 8, s += 8)
            *(word_t *)d = *(const word_t *)s;
    }
    for (; n > 0; n--)
        *d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;
    if (d <= s || d >= s + n)
        return memcpy(dst, src, n);
    while (n-- > 0)
        d[n] = s[n];
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;
    for (size_t i = 0; i < n; i++)
        if (p[i] != q[i])
            return p[i] - q[i];
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i])
            return (uint8_t)a[i] - (uint8_t)b[i];
        if (!a[i])
            break;
    }
    return 0;
}

void copy_string(char *dst, const char *src, size_t size)
{
    size_t i = 0;
    for (; i + 1 < size && src[i]; i++)
        dst[i] = src[i];
    dst[i] = 0;
}
