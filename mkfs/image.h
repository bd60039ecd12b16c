// Reading an image, for fsck and fscat. Nothing in an image is believed: every block and inode
// number that comes from one is checked before it is used.

#ifndef RINGFENCE_MKFS_IMAGE_H
#define RINGFENCE_MKFS_IMAGE_H

#include "kernel/fs/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image {
    uint8_t *data;            // a private mapping: what is changed here never reaches the file
    uint64_t blocks;          // whole blocks in the file
    struct super_block super; // as it is in the image; see image_check_super()
};

// Receives one sentence for each thing that is wrong.
typedef void report_fn(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Maps the file. Returns NULL, or what went wrong; then there is nothing to close.
const char *image_open(struct image *image, const char *path);
void image_close(struct image *image);

// Whether the super block can be relied on: the functions below want that.
bool image_check_super(const struct image *image, report_fn *report);

// Applies the log's valid transactions in memory, as the kernel does when it mounts. Returns how
// many; a transaction that would write where none may is reported and ends the replay.
unsigned image_replay(struct image *image, report_fn *report);

void *image_block(const struct image *image, uint32_t block); // block < super.size
bool image_is_data(const struct image *image, uint32_t block);
bool image_bit(const struct image *image, uint64_t block); // of the bitmap
// NULL for a number that is no inode's.
const struct disk_inode *image_inode(const struct image *image, uint32_t number);

// Visits every block number in an inode that is not 0, whatever the inode's size says. `level` is 0
// for content, 1 and 2 for blocks of block numbers; `index` is the first block of the file that it
// leads to. The visitor says whether to go on to what a block of block numbers holds; those outside
// the data area are visited, but never read.
typedef bool visit_fn(void *context, uint32_t block, uint64_t index, unsigned level);
void image_walk(const struct image *image, const struct disk_inode *inode, visit_fn *visit,
                void *context);

// Block `index` of a file, or NULL where it has a hole or the pointers lead nowhere.
const void *image_content(const struct image *image, const struct disk_inode *inode,
                          uint64_t index);

// Whether a directory entry has this name.
bool is_name(const struct dir_entry *entry, const char *name);

static inline uint64_t blocks_of(uint64_t bytes)
{
    return bytes / BLOCK_SIZE + (bytes % BLOCK_SIZE != 0);
}

#endif
