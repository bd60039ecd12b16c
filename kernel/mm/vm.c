// Page tables: the kernel's, and one for each process (privileged specification, Sv39).

#include "kernel/mm/vm.h"
#include "kernel/abi.h"
#include "kernel/boot/boot.h"
#include "kernel/proc/proc.h"

#define ENTRIES 512
#define USER_ENTRIES 256 // of a root table: the lower half of the addresses
#define MEGAPAGE (2ul << 20)
#define MMAP_STRIDE (1ul << 30) // addresses from one mapping to the next
#define SATP_SV39 (8ul << 60)
#define KERNEL_FLAGS (PTE_V | PTE_G | PTE_A | PTE_D)

extern char kernel_start[], text_end[], rodata_end[], kernel_end[];

pte_t *kernel_root;
uint64_t kernel_root_phys; // for secondary_start

static unsigned index_at(uint64_t va, int level)
{
    return va >> (12 + 9 * level) & (ENTRIES - 1);
}

static bool is_leaf(pte_t pte)
{
    return pte & (PTE_R | PTE_W | PTE_X);
}

static void *pte_page(pte_t pte)
{
    return phys_to_virt(PTE_PHYS(pte));
}

// The entry for va at `level` (0: a 4 KiB page, 1: 2 MiB), making tables on the way if `make`; NULL if there is none.
static pte_t *table_walk(pte_t *table, uint64_t va, int level, bool make)
{
    for (int at = 2; at > level; at--) {
        pte_t *pte = &table[index_at(va, at)];
        if (!(*pte & PTE_V)) {
            void *next = make ? page_alloc_zeroed() : NULL;
            if (!next)
                return NULL;
            *pte = PTE_MAKE(virt_to_phys(next), PTE_V);
        } else if (is_leaf(*pte)) {
            return NULL;
        }
        table = pte_page(*pte);
    }
    return &table[index_at(va, level)];
}

// ---- the kernel's table ----

static void map_kernel(uint64_t va, uint64_t phys, int level, uint64_t flags)
{
    pte_t *pte = table_walk(kernel_root, va, level, true);
    if (!pte || *pte & PTE_V)
        panic("cannot map the kernel at %p", (void *)va);
    *pte = PTE_MAKE(phys, flags | KERNEL_FLAGS);
}

// The direct map of [start, end), in megapages where they fit.
static void map_direct(uint64_t start, uint64_t end, uint64_t flags)
{
    for (uint64_t at = ALIGN_DOWN(start, PAGE_SIZE); at < end;) {
        bool mega = at % MEGAPAGE == 0 && at + MEGAPAGE <= end;
        map_kernel(at + DIRECT_MAP, at, mega, flags);
        at += mega ? MEGAPAGE : PAGE_SIZE;
    }
}

static void map_devices(void)
{
    map_direct(machine.uart_base, machine.uart_base + PAGE_SIZE, PTE_R | PTE_W);
    map_direct(machine.plic_base, machine.plic_base + machine.plic_size, PTE_R | PTE_W);
    uint64_t mapped_to = 0;
    for (unsigned i = 0; i < machine.virtio_count; i++) { // sorted; several may share a page
        uint64_t page = ALIGN_DOWN(machine.virtio[i].base, PAGE_SIZE);
        if (page >= mapped_to)
            map_direct(page, page + PAGE_SIZE, PTE_R | PTE_W);
        mapped_to = page + PAGE_SIZE;
    }
}

static void load_root(const pte_t *root)
{
    uint64_t satp = SATP_SV39 | virt_to_phys(root) >> 12;
    // The fence: translations of the table before, and stores to this one, must not outlive the change (all
    // address spaces have ASID 0). fence.i: pages of this process may have been filled by another hart.
    asm volatile("csrw satp, %0\n\tsfence.vma\n\tfence.i" : : "r"(satp) : "memory");
}

