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

// Copies n bytes into user memory, or zeros if `src` is NULL.
static int fill_space(struct address_space *space, uint64_t va, const char *src, size_t n)
{
    for (size_t done = 0, piece; done < n; done += piece) {
        char *to = translate(space, va + done, PTE_W);
        if (!to)
            return -EFAULT;
        piece = piece_at(va + done, n - done);
        if (src)
            memcpy(to, src + done, piece);
        else
            memset(to, 0, piece);
    }
    return 0;
}

int copy_to_space(struct address_space *space, uint64_t va, const void *src, size_t n)
{
    return fill_space(space, va, src, n);
}

int copy_to_user(uint64_t user_dst, const void *src, size_t n)
{
    return fill_space(&current_proc()->space, user_dst, src, n);
}

int zero_user(uint64_t user_dst, size_t n)
{
    return fill_space(&current_proc()->space, user_dst, NULL, n);
}

int copy_from_user(void *dst, uint64_t user_src, size_t n)
{
    struct address_space *space = &current_proc()->space;
    for (size_t done = 0, piece; done < n; done += piece) {
        const char *from = translate(space, user_src + done, PTE_R);
        if (!from)
            return -EFAULT;
        piece = piece_at(user_src + done, n - done);
        memcpy((char *)dst + done, from, piece);
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
