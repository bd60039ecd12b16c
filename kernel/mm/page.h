// Physical memory: 4 KiB pages with reference counts.
//
// The kernel maps all memory and the devices at a fixed distance from their physical addresses: the
// direct map. To turn a physical address into a pointer, add DIRECT_MAP.
//
// No function here sleeps.

#ifndef RINGFENCE_PAGE_H
#define RINGFENCE_PAGE_H

#include "kernel/lib.h"

#define PAGE_SIZE 4096ul
#define DIRECT_MAP 0xffffffc000000000ul // where physical address 0 is mapped

static inline void *phys_to_virt(uint64_t phys)
{
    return (void *)(phys + DIRECT_MAP);
}
// Only for pointers into the direct map: pages and kernel data, but not a kernel stack.
static inline uint64_t virt_to_phys(const void *virt)
{
    return (uint64_t)virt - DIRECT_MAP;
}

// At boot, with physical addresses: give page_init() the bounds of memory, and page_array_bytes()
// of it for the array of reference counts. Then call page_free_range() for each free range.
uint64_t page_array_bytes(uint64_t memory_start, uint64_t memory_end);
void page_init(uint64_t memory_start, uint64_t memory_end, uint64_t array);
void page_free_range(uint64_t start, uint64_t end);

// Returns a page with one reference and undefined contents, or NULL if there is none.
void *page_alloc(void);
void *page_alloc_zeroed(void);
// Returns `count` contiguous pages (for devices), each with one reference, or NULL.
void *page_alloc_contiguous(uint64_t count);
// The same for an array of `count` elements.
static inline void *page_alloc_array(uint64_t count, size_t size)
{
    return page_alloc_contiguous(ALIGN_UP(count * size, PAGE_SIZE) / PAGE_SIZE);
}
void page_get(void *page); // one more reference
void page_put(void *page); // one less; the last frees it
unsigned page_refs(void *page);

uint64_t page_total(void); // pages that the allocator manages
uint64_t page_free_count(void);

#endif