void vm_init(uint64_t memory_end)
{
    kernel_root = page_alloc_zeroed();
    uint64_t text = virt_to_phys(kernel_start), rodata = virt_to_phys(text_end);
    uint64_t data = virt_to_phys(rodata_end);
    map_direct(text, rodata, PTE_R | PTE_X);
    map_direct(rodata, data, PTE_R);
    map_direct(data, memory_end, PTE_R | PTE_W);
    map_devices();
    // One table for all stacks, filled in by vm_map_kernel_stack(): the root entry must exist before the first
    // process copies the upper half.
    if (!table_walk(kernel_root, KSTACK_BASE, 0, true))
        panic("no memory for page tables");
    kernel_root_phys = virt_to_phys(kernel_root);
    load_root(kernel_root);
}

uint64_t vm_map_kernel_stack(unsigned slot)
{
    uint64_t low = KSTACK_BASE + slot * (KSTACK_SIZE + PAGE_SIZE) + PAGE_SIZE;
    for (uint64_t at = low; at < low + KSTACK_SIZE; at += PAGE_SIZE) {
        void *page = page_alloc();
        if (!page)
            panic("too little memory for %d kernel stacks: give the machine at least 64 MiB",
                  MAX_PROCS);
        map_kernel(at, virt_to_phys(page), 0, PTE_R | PTE_W);
    }
    return low;
}

void vm_use(const struct address_space *space)
{
    load_root(space->root);
}

// ---- address spaces ----

int vm_create(struct address_space *space)
{
    *space = (struct address_space){.root = page_alloc()};
    if (!space->root)
        return -ENOMEM;
    memset(space->root, 0, USER_ENTRIES * sizeof(pte_t));
    memcpy(space->root + USER_ENTRIES, kernel_root + USER_ENTRIES, USER_ENTRIES * sizeof(pte_t));
    return 0;
}

static void free_table(pte_t *table, int level, unsigned entries)
{
    for (unsigned i = 0; i < entries; i++) {
        if (!(table[i] & PTE_V))
            continue;
        if (level > 0)
            free_table(pte_page(table[i]), level - 1, ENTRIES);
        else
            page_put(pte_page(table[i]));
    }
    page_put(table);
}

void vm_destroy(struct address_space *space)
{
    if (space->root)
        free_table(space->root, 2, USER_ENTRIES);
    *space = (struct address_space){0};
}

pte_t *vm_walk(struct address_space *space, uint64_t va)
{
    if (va >= USER_END)
        return NULL;
    pte_t *pte = table_walk(space->root, va, 0, false);
    return pte && *pte & PTE_V ? pte : NULL;
}

int vm_map_page(struct address_space *space, uint64_t va, void *page, uint64_t flags)
{
    pte_t *pte = table_walk(space->root, va, 0, true);
    if (!pte)
        return -ENOMEM;
    if (*pte & PTE_V)
        panic("vm_map_page: %p is mapped", (void *)va);
    // Accessed and dirty are set from the start: nothing here asks for them.
    *pte = PTE_MAKE(virt_to_phys(page), flags | PTE_V | PTE_U | PTE_A | PTE_D);
    return 0;
}

static int map_zeroed(struct address_space *space, uint64_t va)
{
    void *page = page_alloc_zeroed();
    if (!page)
        return -ENOMEM;
    if (vm_map_page(space, va, page, PTE_R | PTE_W) < 0) {
        page_put(page);
        return -ENOMEM;
    }
    return 0;
}

int vm_grow(struct address_space *space, uint64_t from, uint64_t to)
{
    from = ALIGN_UP(from, PAGE_SIZE);
    for (uint64_t va = from; va < to; va += PAGE_SIZE) {
        if (vm_walk(space, va))
            continue;
        if (map_zeroed(space, va) < 0) {
            vm_shrink(space, from, va);
            return -ENOMEM;
        }
    }
    return 0;
}

