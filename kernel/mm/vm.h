// Address spaces (Sv39) and copies to and from user memory.
//
//   0x0000000000000000  text, data, guard page, stack, heap (xv6's layout)
//   0x0000002000000000  mmap: framebuffers
//   0x0000004000000000  end of user addresses (not canonical above)
//   0xffffffc000000000  the direct map: all memory and devices; the kernel itself is linked here
//   0xfffffff000000000  kernel stacks, each with a guard page below
//
// The upper half is the same in every address space, so a system call changes no page table.

#ifndef RINGFENCE_VM_H
#define RINGFENCE_VM_H

#include "kernel/lib.h"
#include "kernel/mm/page.h"

#define USER_END 0x4000000000ul
#define MMAP_BASE 0x2000000000ul
#define HEAP_END (USER_END - 2 * PAGE_SIZE) // where xv6 has its trap frame and trampoline
#define PROGRAM_MAX (1ul << 30)             // bytes from 0 that a program's segments may take
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

// A stretch of device pages mapped by mmap(); pages hold a reference each.
struct mapping {
    uint64_t start, pages; // pages 0: slot free
};

struct address_space {
    pte_t *root;
    uint64_t size;      // end of the heap: bytes from 0 that sbrk has given out
    uint64_t stack_low; // lowest byte of the stack; the page below is the guard
    struct mapping mappings[MMAP_SLOTS];
};

extern pte_t *kernel_root;

void vm_init(uint64_t memory_end);              // builds and enters the kernel's page table
void vm_use(const struct address_space *space); // makes it this hart's
// At boot: a stack with its guard page; its lowest address.
uint64_t vm_map_kernel_stack(unsigned slot);

// Makes an empty address space; 0 or -ENOMEM.
int vm_create(struct address_space *space);
// Frees every page and table. The caller makes sure that no hart uses it.
void vm_destroy(struct address_space *space);
// A copy for fork(): pages that cannot be written are shared, others copied; device mappings are not
// inherited. 0 or -ENOMEM, then nothing is left behind.
int vm_copy(struct address_space *to, const struct address_space *from);

// Maps one page (takes over the caller's reference); flags of PTE_R, PTE_W, PTE_X. 0 or -ENOMEM.
int vm_map_page(struct address_space *space, uint64_t va, void *page, uint64_t flags);
// Adds zeroed, writable pages over [from, to), both rounded up to pages; 0 or -ENOMEM (nothing added).
int vm_grow(struct address_space *space, uint64_t from, uint64_t to);
// How far the heap may go: HEAP_END, or MMAP_BASE while a device is mapped.
uint64_t vm_heap_limit(const struct address_space *space);
// Removes what is mapped in [from, to), both rounded up to pages.
void vm_shrink(struct address_space *space, uint64_t from, uint64_t to);
// Called for a page fault below space->size where nothing is mapped (lazy sbrk): maps a zeroed page. 0,
// -EFAULT if there should be none, -ENOMEM.
int vm_fault(struct address_space *space, uint64_t va);

// mmap() and munmap() of `count` contiguous pages that start at `first`; takes a reference to each.
// Return the address, or -ENOMEM (no slot, no memory); 0 or -EINVAL.
long vm_map_device(struct address_space *space, void *first, uint64_t count);
int vm_unmap_device(struct address_space *space, uint64_t va, uint64_t length);

// The page-table entry for va, or NULL.
pte_t *vm_walk(struct address_space *space, uint64_t va);

// ---- the current process's memory (usercopy.c) ----
//
// These walk the page table and copy through the direct map, so sstatus.SUM stays clear and a bad pointer
// is an ordinary error. They fill in lazily allocated pages. Never sleep. 0 or -EFAULT.

int copy_to_user(uint64_t user_dst, const void *src, size_t n);
int copy_from_user(void *dst, uint64_t user_src, size_t n);
int zero_user(uint64_t user_dst, size_t n);
// Copies a string with its zero, of at most `size` bytes; its length without the zero, -EFAULT, or
// -ENAMETOOLONG.
long copy_string_from_user(char *dst, uint64_t user_src, size_t size);
// The kernel's address of the user page that holds va, for a device to read (write: to fill) directly; the
// process must not return to user mode before the device is done. NULL if there is none.
void *user_page(uint64_t va, bool write);

// The same with an address space named: exec() fills a new one before it is anyone's.
int copy_to_space(struct address_space *space, uint64_t va, const void *src, size_t n);

#endif
