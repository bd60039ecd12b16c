// The checks of fsck, and what they share.

#ifndef RINGFENCE_MKFS_CHECK_H
#define RINGFENCE_MKFS_CHECK_H

#include "mkfs/image.h"

// What is known of an inode besides what its place in the table says.
struct known {
    const struct dir_entry *entry; // the first that names it on the way from the root, or NULL
    uint16_t parent;               // the directory that entry is in; 0 if none leads here
    uint32_t links;                // entries that name it, "." not counted, ".." counted
    uint32_t names;                // of them, not counting ".."
    uint64_t blocks;               // used by it, blocks of block numbers included
};

struct check {
    struct image image;
    struct known *inodes; // one an inode
    uint16_t *owner;      // for each block the inode that uses it, 0 for none
    uint8_t *seen;        // for each block whether the walk through the directories has come by it
    report_fn *problem;   // takes each inconsistency
    report_fn *note;      // takes what is legal but worth a line
};

// Everything that follows, on an image with a good super block and its log applied. Afterwards
// check->inodes can be asked; check_free() ends it. A check that was never begun, all zeros but for
// what the caller sets, may be freed too.
void check_all(struct check *check);
void check_free(struct check *check);

// All four work through the whole image, in this order.
void check_find_names(struct check *check); // gives the inodes their names; reports nothing
void check_inodes(struct check *check);     // types, sizes, blocks
void check_bitmap(struct check *check);
void check_directories(struct check *check); // entries, link counts, what leads nowhere

// "inode 12 (/a/b)", in a buffer that is used again by the fourth call after this.
const char *check_label(const struct check *check, uint32_t number);
// A name as it can be printed, in the same buffers.
const char *check_name(const struct dir_entry *entry);

// An array of n elements, zeroed unless it takes the place of `old`; ends the program if there is
// no memory.
void *check_allocate(void *old, size_t n, size_t size);

#endif
