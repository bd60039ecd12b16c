// What mkfs will put on the image: a tree of names, made from the command line before anything is
// written, so that every mistake in it is found while there is still nothing to clean up.

#ifndef RINGFENCE_MKFS_TREE_H
#define RINGFENCE_MKFS_TREE_H

#include "kernel/fs/format.h"
#include "kernel/inode_types.h"

#include <stddef.h>
#include <stdint.h>

struct node {
    char name[NAME_SIZE + 1]; // empty for the root
    int16_t type;             // T_DIR, T_FILE, T_DEVICE
    int16_t major, minor;     // T_DEVICE
    char *source;             // T_FILE: where its contents are on the host
    uint64_t size;            // bytes that its contents take on the image
    struct node *parent;      // the root's is the root
    struct node **children;   // T_DIR; sorted by name once the tree is finished
    unsigned count;           // of children
    unsigned subdirectories;  // of them directories
    uint32_t inode;           // given by tree_finish()
};

// Prints "mkfs: " and the message, and exits with 1.
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

// malloc and realloc that die when there is no memory.
void *allocate(void *old, size_t size);

struct node *tree_new(void);
void tree_free(struct node *root);

// Adds what one SOURCE on the command line stands for (see mkfs.c). Dies if it cannot be read, if a
// name is too long, or if it is neither a file nor a directory.
void tree_add(struct node *root, const char *source);

// Sorts, refuses names given twice, and numbers the inodes from ROOT_INODE on. Returns how many
// there are. `blocks` gets the number of data and indirect blocks that the tree needs.
uint32_t tree_finish(struct node *root, uint64_t *blocks);

// Blocks that hold `size` bytes, and blocks of block numbers that a file with so many needs.
uint64_t content_blocks(uint64_t size);
uint64_t indirect_blocks(uint64_t content);

#endif
