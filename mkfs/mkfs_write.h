// Writing a tree of names and the contents behind them as a file system.

#ifndef RINGFENCE_MKFS_WRITE_H
#define RINGFENCE_MKFS_WRITE_H

#include "mkfs/mkfs_tree.h"

// Writes a whole image into `fd`, a new and empty file; `path` is its name for messages. `super`
// says where everything lies (its checksum is filled in) and has room for the tree's `inodes`
// inodes and their blocks. Dies on an error.
void write_image(int fd, const char *path, struct super_block *super, const struct node *root,
                 uint32_t inodes);

#endif
