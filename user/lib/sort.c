// Heap sort: it needs no recursion and no extra memory, and has no slow worst case.

#include "user/lib/user.h"

static void swap(char *a, char *b, size_t size)
{
    char spare[64];
    memcpy(spare, a, size);
    memcpy(a, b, size);
    memcpy(b, spare, size);
}

// Moves the element at `root` down until neither of its children is larger.
static void sift_down(char *base, size_t root, size_t count, size_t size,
                      int (*compare)(const void *a, const void *b))
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count)
            return;
        if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (compare(base + root * size, base + child * size) >= 0)
            return;
        swap(base + root * size, base + child * size, size);
        root = child;
    }
}

void sort(void *base, size_t count, size_t size, int (*compare)(const void *a, const void *b))
{
    for (size_t root = count / 2; root-- > 0;)
        sift_down(base, root, count, size, compare);
    for (size_t end = count; end-- > 1;) {
        swap(base, (char *)base + end * size, size);
        sift_down(base, 0, end, size, compare);
    }
}
