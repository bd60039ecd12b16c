// Copies between the kernel and the current process, page by page through the direct map.

#include "kernel/abi.h"
#include "kernel/mm/vm.h"
#include "kernel/proc/proc.h"

// The kernel's address of user address va, or NULL. `need` is PTE_R or PTE_W.
static char *translate(struct address_space *space, uint64_t va, uint64_t need)
{
    pte_t *pte = vm_walk(space, va);
    if (!pte) {
        if (va >= USER_END || vm_fault(space, va) < 0)
            return NULL;
        pte = vm_walk(space, va);
    }
    if (!(*pte & PTE_U) || !(*pte & need))
        return NULL;
    return (char *)phys_to_virt(PTE_PHYS(*pte)) + va % PAGE_SIZE;
}

// What is left of va's page, at most n.
static size_t piece_at(uint64_t va, size_t n)
{
    return min_u64(PAGE_SIZE - va % PAGE_SIZE, n);
}

int copy_to_space(struct address_space *space, uint64_t va, const void *src, size_t n)
{
    for (const char *from = src; n > 0;) {
        char *to = translate(space, va, PTE_W);
        if (!to)
            return -EFAULT;
        size_t piece = piece_at(va, n);
        memcpy(to, from, piece);
        va += piece;
        from += piece;
        n -= piece;
    }
    return 0;
}

int copy_to_user(uint64_t user_dst, const void *src, size_t n)
{
    return copy_to_space(&current_proc()->space, user_dst, src, n);
}

int copy_from_user(void *dst, uint64_t user_src, size_t n)
{
    struct address_space *space = &current_proc()->space;
    for (char *to = dst; n > 0;) {
        const char *from = translate(space, user_src, PTE_R);
        if (!from)
            return -EFAULT;
        size_t piece = piece_at(user_src, n);
        memcpy(to, from, piece);
        user_src += piece;
        to += piece;
        n -= piece;
    }
    return 0;
}

int zero_user(uint64_t user_dst, size_t n)
{
    struct address_space *space = &current_proc()->space;
    while (n > 0) {
        char *to = translate(space, user_dst, PTE_W);
        if (!to)
            return -EFAULT;
        size_t piece = piece_at(user_dst, n);
        memset(to, 0, piece);
        user_dst += piece;
        n -= piece;
    }
    return 0;
}

long copy_string_from_user(char *dst, uint64_t user_src, size_t size)
{
    struct address_space *space = &current_proc()->space;
    for (size_t done = 0; done < size;) {
        const char *from = translate(space, user_src + done, PTE_R);
        if (!from)
            return -EFAULT;
        size_t piece = piece_at(user_src + done, size - done);
        for (size_t i = 0; i < piece; i++, done++) {
            dst[done] = from[i];
            if (!from[i])
                return done;
        }
    }
    return -ENAMETOOLONG;
}

void *user_page(uint64_t va, bool write)
{
    return translate(&current_proc()->space, ALIGN_DOWN(va, PAGE_SIZE), write ? PTE_W : PTE_R);
}
