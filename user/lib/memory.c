// Copying, filling and comparing memory. Where the alignment allows it, eight bytes at a time.

#include "user/lib/user.h"

// may_alias: these functions access objects of any type as words.
typedef uint64_t __attribute__((may_alias)) word64;
typedef uint32_t __attribute__((may_alias)) word32;

void *memset(void *dst, int c, size_t n)
{
    unsigned char *p = dst;
    while (n > 0 && ((uintptr_t)p & 7) != 0) {
        *p++ = c;
        n--;
    }
    uint64_t pattern = (unsigned char)c * 0x0101010101010101ull;
    word64 *word = (word64 *)p;
    for (; n >= 32; n -= 32, word += 4) {
        word[0] = pattern;
        word[1] = pattern;
        word[2] = pattern;
        word[3] = pattern;
    }
    for (; n >= 8; n -= 8)
        *word++ = pattern;
    p = (unsigned char *)word;
    while (n-- > 0)
        *p++ = c;
    return dst;
}

void *memcpy(void *dst, const void *src, size_t n)
{
    unsigned char *d = dst;
    const unsigned char *s = src;
    uintptr_t difference = (uintptr_t)d ^ (uintptr_t)s;
    if ((difference & 3) == 0) {
        size_t mask = (difference & 7) == 0 ? 7 : 3;
        while (n > 0 && ((uintptr_t)d & mask) != 0) {
            *d++ = *s++;
            n--;
        }
        if (mask == 7) {
            for (; n >= 32; n -= 32, d += 32, s += 32) {
                uint64_t a = ((const word64 *)s)[0], b = ((const word64 *)s)[1];
                uint64_t c = ((const word64 *)s)[2], e = ((const word64 *)s)[3];
                ((word64 *)d)[0] = a;
                ((word64 *)d)[1] = b;
                ((word64 *)d)[2] = c;
                ((word64 *)d)[3] = e;
            }
            for (; n >= 8; n -= 8, d += 8, s += 8)
                *(word64 *)d = *(const word64 *)s;
        }
        for (; n >= 4; n -= 4, d += 4, s += 4)
            *(word32 *)d = *(const word32 *)s;
    }
    while (n-- > 0)
        *d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    unsigned char *d = dst;
    const unsigned char *s = src;
    // memcpy() goes upwards and reads each piece before it writes it, so it does no harm when dst
    // is below src.
    if (d <= s || d >= s + n)
        return memcpy(dst, src, n);
    d += n;
    s += n;
    if ((((uintptr_t)d ^ (uintptr_t)s) & 7) == 0) {
        for (; n > 0 && ((uintptr_t)d & 7) != 0; n--)
            *--d = *--s;
        for (; n >= 8; n -= 8) {
            d -= 8;
            s -= 8;
            *(word64 *)d = *(const word64 *)s;
        }
    }
    while (n-- > 0)
        *--d = *--s;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;
    if ((((uintptr_t)p | (uintptr_t)q) & 7) == 0) {
        for (; n >= 8 && *(const word64 *)p == *(const word64 *)q; n -= 8) {
            p += 8;
            q += 8;
        }
    }
    for (; n > 0; n--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}
