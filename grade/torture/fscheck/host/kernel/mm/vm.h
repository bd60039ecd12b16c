// User memory, for the host: addresses below 4096 stand for invalid ones; all others are host
// addresses.

#ifndef RINGFENCE_VM_H
#define RINGFENCE_VM_H

#include "kernel/lib.h"
#include "kernel/mm/page.h"

struct address_space {
    int unused;
};

int copy_to_user(uint64_t user_dst, const void *src, size_t n);
int copy_from_user(void *dst, uint64_t user_src, size_t n);
int zero_user(uint64_t user_dst, size_t n);
long copy_string_from_user(char *dst, uint64_t user_src, size_t size);
int vm_unmap_device(struct address_space *space, uint64_t va, uint64_t length);

#endif
