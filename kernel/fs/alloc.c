// Free blocks (a bitmap on the disk) and free inodes (type 0 in the inode table; a bitmap in
// memory).
//
// Free blocks are counted in memory. An operation first sets aside as many as it may need, so a
// full disk is noticed before anything is changed.

#include "kernel/fs/fs.h"
#include "kernel/mm/page.h"

#define BITS_PER_BLOCK (BLOCK_SIZE * 8)
#define MAX_GROUPS LOG_MAX_COUNT // bitmap blocks; fs_mount() makes sure of it
#define SEARCH_ROUNDS 3

static struct {
    struct spinlock lock;
    uint32_t free_blocks;            // neither in use nor reserved
    uint32_t next_block;             // where the next search begins
    uint16_t group_free[MAX_GROUPS]; // free bits of each bitmap block: a hint for searches
    uint32_t free_inodes;
    uint32_t inode_word; // all words of inode_used before this one are full
    uint64_t inode_used[(MAX_INODES + 64) / 64];
} alloc = {.lock = SPINLOCK("alloc")};

uint32_t fs_free_blocks(void)
{
    return alloc.free_blocks;
}

uint32_t fs_free_inodes(void)
{
    return alloc.free_inodes;
}

bool block_in_data(uint32_t block)
{
    return block >= fs.super.data_start && block < fs.super.size;
}

// The first zero bit in [from, to), or `to`.
static uint32_t find_zero(const uint64_t *words, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint64_t used = words[from / 64] >> from % 64;
        if (used == ~0ull >> from % 64) {
            from = (from / 64 + 1) * 64;
            continue;
        }
        for (; used & 1; used >>= 1)
            from++;
        return from < to ? from : to;
    }
    return to;
}

// The data blocks that bitmap block `group` tells of: [*low, *high), as bits of it.
static void group_range(uint32_t group, uint32_t *low, uint32_t *high)
{
    uint64_t first = (uint64_t)group * BITS_PER_BLOCK;
    uint64_t start = fs.super.data_start, end = fs.super.size;
    *high = min_u64(end - first, BITS_PER_BLOCK);
    *low = start > first ? min_u64(start - first, *high) : 0;
}

static uint32_t count_ones(uint64_t word)
{
    uint32_t count = 0;
    for (; word; word &= word - 1)
        count++;
    return count;
}

static uint32_t count_zeros(const uint64_t *words, uint32_t from, uint32_t to)
{
    uint32_t zeros = to - from, next;
    for (; from < to; from = next) {
        next = min_u64((from / 64 + 1) * 64, to);
        uint64_t used = words[from / 64] >> from % 64 << (64 - (next - from));
        zeros -= count_ones(used);
    }
    return zeros;
}

int alloc_mount(void)
{
    memset(alloc.inode_used, 0, sizeof(alloc.inode_used));
    alloc.inode_used[0] = 1; // inode 0 is never used
    alloc.inode_word = 0;
    alloc.free_inodes = fs.super.inodes - 1;
    alloc.free_blocks = alloc.next_block = 0;
    int status = 0;
    for (uint32_t group = 0; group < fs.bitmap_blocks; group++) {
        struct buf *buf;
        if (buf_read(fs.super.bitmap_start + group, &buf) < 0) {
            status = -EIO;
            continue;
        }
        uint32_t low, high;
        group_range(group, &low, &high);
        alloc.group_free[group] = count_zeros(buf->data, low, high);
        alloc.free_blocks += alloc.group_free[group];
        buf_release(buf);
    }
    return status;
}

// ---- blocks ----

int blocks_reserve(uint32_t count)
{
    spin_lock(&alloc.lock);
    bool enough = alloc.free_blocks >= count;
    if (enough)
        alloc.free_blocks -= count;
    spin_unlock(&alloc.lock);
    return enough ? 0 : -ENOSPC;
}

void blocks_unreserve(uint32_t count)
{
    spin_lock(&alloc.lock);
    alloc.free_blocks += count;
    spin_unlock(&alloc.lock);
}

// Where the search for a block near `goal` begins.
static uint32_t search_start(uint32_t goal)
{
    spin_lock(&alloc.lock);
    uint32_t start = block_in_data(goal) ? goal : alloc.next_block;
    spin_unlock(&alloc.lock);
    return start;
}

static bool group_full(uint32_t group)
{
    spin_lock(&alloc.lock);
    bool full = alloc.group_free[group] == 0;
    spin_unlock(&alloc.lock);
    return full;
}

