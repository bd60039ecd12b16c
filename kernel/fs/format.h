// The layout of the file system on the disk. The kernel, mkfs and fsck share this file.
//
//   block 0        1            ...                                                   size
//   | (unused) | super block | log | inode table | free bitmap | data blocks ........ |
//
// All numbers are little-endian. A block is 4 KiB, the size of a page, so a buffer needs one page
// and one descriptor. The layout is that of xv6, except for the block size, the double-indirect
// block, 64-bit sizes and a log of many transactions (see struct log_header).

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
    uint32_t size;      // blocks of the file system; the disk may be larger
    uint32_t inodes;    // entries of the inode table, with the unused entry 0
    uint32_t log_start; // first block of the log
    uint32_t log_blocks;
    uint32_t inode_start;  // first block of the inode table
    uint32_t bitmap_start; // first block of the bitmap: bit b is 1 if block b is in use
    uint32_t data_start;   // first data block; all blocks before it are marked as in use
    uint32_t salt;         // a random number from mkfs; part of every log checksum
    uint32_t checksum;     // fs_checksum(0, every field above)
};

#define DIRECT_BLOCKS 10
#define POINTERS_PER_BLOCK (BLOCK_SIZE / 4) // block numbers in an indirect block
#define MAX_FILE_BLOCKS                                                                            \
    (DIRECT_BLOCKS + POINTERS_PER_BLOCK + (uint64_t)POINTERS_PER_BLOCK * POINTERS_PER_BLOCK)

// An inode on the disk, 64 bytes. A block number of 0 is a hole: it reads as zeros. Only a program
// that calls lseek() and then writes behind the end of a file makes one.
struct disk_inode {
    int16_t type;  // 0 free, else T_DIR, T_FILE, T_DEVICE (inode_types.h)
    int16_t major; // T_DEVICE only
    int16_t minor;
    int16_t nlink; // directory entries with this inode: ".." counts, "." does not, as in xv6
    uint64_t size; // bytes
    uint32_t direct[DIRECT_BLOCKS];
    uint32_t indirect;        // a block of block numbers
    uint32_t double_indirect; // a block of the numbers of such blocks
};

#define INODES_PER_BLOCK (BLOCK_SIZE / sizeof(struct disk_inode))

// A directory is a file of these. A name shorter than 14 bytes is followed by zeros, a longer one
// is cut off.
#define NAME_SIZE 14
struct dir_entry {
    uint16_t inode;
    char name[NAME_SIZE];
};

// The log contains transactions, one after another, from its first block on. A transaction is a
// header, then the new contents of `count` blocks, in the order of block[]. It is valid if
//
//   - the magic number is right,
//   - its sequence number is one more than that of the transaction before it (any, for the first),
//   - the checksum is right. It covers the salt, sequence, count, block[0..count) and the contents.
//
// So a commit needs only one write of all these blocks and one flush: if a crash interrupts the
// write, the transaction is not valid. When the log is nearly full, the kernel writes every block
// in it to its home place, flushes, marks the log empty and flushes again. The next transaction
// starts at the log's first block.
//
// Recovery (by the kernel when it mounts, by fsck) copies the valid transactions home in order,
// from the log's first block up to one that is not valid. Then it flushes and marks the log empty.
//
// The first block of an empty log is either zeros (from mkfs), or a header with count 0, which is
// not a valid transaction. Its sequence is the number of the next transaction. So no number is used
// twice, and recovery cannot take remains of older transactions for new ones.
#define LOG_MAGIC 0x52464c47
#define LOG_MAX_COUNT (BLOCK_SIZE / 4 - 6)
#define LOG_MIN_BLOCKS 64 // a smaller log is invalid
struct log_header {
    uint32_t magic;
    uint32_t count; // blocks that follow, 1 to LOG_MAX_COUNT
    uint64_t sequence;
    uint32_t checksum;
    uint32_t reserved;
    // The home places. Never block 0, the super block or a block of the log.
    uint32_t block[LOG_MAX_COUNT];
};

// A simple, fast checksum (FNV-1a over 32-bit words) of n bytes, a multiple of 4. Pass the result
// as `sum` of the next call to continue.
static inline uint32_t fs_checksum(uint32_t sum, const void *data, uint32_t n)
{
    const uint32_t *word = data;
    uint32_t h = sum ^ 2166136261u;
    for (uint32_t i = 0; i < n / 4; i++)
        h = (h ^ word[i]) * 16777619u;
    return h;
}

// The checksum of a transaction starts with its header. Continue with fs_checksum(sum, contents,
// BLOCK_SIZE) for every block, in the order of block[].
static inline uint32_t log_checksum_start(uint32_t salt, const struct log_header *header)
{
    uint32_t first[4] = {salt, (uint32_t)header->sequence, (uint32_t)(header->sequence >> 32),
                         header->count};
    return fs_checksum(fs_checksum(0, first, sizeof(first)), header->block, header->count * 4);
}

#endif
