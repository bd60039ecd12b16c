// All the checks of fsck.

#include "mkfs/check.h"

#include <stdlib.h>

void check_all(struct check *check)
{
    const struct super_block *super = &check->image.super;
    check->inodes = check_allocate(NULL, super->inodes, sizeof(check->inodes[0]));
    check->owner = check_allocate(NULL, super->size, sizeof(check->owner[0]));
    check->seen = check_allocate(NULL, super->size, sizeof(check->seen[0]));
    check_find_names(check);
    check_inodes(check);
    check_bitmap(check);
    check_directories(check);
}

void check_free(struct check *check)
{
    free(check->inodes);
    free(check->owner);
    free(check->seen);
}
