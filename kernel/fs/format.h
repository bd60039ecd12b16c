// The file system as it lies on the disk. The kernel, mkfs and fsck share this file.
//
//   block 0        1            ...                                                   size
//   | (unused) | super block | log | inode table | free bitmap | data blocks ........ |
//
// All numbers are little-endian. Blocks are 4 KiB: a page, so that one buffer is one page and one
// descriptor. The shape is xv6's; what differs is the block size, the double-indirect block, 64-bit
// sizes and a log of many transactions (see struct log_header).

#ifndef RINGFENCE_FORMAT_H
#define RINGFENCE_FORMAT_H

#include <stdint.h>

#define BLOCK_SIZE 4096
#define FS_MAGIC 0x52494e47 // "RING"
#define FS_VERSION 1
#define SUPER_BLOCK 1
#define ROOT_INODE 1     // inode 0 is never used: a directory entry with it is free
#define MAX_INODES 65535 // directory entries hold 16 bits

struct super_block {
    uint32_t magic;
    uint32_t version;
    uint32_t size;      // blocks in all; the disk may be larger
    uint32_t inodes;    // entries of the inode table, the unused entry 0 included
    uint32_t log_start; // first block of the log
    uint32_t log_blocks;
    uint32_t inode_start;  // first block of the inode table
    uint32_t bitmap_start; // first block of the bitmap: bit b of it is block b, 1 means in use
    uint32_t data_start;   // first data block; all before it are marked in use
    uint32_t salt;         // random, made by mkfs; goes into every log checksum
    uint32_t checksum;     // fs_checksum(0, every field above)
};

#define DIRECT_BLOCKS 10
#define POINTERS_PER_BLOCK (BLOCK_SIZE / 4) // block numbers in an indirect block
#define MAX_FILE_BLOCKS                                                                            \
    (DIRECT_BLOCKS + POINTERS_PER_BLOCK + (uint64_t)POINTERS_PER_BLOCK * POINTERS_PER_BLOCK)

// An inode on disk, 64 bytes. A block number of 0 is a hole and reads as zeros; only a write beyond
// the end of a file that was moved there with lseek makes one.
struct disk_inode {
    int16_t type;  // 0 free, else T_DIR, T_FILE, T_DEVICE (inode_types.h)
    int16_t major; // T_DEVICE only
    int16_t minor;
    int16_t nlink; // directory entries that name it; "." is not counted, ".." is, as in xv6
    uint64_t size; // bytes
    uint32_t direct[DIRECT_BLOCKS];
    uint32_t indirect;        // block of block numbers
    uint32_t double_indirect; // block of numbers of such blocks
};

#define INODES_PER_BLOCK (BLOCK_SIZE / sizeof(struct disk_inode))

// A directory is a file of these. Names shorter than 14 bytes are filled up with zeros; longer ones
// are cut.
#define NAME_SIZE 14
struct dir_entry {
    uint16_t inode;
    char name[NAME_SIZE];
};

// The log holds transactions one behind the other, from its first block on: a header, then the new
// contents of `count` blocks in the order of block[]. A transaction is valid if magic, sequence and
// checksum fit, where the sequence is one more than that of the transaction in front of it (any,
// for the first). The checksum covers salt, sequence, count, block[0..count) and the contents, so a
// commit is one write of all of it and one flush: a torn transaction is no transaction. When the
// log is nearly full, every block in it is written to its home, the disk is flushed, the log is
// marked empty, the disk is flushed again, and the next transaction starts at the log's first
// block.
//
// Recovery (kernel at mount, fsck) copies the valid transactions home in order, from the log's
// first block until one is not valid, flushes, and marks the log empty.
//
// An empty log's first block is zeros (mkfs), or a header with count 0, which is no valid
// transaction: its sequence is the number that the next one will have. So numbers are never used
// twice, and what older transactions left further on in the log is never taken for new.
#define LOG_MAGIC 0x52464c47
#define LOG_MAX_COUNT (BLOCK_SIZE / 4 - 6)
#define LOG_MIN_BLOCKS 64 // a smaller log is refused
struct log_header {
    uint32_t magic;
    uint32_t count; // blocks that follow, 1 to LOG_MAX_COUNT
    uint64_t sequence;
    uint32_t checksum;
    uint32_t reserved;
    uint32_t
        block[LOG_MAX_COUNT]; // where each goes; never block 0, the super block or the log itself
};

// A simple, fast checksum of n bytes, n a multiple of 4 (FNV-1a over 32-bit words), chained through
// `sum`.
static inline uint32_t fs_checksum(uint32_t sum, const void *data, uint32_t n)
{
    const uint32_t *word = data;
    uint32_t h = sum ^ 2166136261u;
    for (uint32_t i = 0; i < n / 4; i++)
        h = (h ^ word[i]) * 16777619u;
    return h;
}

// A transaction's checksum: start with its header, then chain every block's contents with
// fs_checksum(sum, contents, BLOCK_SIZE), in the order of block[].
static inline uint32_t log_checksum_start(uint32_t salt, const struct log_header *header)
{
    uint32_t first[4] = {salt, (uint32_t)header->sequence, (uint32_t)(header->sequence >> 32),
                         header->count};
    return fs_checksum(fs_checksum(0, first, sizeof(first)), header->block, header->count * 4);
}

#endif
