// The page allocator's interface, for the host.

#ifndef RINGFENCE_PAGE_H
#define RINGFENCE_PAGE_H

#include "kernel/lib.h"

#define PAGE_SIZE 4096ul

void *page_alloc(void);
void *page_alloc_zeroed(void);
void *page_alloc_contiguous(uint64_t count);
static inline void *page_alloc_array(uint64_t count, size_t size)
{
    return page_alloc_contiguous(ALIGN_UP(count * size, PAGE_SIZE) / PAGE_SIZE);
}
void page_get(void *page);
void page_put(void *page);
unsigned page_refs(void *page);
uint64_t page_total(void);
uint64_t page_free_count(void);

#endif
