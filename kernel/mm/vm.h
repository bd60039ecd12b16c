// Address spaces (Sv39) and copies to and from user memory.
//
//   0x0000000000000000  text, data, guard page, stack, heap (as in xv6)
//   0x0000002000000000  mmap: framebuffers
//   0x0000004000000000  end of user addresses (not canonical above)
//   0xffffffc000000000  the direct map: all memory and devices; the kernel itself is linked here
//   0xfffffff000000000  kernel stacks, each with a guard page below
//
// The upper half is the same in every address space, so a system call does not switch page tables.
// No function here sleeps. An address space has no lock: only its process uses it.

#ifndef RINGFENCE_VM_H
#define RINGFENCE_VM_H

#include "kernel/lib.h"
#include "kernel/mm/page.h"

#define USER_END 0x4000000000ul
#define MMAP_BASE 0x2000000000ul
#define HEAP_END (USER_END - 2 * PAGE_SIZE) // xv6 has its trap frame and trampoline there
#define PROGRAM_MAX (1ul << 30)             // end of the addresses for a program's segments
#define MMAP_SLOTS 4
#define KSTACK_BASE 0xfffffff000000000ul
#define KSTACK_SIZE (4 * PAGE_SIZE)

typedef uint64_t pte_t;
#define PTE_V (1ul << 0)
#define PTE_R (1ul << 1)
#define PTE_W (1ul << 2)
#define PTE_X (1ul << 3)
#define PTE_U (1ul << 4)
#define PTE_G (1ul << 5)
#define PTE_A (1ul << 6)
#define PTE_D (1ul << 7)
#define PTE_PHYS(pte) ((((pte) >> 10) & 0xfffffffffffUL) << 12)
#define PTE_MAKE(phys, flags) ((((uint64_t)(phys)) >> 12 << 10) | (flags))

// Contiguous device pages that mmap() has mapped. The mapping holds a reference to each page.
struct mapping {
    uint64_t start, pages; // pages 0: slot free
};

struct address_space {
    pte_t *root;
    uint64_t size;      // end of the heap, as sbrk() has set it
    uint64_t stack_low; // lowest byte of the stack; the page below is the guard page
    struct mapping mappings[MMAP_SLOTS];
};

extern pte_t *kernel_root;

void vm_init(uint64_t memory_end);              // builds the kernel's page table and uses it
void vm_use(const struct address_space *space); // this hart uses it from now on
// At boot: maps a kernel stack above its guard page. Returns its lowest address.
uint64_t vm_map_kernel_stack(unsigned slot);

// Makes an empty address space. Returns 0 or -ENOMEM.
int vm_create(struct address_space *space);
// Frees every page and table. Make sure that no hart uses it.
void vm_destroy(struct address_space *space);
// Makes a copy for fork(): shares the pages that cannot be written, copies the others, and leaves
// out device mappings. Returns 0; or -ENOMEM, and everything is freed again.
int vm_copy(struct address_space *to, const struct address_space *from);

// Maps one page with PTE_R, PTE_W, PTE_X as `flags`. Takes over your reference to the page. Returns
// 0 or -ENOMEM.
int vm_map_page(struct address_space *space, uint64_t va, void *page, uint64_t flags);
// Adds zeroed, writable pages in [from, to), both rounded up to pages. Returns 0; or -ENOMEM, and
// adds none.
int vm_grow(struct address_space *space, uint64_t from, uint64_t to);
// Where the heap must end: HEAP_END, or MMAP_BASE while a device is mapped.
uint64_t vm_heap_limit(const struct address_space *space);
// Unmaps all pages in [from, to), both rounded up to pages.
void vm_shrink(struct address_space *space, uint64_t from, uint64_t to);
// Handles a page fault where nothing is mapped: maps a zeroed page if a lazy sbrk() has promised
// one. Returns 0, -EFAULT or -ENOMEM.
int vm_fault(struct address_space *space, uint64_t va);

// mmap(): maps `count` contiguous pages from `first` on, and takes a reference to each. Returns the
// address, or -ENOMEM (no free slot or no memory).
long vm_map_device(struct address_space *space, void *first, uint64_t count);
// munmap(): returns 0, or -EINVAL if no mapping begins at va and has this length.
int vm_unmap_device(struct address_space *space, uint64_t va, uint64_t length);

// Returns the page-table entry of the page that is mapped at va, or NULL.
pte_t *vm_walk(struct address_space *space, uint64_t va);

// ---- the current process's memory (usercopy.c) ----
//
// These functions walk the page table and copy through the direct map. So sstatus.SUM stays clear,
// and a bad pointer is an ordinary error. They allocate the pages that a lazy sbrk() has promised.
// They return 0 or -EFAULT, and never sleep: you may hold a spinlock.

int copy_to_user(uint64_t user_dst, const void *src, size_t n);
int copy_from_user(void *dst, uint64_t user_src, size_t n);
int zero_user(uint64_t user_dst, size_t n);
// Copies a string with its zero, at most `size` bytes. Returns its length without the zero,
// -EFAULT, or -ENAMETOOLONG.
long copy_string_from_user(char *dst, uint64_t user_src, size_t size);
// Returns the kernel's address of the user page that contains va, or NULL. A device may read the
// page directly, and fill it if `write` is set. Do not return to user mode before the device is
// done.
void *user_page(uint64_t va, bool write);

// Like copy_to_user(), into any address space: exec() fills a new one.
int copy_to_space(struct address_space *space, uint64_t va, const void *src, size_t n);

#endif
