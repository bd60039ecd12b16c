// exec(): loads an ELF file, lays out its stack and starts it.
//
// Pages that cannot be written are mapped straight from the buffer cache and so shared by every
// process that runs the program; they are never copied (rewriting code makes QEMU translate it anew).

#include "kernel/proc/exec.h"
#include "kernel/fs/inode.h"
#include "kernel/fs/log.h"
#include "kernel/proc/proc.h"

#define MAX_STACK (1ul << 20)

// ---- ELF-64, the fields we use (System V ABI, chapter 4 and 5) ----

#define ELF_MAGIC 0x464c457fu // "\x7fELF"
#define ELF_CLASS_64 2
#define ELF_MACHINE_RISCV 243
#define PT_LOAD 1
#define PT_GNU_STACK 0x6474e551u
#define PF_X 1
#define PF_W 2
#define PF_R 4
#define MAX_SEGMENTS 16

struct elf_header {
    uint32_t magic;
    uint8_t class, data, version, abi[9];
    uint16_t type, machine;
    uint32_t version2;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

// ---- segments ----

static uint64_t segment_flags(const struct program_header *ph)
{
    return (ph->flags & PF_R ? PTE_R : 0) | (ph->flags & PF_W ? PTE_W | PTE_R : 0) |
           (ph->flags & PF_X ? PTE_X | PTE_R : 0);
}

// A private page with what the file has for [at, at + PAGE_SIZE) of the segment.
static int load_private_page(struct inode *inode, const struct program_header *ph, uint64_t at,
                             void **page)
{
    *page = page_alloc_zeroed();
    if (!*page)
        return -ENOMEM;
    if (at >= ph->filesz)
        return 0;
    uint64_t n = min_u64(PAGE_SIZE, ph->filesz - at);
    long got = inode_read(inode, false, (uint64_t)*page, ph->offset + at, n);
    if (got == (long)n)
        return 0;
    page_put(*page);
    return got < 0 ? got : -ENOEXEC;
}

static int load_page(struct inode *inode, const struct program_header *ph, uint64_t at, void **page)
{
    bool whole = at + PAGE_SIZE <= ph->filesz || (at < ph->filesz && ph->memsz == ph->filesz);
    bool shareable = !(ph->flags & PF_W) && ph->offset % PAGE_SIZE == 0 && whole;
    if (shareable) {
        int r = inode_share_page(inode, (ph->offset + at) / PAGE_SIZE, page);
        if (r < 0 || *page)
            return r;
    }
    return load_private_page(inode, ph, at, page);
}

static int load_segment(struct address_space *space, struct inode *inode,
                        const struct program_header *ph)
{
    if (ph->memsz < ph->filesz || ph->vaddr % PAGE_SIZE || ph->vaddr < space->size ||
        ph->memsz >= PROGRAM_MAX || ph->vaddr >= PROGRAM_MAX - ph->memsz ||
        ph->offset + ph->filesz < ph->offset || ph->offset + ph->filesz > inode->disk.size)
        return -ENOEXEC;
    for (uint64_t at = 0; at < ph->memsz; at += PAGE_SIZE) {
        void *page;
        int r = load_page(inode, ph, at, &page);
        if (r < 0)
            return r;
        if (vm_map_page(space, ph->vaddr + at, page, segment_flags(ph)) < 0) {
            page_put(page);
            return -ENOMEM;
        }
    }
    space->size = ALIGN_UP(ph->vaddr + ph->memsz, PAGE_SIZE);
    return 0;
}

// Loads every segment of the locked inode; *stack becomes what the file asks for, if it does.
static int load_elf(struct address_space *space, struct inode *inode, uint64_t *entry,
                    uint64_t *stack)
{
    struct elf_header elf;
    struct program_header ph;
    if (inode->disk.type != T_FILE)
        return -ENOEXEC;
    long n = inode_read(inode, false, (uint64_t)&elf, 0, sizeof(elf));
    if (n < 0)
        return n;
    if (n != sizeof(elf) || elf.magic != ELF_MAGIC || elf.class != ELF_CLASS_64 ||
        elf.machine != ELF_MACHINE_RISCV || elf.phentsize != sizeof(ph) || elf.phnum > MAX_SEGMENTS)
        return -ENOEXEC;
    *entry = elf.entry;
    for (unsigned i = 0; i < elf.phnum; i++) {
        n = inode_read(inode, false, (uint64_t)&ph, elf.phoff + i * sizeof(ph), sizeof(ph));
        if (n != sizeof(ph))
            return n < 0 ? n : -ENOEXEC;
        if (ph.type == PT_GNU_STACK && ph.memsz > 0)
            *stack = min_u64(ALIGN_UP(min_u64(ph.memsz, MAX_STACK), PAGE_SIZE), MAX_STACK);
        if (ph.type == PT_LOAD && ph.memsz > 0 && (n = load_segment(space, inode, &ph)) < 0)
            return n;
    }
    return space->size > 0 ? 0 : -ENOEXEC;
}

// ---- arguments ----

int exec_args_init(struct exec_args *args)
{
    *args = (struct exec_args){.strings = page_alloc()};
    return args->strings ? 0 : -ENOMEM;
}

int exec_args_add(struct exec_args *args, const char *s)
{
    uint64_t n = strlen(s) + 1;
    uint64_t pointers = (args->count + 2) * sizeof(uint64_t);
    if (args->count + 1 >= MAXARG || ALIGN_UP(args->used + n, 16ul) + pointers > PAGE_SIZE)
        return -E2BIG;
    memcpy(args->strings + args->used, s, n);
    args->used += n;
    args->count++;
    return 0;
}

void exec_args_free(struct exec_args *args)
{
    page_put(args->strings);
}

// A guard page, then the stack, with the arguments on top: strings, then argv[] (16-byte aligned, ended by
// NULL), where sp points. Returns sp in *sp; 0, -ENOMEM or -E2BIG.
static int make_stack(struct address_space *space, uint64_t bytes, const struct exec_args *args,
                      uint64_t *sp)
{
    uint64_t low = space->size + PAGE_SIZE, top = low + bytes;
    uint64_t argv[MAXARG + 1];
    if (vm_grow(space, low, top) < 0)
        return -ENOMEM;
    space->size = top;
    space->stack_low = low;
    uint64_t strings = ALIGN_DOWN(top - args->used, 16);
    uint64_t at = strings;
    for (int i = 0; i < args->count; i++) {
        argv[i] = at;
        at += strlen(args->strings + (at - strings)) + 1;
    }
    argv[args->count] = 0;
    uint64_t argv_bytes = (args->count + 1) * sizeof(uint64_t);
    *sp = ALIGN_DOWN(strings - argv_bytes, 16);
    if (copy_to_space(space, strings, args->strings, args->used) < 0 ||
        copy_to_space(space, *sp, argv, argv_bytes) < 0)
        return -E2BIG;
    return 0;
}

// ---- exec ----

static int build_space(struct address_space *space, const char *path, const struct exec_args *args,
                       uint64_t *entry, uint64_t *sp)
{
    struct inode *inode;
    uint64_t stack = PAGE_SIZE;
    int r = path_lookup(path, &inode);
    if (r < 0)
        return r;
    r = vm_create(space);
    if (r == 0 && (r = inode_lock(inode)) == 0) {
        r = load_elf(space, inode, entry, &stack);
        inode_unlock(inode);
    }
    inode_put_outside(inode);
    if (r == 0)
        r = make_stack(space, stack, args, sp);
    if (r < 0)
        vm_destroy(space);
    return r;
}

int exec_program(const char *path, const struct exec_args *args)
{
    struct proc *proc = current_proc();
    struct address_space space = {0}, old = proc->space;
    uint64_t entry = 0, sp = 0;
    int r = build_space(&space, path, args, &entry, &sp);
    if (r < 0)
        return r;
    proc->space = space;
    vm_use(&proc->space);
    if (old.root != kernel_root)
        vm_destroy(&old);

    *proc->frame = (struct trap_frame){.pc = entry, .sp = sp, .a = {args->count, sp}};
    const char *name = path;
    for (const char *at = path; *at; at++)
        if (*at == '/')
            name = at + 1;
    copy_string(proc->name, name, NAME_MAX);
    return args->count;
}

// exec(path, argv)
long sys_exec(const uint64_t user_args[6])
{
    char path[MAXPATH];
    struct exec_args args;
    long r = copy_string_from_user(path, user_args[0], sizeof(path));
    if (r < 0)
        return r;
    r = exec_args_init(&args);
    // Each argument passes through a page of its own, as it may be as long as one.
    char *text = r == 0 ? page_alloc() : NULL;
    if (r == 0 && !text)
        r = -ENOMEM;
    for (unsigned i = 0; r >= 0; i++) {
        uint64_t argument;
        r = copy_from_user(&argument, user_args[1] + i * sizeof(argument), sizeof(argument));
        if (r < 0 || argument == 0)
            break;
        r = copy_string_from_user(text, argument, PAGE_SIZE);
        if (r >= 0)
            r = exec_args_add(&args, text);
    }
    if (text)
        page_put(text);
    if (r >= 0)
        r = exec_program(path, &args);
    if (args.strings)
        exec_args_free(&args);
    return r;
}
