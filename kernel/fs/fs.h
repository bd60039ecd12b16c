// What the files of this folder share among themselves. Who needs files from outside includes
// file.h or inode.h.
//
// Lock order: log operation (log_begin), directory inodes (a directory before what it names), other
// inodes, buffers (a file's tables before the bitmap), then the spinlocks: inode table, alloc, log,
// cache.

#ifndef RINGFENCE_FS_H
#define RINGFENCE_FS_H

#include "kernel/fs/buf.h"
#include "kernel/fs/inode.h"
#include "kernel/fs/log.h"

struct file_system {
    struct block_device *device;
    struct super_block super;
    uint32_t bitmap_blocks;
};
extern struct file_system fs; // fixed once mounted

// Blocks that one change of a directory may touch: an entry, the tables and bitmaps of a block that
// makes room for it, and the directory's inode.
#define DIR_CHANGE_COST 8
#define CREATE_COST (DIR_CHANGE_COST + 5) // and the new inode; a directory's first block
#define LINK_COST (DIR_CHANGE_COST + 1)
#define UNLINK_COST 3

// ---- alloc.c: which blocks and inodes are free ----

// Counts what is free; `used` says for each inode whether it is. 0 or -EIO.
int alloc_mount(void);
void alloc_inode_used(uint32_t number); // while mounting

// Sets free blocks aside, so that block_alloc() cannot fail for want of them. 0 or -ENOSPC.
int blocks_reserve(uint32_t count);
void blocks_unreserve(uint32_t count);
// A reserved block, near `goal` (0: anywhere); its contents are undefined. Inside an operation. 0,
// -EIO.
int block_alloc(uint32_t goal, uint32_t *block);
// Frees the blocks of an array, skipping zeros. Inside an operation. 0, or -EIO if some could not
// be.
int blocks_free(const uint32_t *blocks, uint32_t count);
bool block_in_data(uint32_t block); // may a file have it?

uint32_t inode_number_alloc(void); // 0: none is free
void inode_number_free(uint32_t number);

uint32_t fs_free_blocks(void);
uint32_t fs_free_inodes(void);

// ---- inode.c ----

// A new inode of that type, one reference, locked; nlink 0. Inside an operation. 0, -ENOSPC,
// -ENFILE, -EIO.
int inode_alloc(int16_t type, struct inode **out);
// Writes inode->disk to the inode table. Inside an operation, inode locked. 0 or -EIO.
int inode_update(struct inode *inode);
void inode_adopt_orphan(uint32_t number); // while mounting: inode_reap() is to free it
unsigned inode_count(void);               // referenced

// ---- data.c ----

uint64_t inode_write_limit(void);      // bytes of one inode_write()
uint32_t inode_write_cost(uint64_t n); // log blocks of an inode_write() of n bytes

// ---- map.c, the inode locked ----

// The disk block of a file's block, 0 for a hole. If `missing` is not NULL it becomes the number of
// blocks that would have to be allocated. 0, -EIO, -EFBIG.
int block_lookup(struct inode *inode, uint64_t index, uint32_t *block, uint32_t *missing);
// Names `block` as the file's block `index`, with new tables where there are none; *reserved counts
// down by those. Inside an operation; inode_update() is left to the caller. 0, -EIO, -ENOMEM.
int block_link(struct inode *inode, uint64_t index, uint32_t block, uint32_t *reserved);
uint32_t inode_truncate_cost(void); // log blocks of inode_truncate()

// ---- dir.c, the directory locked ----

// 0 and the inode number (and where the entry is, if `offset`), or -ENOENT, -EIO.
int dir_lookup(struct inode *dir, const char *name, uint32_t *number, uint64_t *offset);
// Adds an entry that is not there yet. Inside an operation. 0, -ENOSPC, -EFBIG, -EIO.
int dir_add(struct inode *dir, const char *name, uint32_t number);
int dir_remove(struct inode *dir, uint64_t offset); // inside an operation; 0 or -EIO
int dir_init(struct inode *dir, uint32_t parent);   // "." and ".."; inside an operation
int dir_empty(struct inode *dir);                   // 1, 0, or -EIO
bool name_is_dot(const char *name);                 // "." or ".."

// ---- path.c ----

// Like path_lookup(), but stops at the directory that holds the last element, which goes to name
// (NAME_SIZE + 1 bytes). The directory is locked. -ENOENT for "", -EEXIST for "/".
int path_lock_parent(const char *path, char *name, struct inode **out);

#endif
