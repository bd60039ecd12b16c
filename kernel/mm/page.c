// The page allocator: a doubly linked list of free pages, and a reference count for each page.
//
// Single pages come from the head of the list. A contiguous stretch is looked for from the top of memory
// down, where single pages are used last; this is rare (a display mode), so a scan is fine.

#include "kernel/mm/page.h"
#include "kernel/proc/lock.h"

#define NONE UINT32_MAX

struct page {
    uint32_t refs;
    uint32_t next, prev; // neighbours in the free list, while refs is 0
};

static struct spinlock page_lock = SPINLOCK("page"); // guards all below
static struct page *pages;  // one for each page of memory, `pages[0]` for the first
static uint64_t first_phys; // of memory
static uint32_t page_limit; // number of entries
static uint32_t free_head = NONE;
static uint64_t total_pages, free_pages;

static uint32_t index_of(void *page)
{
    uint64_t index = (virt_to_phys(page) - first_phys) / PAGE_SIZE;
    if ((uint64_t)page % PAGE_SIZE || index >= page_limit)
        panic("page %p is not memory", page);
    return index;
}

static void *address_of(uint32_t index)
{
    return phys_to_virt(first_phys + index * PAGE_SIZE);
}

static void list_remove(uint32_t i)
{
    struct page *p = &pages[i];
    if (p->prev == NONE)
        free_head = p->next;
    else
        pages[p->prev].next = p->next;
    if (p->next != NONE)
        pages[p->next].prev = p->prev;
    p->refs = 1;
    free_pages--;
}

static void list_insert(uint32_t i)
{
    pages[i] = (struct page){.refs = 0, .next = free_head, .prev = NONE};
    if (free_head != NONE)
        pages[free_head].prev = i;
    free_head = i;
    free_pages++;
}

void page_init(uint64_t memory_start, uint64_t memory_end, uint64_t array)
{
    first_phys = memory_start;
    page_limit = (memory_end - memory_start) / PAGE_SIZE;
    pages = phys_to_virt(array);
    for (uint32_t i = 0; i < page_limit; i++)
        pages[i].refs = 1; // in use, until page_free_range() says otherwise
}

uint64_t page_array_bytes(uint64_t memory_start, uint64_t memory_end)
{
    return ALIGN_UP((memory_end - memory_start) / PAGE_SIZE * sizeof(struct page), PAGE_SIZE);
}

void page_free_range(uint64_t start, uint64_t end)
{
    spin_lock(&page_lock);
    // From the top down, so that the list hands out low pages first.
    for (uint64_t at = ALIGN_DOWN(end, PAGE_SIZE); at > ALIGN_UP(start, PAGE_SIZE);
         at -= PAGE_SIZE) {
        list_insert((at - PAGE_SIZE - first_phys) / PAGE_SIZE);
        total_pages++;
    }
    spin_unlock(&page_lock);
}

void *page_alloc(void)
{
    void *page = NULL;
    spin_lock(&page_lock);
    if (free_head != NONE) {
        uint32_t i = free_head;
        list_remove(i);
        page = address_of(i);
    }
    spin_unlock(&page_lock);
    return page;
}

void *page_alloc_zeroed(void)
{
    void *page = page_alloc();
    if (page)
        memset(page, 0, PAGE_SIZE);
    return page;
}

void *page_alloc_contiguous(uint64_t count)
{
    void *first = NULL;
    uint64_t run = 0;
    spin_lock(&page_lock);
    for (uint32_t i = page_limit; count > 0 && i-- > 0;) {
        run = pages[i].refs == 0 ? run + 1 : 0;
        if (run < count)
            continue;
        for (uint32_t k = i; k < i + count; k++)
            list_remove(k);
        first = address_of(i);
        break;
    }
    spin_unlock(&page_lock);
    return first;
}

void page_get(void *page)
{
    spin_lock(&page_lock);
    struct page *p = &pages[index_of(page)];
    if (p->refs == 0)
        panic("page_get: page %p is free", page);
    p->refs++;
    spin_unlock(&page_lock);
}

void page_put(void *page)
{
    spin_lock(&page_lock);
    uint32_t i = index_of(page);
    if (pages[i].refs == 0)
        panic("page_put: page %p is free", page);
    if (--pages[i].refs == 0)
        list_insert(i);
    spin_unlock(&page_lock);
}

unsigned page_refs(void *page)
{
    return __atomic_load_n(&pages[index_of(page)].refs, __ATOMIC_RELAXED);
}

uint64_t page_total(void)
{
    return total_pages;
}

uint64_t page_free_count(void)
{
    return __atomic_load_n(&free_pages, __ATOMIC_RELAXED);
}