// Takes a free block of a group, the first at or after bit `from` if there is one there. 1 and
// *block, 0 if the group is full, or -E.
static int group_take(uint32_t group, uint32_t from, uint32_t *block)
{
    uint32_t low, high;
    group_range(group, &low, &high);
    struct buf *buf;
    int status = buf_read(fs.super.bitmap_start + group, &buf);
    if (status < 0)
        return status;
    uint64_t *words = buf->data;
    uint32_t bit = find_zero(words, max_u64(from, low), high);
    if (bit == high)
        bit = find_zero(words, low, high);
    if (bit < high) {
        words[bit / 64] |= 1ull << bit % 64;
        log_write(buf);
        *block = group * BITS_PER_BLOCK + bit;
        spin_lock(&alloc.lock);
        alloc.group_free[group]--;
        alloc.next_block = *block + 1 < fs.super.size ? *block + 1 : 0;
        spin_unlock(&alloc.lock);
    }
    buf_release(buf);
    return bit < high;
}

int block_alloc(uint32_t goal, uint32_t *block)
{
    uint32_t start = search_start(goal);
    uint32_t first = start / BITS_PER_BLOCK, bit = start % BITS_PER_BLOCK;
    // The reservation promises that there is one. Others may take it from under our eyes and free
    // another behind our back, so one round may miss it.
    for (uint32_t i = 0; i < SEARCH_ROUNDS * fs.bitmap_blocks; i++) {
        uint32_t group = (first + i) % fs.bitmap_blocks;
        if (group_full(group))
            continue;
        int status = group_take(group, i == 0 ? bit : 0, block);
        if (status != 0)
            return status < 0 ? status : 0;
    }
    return -EIO;
}

// Frees the blocks at the front of the array that one bitmap block tells of. Returns how many
// entries it has dealt with; *status becomes -EIO if they could not be freed.
static uint32_t free_run(const uint32_t *blocks, uint32_t count, int *status)
{
    uint32_t group = blocks[0] / BITS_PER_BLOCK, freed = 0, n = 0;
    struct buf *buf = NULL;
    if (block_in_data(blocks[0]) && buf_read(fs.super.bitmap_start + group, &buf) < 0)
        buf = NULL;
    for (; n < count && (blocks[n] == 0 || blocks[n] / BITS_PER_BLOCK == group); n++) {
        if (blocks[n] == 0)
            continue;
        uint32_t bit = blocks[n] % BITS_PER_BLOCK;
        uint64_t *words = buf ? buf->data : NULL;
        if (!words || !block_in_data(blocks[n]) || !(words[bit / 64] >> bit % 64 & 1)) {
            *status = -EIO; // unreadable; not a file's block; freed already
            continue;
        }
        words[bit / 64] &= ~(1ull << bit % 64);
        freed++;
    }
    if (buf) {
        if (freed)
            log_write(buf);
        buf_release(buf);
        spin_lock(&alloc.lock);
        alloc.group_free[group] += freed;
        alloc.free_blocks += freed;
        spin_unlock(&alloc.lock);
    }
    return n;
}

int blocks_free(const uint32_t *blocks, uint32_t count)
{
    int status = 0;
    // First, while they are still marked in use: nobody else can have them yet.
    for (uint32_t i = 0; i < count; i++)
        if (block_in_data(blocks[i]))
            log_forget(blocks[i]);
    for (uint32_t i = 0; i < count;)
        i += blocks[i] ? free_run(blocks + i, count - i, &status) : 1;
    return status;
}

// ---- inode numbers ----

void alloc_inode_used(uint32_t number)
{
    spin_lock(&alloc.lock);
    alloc.inode_used[number / 64] |= 1ull << number % 64;
    alloc.free_inodes--;
    spin_unlock(&alloc.lock);
}

uint32_t inode_number_alloc(void)
{
    spin_lock(&alloc.lock);
    uint32_t number = find_zero(alloc.inode_used, alloc.inode_word * 64, fs.super.inodes);
    bool found = number < fs.super.inodes;
    if (found) {
        alloc.inode_used[number / 64] |= 1ull << number % 64;
        alloc.free_inodes--;
        alloc.inode_word = number / 64;
    }
    spin_unlock(&alloc.lock);
    return found ? number : 0;
}

void inode_number_free(uint32_t number)
{
    spin_lock(&alloc.lock);
    alloc.inode_used[number / 64] &= ~(1ull << number % 64);
    alloc.free_inodes++;
    alloc.inode_word = min_u64(alloc.inode_word, number / 64);
    spin_unlock(&alloc.lock);
}