void vm_shrink(struct address_space *space, uint64_t from, uint64_t to)
{
    from = ALIGN_UP(from, PAGE_SIZE);
    for (uint64_t va = from; va < to; va += PAGE_SIZE) {
        pte_t *pte = table_walk(space->root, va, 0, false);
        if (!pte) {
            va =
                ALIGN_DOWN(va, MEGAPAGE) + MEGAPAGE - PAGE_SIZE; // no table: skip what it would map
            continue;
        }
        if (*pte & PTE_V) {
            page_put(pte_page(*pte));
            *pte = 0;
        }
    }
    // The hart may remember the entries just cleared.
    asm volatile("sfence.vma" : : : "memory");
}

int vm_fault(struct address_space *space, uint64_t va)
{
    va = ALIGN_DOWN(va, PAGE_SIZE);
    bool guard = va < space->stack_low && va + PAGE_SIZE >= space->stack_low;
    if (va >= space->size || guard)
        return -EFAULT;
    return map_zeroed(space, va);
}

// ---- fork ----

static int copy_leaf(struct address_space *to, uint64_t va, pte_t pte)
{
    void *page = pte_page(pte);
    if (pte & PTE_W) {
        void *copy = page_alloc();
        if (!copy)
            return -ENOMEM;
        memcpy(copy, page, PAGE_SIZE);
        page = copy;
    } else {
        page_get(page);
    }
    if (vm_map_page(to, va, page, pte & (PTE_R | PTE_W | PTE_X)) < 0) {
        page_put(page);
        return -ENOMEM;
    }
    return 0;
}

// Copies what `table` maps; `va` is where its first entry lies. Nothing at or above `end`.
static int copy_table(struct address_space *to, const pte_t *table, int level, uint64_t va,
                      uint64_t end)
{
    uint64_t step = 1ul << (12 + 9 * level);
    for (unsigned i = 0; i < ENTRIES && va < end; i++, va += step) {
        if (!(table[i] & PTE_V))
            continue;
        int r = level == 0 ? copy_leaf(to, va, table[i])
                           : copy_table(to, pte_page(table[i]), level - 1, va, end);
        if (r < 0)
            return r;
    }
    return 0;
}

int vm_copy(struct address_space *to, const struct address_space *from)
{
    int r = vm_create(to);
    if (r < 0)
        return r;
    to->size = from->size;
    to->stack_low = from->stack_low;
    r = copy_table(to, from->root, 2, 0, from->size);
    if (r < 0)
        vm_destroy(to);
    return r;
}

// ---- mmap ----

static struct mapping *find_mapping(struct address_space *space, uint64_t start, uint64_t pages)
{
    for (unsigned i = 0; i < MMAP_SLOTS; i++)
        if (space->mappings[i].start == start && space->mappings[i].pages == pages)
            return &space->mappings[i];
    return NULL;
}

long vm_map_device(struct address_space *space, void *first, uint64_t count)
{
    struct mapping *slot = find_mapping(space, 0, 0);
    if (!slot || count == 0 || count > MMAP_STRIDE / PAGE_SIZE || space->size > MMAP_BASE)
        return -ENOMEM;
    uint64_t start = MMAP_BASE + (slot - space->mappings) * MMAP_STRIDE;
    for (uint64_t i = 0; i < count; i++) {
        void *page = (char *)first + i * PAGE_SIZE;
        page_get(page);
        if (vm_map_page(space, start + i * PAGE_SIZE, page, PTE_R | PTE_W) < 0) {
            page_put(page);
            vm_shrink(space, start, start + i * PAGE_SIZE);
            return -ENOMEM;
        }
    }
    *slot = (struct mapping){start, count};
    return start;
}

uint64_t vm_heap_limit(const struct address_space *space)
{
    for (unsigned i = 0; i < MMAP_SLOTS; i++)
        if (space->mappings[i].pages > 0)
            return MMAP_BASE;
    return HEAP_END;
}

int vm_unmap_device(struct address_space *space, uint64_t va, uint64_t length)
{
    struct mapping *slot = find_mapping(space, va, ALIGN_UP(length, PAGE_SIZE) / PAGE_SIZE);
    if (!slot || slot->pages == 0)
        return -EINVAL;
    vm_shrink(space, va, va + slot->pages * PAGE_SIZE);
    *slot = (struct mapping){0};
    return 0;
}
