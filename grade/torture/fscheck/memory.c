// Pages from an arena, poisoned for the address sanitizer while they are free. "User memory" is
// this program's own memory; addresses below 4096 stand for invalid ones.

#include "shim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, bytes) ((void)(start))
#define ASAN_UNPOISON_MEMORY_REGION(start, bytes) ((void)(start))
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // guards everything below
static char *arena;
static uint64_t total_pages, free_pages;
static unsigned *refs;
static uint64_t *free_list;
static unsigned fail_one_in, turn;

void memory_init(uint64_t pages)
{
    total_pages = pages;
    arena =
        mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(arena, pages * PAGE_SIZE, MADV_HUGEPAGE); // fewer page faults for tests that fork often
    refs = calloc(pages, sizeof(*refs));
    free_list = calloc(pages, sizeof(*free_list));
    while (free_pages < pages) {
        free_list[free_pages] = pages - 1 - free_pages;
        free_pages++;
    }
    ASAN_POISON_MEMORY_REGION(arena, pages * PAGE_SIZE);
}

void memory_fail_one_in(unsigned n)
{
    fail_one_in = n;
}

static uint64_t index_of(void *page)
{
    uint64_t offset = (char *)page - arena;
    if (offset % PAGE_SIZE || offset / PAGE_SIZE >= total_pages)
        panic("page %p is not memory", page);
    return offset / PAGE_SIZE;
}

static void *take(uint64_t index)
{
    char *page = arena + index * PAGE_SIZE;
    refs[index] = 1;
    ASAN_UNPOISON_MEMORY_REGION(page, PAGE_SIZE);
    return memset(page, 0xa5, PAGE_SIZE);
}

void *page_alloc(void)
{
    void *page = NULL;
    pthread_mutex_lock(&lock);
    bool fail = fail_one_in && ++turn % fail_one_in == 0;
    if (free_pages && !fail)
        page = take(free_list[--free_pages]);
    pthread_mutex_unlock(&lock);
    return page;
}

void *page_alloc_zeroed(void)
{
    void *page = page_alloc();
    return page ? memset(page, 0, PAGE_SIZE) : NULL;
}

// Used only at mount, while the free list is still one descending stretch.
void *page_alloc_contiguous(uint64_t count)
{
    pthread_mutex_lock(&lock);
    uint64_t first = free_list[free_pages - 1];
    for (uint64_t i = 0; i < count; i++) {
        if (free_list[--free_pages] != first + i)
            panic("page_alloc_contiguous: the free list is no longer in order");
        take(first + i);
    }
    pthread_mutex_unlock(&lock);
    return arena + first * PAGE_SIZE;
}

void page_get(void *page)
{
    pthread_mutex_lock(&lock);
    refs[index_of(page)]++;
    pthread_mutex_unlock(&lock);
}

void page_put(void *page)
{
    pthread_mutex_lock(&lock);
    uint64_t index = index_of(page);
    if (refs[index] == 0)
        panic("page_put: page %p is free", page);
    if (--refs[index] == 0) {
        ASAN_POISON_MEMORY_REGION(page, PAGE_SIZE);
        free_list[free_pages++] = index;
    }
    pthread_mutex_unlock(&lock);
}

unsigned page_refs(void *page)
{
    pthread_mutex_lock(&lock);
    unsigned n = refs[index_of(page)];
    pthread_mutex_unlock(&lock);
    return n;
}

uint64_t page_total(void)
{
    return total_pages;
}

uint64_t page_free_count(void)
{
    return free_pages;
}

// ---- user memory ----

static bool bad(uint64_t address)
{
    return address < 4096;
}

int copy_to_user(uint64_t user_dst, const void *src, size_t n)
{
    if (bad(user_dst))
        return -EFAULT;
    memcpy((void *)user_dst, src, n);
    return 0;
}

int copy_from_user(void *dst, uint64_t user_src, size_t n)
{
    if (bad(user_src))
        return -EFAULT;
    memcpy(dst, (void *)user_src, n);
    return 0;
}

int zero_user(uint64_t user_dst, size_t n)
{
    if (bad(user_dst))
        return -EFAULT;
    memset((void *)user_dst, 0, n);
    return 0;
}

long copy_string_from_user(char *dst, uint64_t user_src, size_t size)
{
    if (bad(user_src))
        return -EFAULT;
    size_t n = strnlen((char *)user_src, size);
    if (n == size)
        return -ENAMETOOLONG;
    memcpy(dst, (char *)user_src, n + 1);
    return n;
}

int vm_unmap_device(struct address_space *space, uint64_t va, uint64_t length)
{
    (void)space, (void)va, (void)length;
    return -EINVAL;
}
