// Physical memory: 4 KiB pages with reference counts.
//
// All of it, and the devices, are mapped at a fixed distance in the kernel (the direct map), so a
// physical address and a kernel pointer to it are a subtraction apart.

#ifndef RINGFENCE_PAGE_H
#define RINGFENCE_PAGE_H

#include "kernel/lib.h"

#define PAGE_SIZE 4096ul
#define DIRECT_MAP 0xffffffc000000000ul // where physical address 0 is seen

static inline void *phys_to_virt(uint64_t phys)
{
    return (void *)(phys + DIRECT_MAP);
}
// Only for pointers into the direct map: pages, kernel data; never a kernel stack.
static inline uint64_t virt_to_phys(const void *virt)
{
    return (uint64_t)virt - DIRECT_MAP;
}

// At boot: where memory lies and where (physical) page_array_bytes() of it may hold the array of
// reference counts; then each stretch that is free. All addresses are physical.
uint64_t page_array_bytes(uint64_t memory_start, uint64_t memory_end);
void page_init(uint64_t memory_start, uint64_t memory_end, uint64_t array);
void page_free_range(uint64_t start, uint64_t end);

// A page with one reference, contents undefined; NULL when memory is out. Never sleeps.
void *page_alloc(void);
void *page_alloc_zeroed(void);
// `count` pages in one piece (for devices), each with one reference; NULL if there is no such stretch.
void *page_alloc_contiguous(uint64_t count);
// The same for an array of `count` elements.
static inline void *page_alloc_array(uint64_t count, size_t size)
{
    return page_alloc_contiguous(ALIGN_UP(count * size, PAGE_SIZE) / PAGE_SIZE);
}
void page_get(void *page); // one more reference
void page_put(void *page); // one less; the last frees it
unsigned page_refs(void *page);

uint64_t page_total(void); // owned by the allocator
uint64_t page_free_count(void);

#endif
