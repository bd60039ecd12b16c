// What the files of this folder share. Code outside includes file.h or inode.h instead.
//
// Lock order: a log operation (log_begin), directories (a directory before what it names), other
// inodes, buffers (a file's tables before the bitmap), then the spinlocks: inode cache, alloc, log,
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

// How many blocks one change of a directory may change: the entry, the tables and bitmaps of a new
// block for it, and the directory's inode.
#define DIR_CHANGE_COST 8
#define CREATE_COST (DIR_CHANGE_COST + 5) // and the new inode; a directory's first block
#define LINK_COST (DIR_CHANGE_COST + 1)
#define UNLINK_COST 3

// ---- alloc.c: which blocks and inodes are free ----

// Counts the free blocks, and takes every inode as free. Returns 0 or -EIO.
int alloc_mount(void);
void alloc_inode_used(uint32_t number); // while mounting: this inode is not free

// Reserves free blocks, so that block_alloc() cannot run out of them. Returns 0 or -ENOSPC.
int blocks_reserve(uint32_t count);
void blocks_unreserve(uint32_t count);
// Allocates a block that you have reserved, near `goal` (0: anywhere). Its contents are undefined.
// Inside an operation. Returns 0 or -EIO.
int block_alloc(uint32_t goal, uint32_t *block);
// Frees the blocks of an array, skipping zeros. Inside an operation. Returns 0, or -EIO if it could
// not free some of them.
int blocks_free(const uint32_t *blocks, uint32_t count);
bool block_in_data(uint32_t block); // may a file use this block?

uint32_t inode_number_alloc(void); // 0 if none is free
void inode_number_free(uint32_t number);

uint32_t fs_free_blocks(void);
uint32_t fs_free_inodes(void);

// ---- inode.c ----

// Makes a new inode of this type: locked, with one reference, nlink 0. Inside an operation. Returns
// 0, -ENOSPC, -ENFILE, -EIO or -ENOMEM.
int inode_alloc(int16_t type, struct inode **out);
// Writes inode->disk to the inode table. Inside an operation, with the inode locked. Returns 0,
// -EIO or -ENOMEM.
int inode_update(struct inode *inode);
void inode_adopt_orphan(uint32_t number); // while mounting: inode_reap() will free this inode
unsigned inode_count(void);               // inodes with references

// ---- data.c ----

uint64_t inode_write_limit(void);      // the most bytes for one inode_write()
uint32_t inode_write_cost(uint64_t n); // how many blocks an inode_write() of n bytes may change

// ---- map.c: lock the inode first ----

// Finds the disk block of the file's block `index`: 0 if it is a hole. If `missing` is not NULL, it
// becomes the number of blocks to allocate before this one can be written. Returns 0, -EIO, -ENOMEM
// or -EFBIG.
int block_lookup(struct inode *inode, uint64_t index, uint32_t *block, uint32_t *missing);
// Makes `block` the file's block `index`. Allocates the tables that are missing, and counts them
// off *reserved. Inside an operation. Call inode_update() afterwards. Returns 0, -EIO or -ENOMEM.
int block_link(struct inode *inode, uint64_t index, uint32_t block, uint32_t *reserved);
uint32_t inode_truncate_cost(void); // how many blocks inode_truncate() may change

// ---- dir.c: lock the directory first ----

// Looks for a name: returns 0 and its inode number (and, if `offset` is not NULL, where the entry
// is), or -ENOENT, -EIO, -ENOMEM.
int dir_lookup(struct inode *dir, const char *name, uint32_t *number, uint64_t *offset);
// Adds an entry. Look it up first: it must not exist. Inside an operation. Returns 0, -ENOSPC,
// -EFBIG, -EIO or -ENOMEM.
int dir_add(struct inode *dir, const char *name, uint32_t number);
int dir_remove(struct inode *dir, uint64_t offset); // inside an operation; 0, -EIO or -ENOMEM
int dir_init(struct inode *dir, uint32_t parent);   // adds "." and ".."; inside an operation
int dir_empty(struct inode *dir);                   // 1 if it is, 0, or a negative E number
bool name_is_dot(const char *name);                 // "." or ".."

// ---- path.c ----

// Like path_lookup(), but finds the directory that contains the last element, and locks it. Copies
// the last element to `name` (NAME_SIZE + 1 bytes). Returns -ENOENT for "", -EEXIST for "/".
int path_lock_parent(const char *path, char *name, struct inode **out);

#endif
