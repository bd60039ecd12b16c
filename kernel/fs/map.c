// Which disk block holds which block of a file.
//
// A file's first blocks are named in its inode, the next in a table (the indirect block), the
// others in tables that another table names (double indirect).

#include "kernel/fs/fs.h"

// Where a file's block is named: how many tables lie between the inode and it, and the slot in
// each.
struct place {
    unsigned tables;
    uint32_t *root; // in the inode: the block itself, or the first table
    uint32_t slot[2];
};

static int find_place(struct inode *inode, uint64_t index, struct place *place)
{
    struct disk_inode *disk = &inode->disk;
    if (index < DIRECT_BLOCKS) {
        *place = (struct place){.tables = 0, .root = &disk->direct[index]};
        return 0;
    }
    index -= DIRECT_BLOCKS;
    if (index < POINTERS_PER_BLOCK) {
        *place = (struct place){1, &disk->indirect, {index}};
        return 0;
    }
    index -= POINTERS_PER_BLOCK;
    if (index >= (uint64_t)POINTERS_PER_BLOCK * POINTERS_PER_BLOCK)
        return -EFBIG;
    *place = (struct place){
        2, &disk->double_indirect, {index / POINTERS_PER_BLOCK, index % POINTERS_PER_BLOCK}};
    return 0;
}

int block_lookup(struct inode *inode, uint64_t index, uint32_t *out, uint32_t *missing)
{
    struct place place;
    int status = find_place(inode, index, &place);
    if (status < 0)
        return status;
    uint32_t block = *place.root;
    unsigned level = 0;
    for (; block && level < place.tables; level++) {
        struct buf *buf;
        if (!block_in_data(block))
            return -EIO;
        if ((status = buf_read(block, &buf)) < 0)
            return status;
        const uint32_t *pointers = buf->data;
        block = pointers[place.slot[level]];
        buf_release(buf);
    }
    if (block && !block_in_data(block))
        return -EIO;
    *out = block;
    if (missing)
        *missing = block ? 0 : 1 + place.tables - level;
    return 0;
}

// A new table, all zeros. Inside an operation, the block reserved.
static int table_alloc(uint32_t goal, uint32_t *block)
{
    struct buf *buf;
    int status = block_alloc(goal, block);
    if (status < 0)
        return status;
    if ((status = buf_fresh(*block, &buf)) < 0) {
        blocks_free(block, 1);
        return status;
    }
    memset(buf->data, 0, BLOCK_SIZE);
    log_write(buf);
    buf_release(buf);
    return 0;
}

int block_link(struct inode *inode, uint64_t index, uint32_t block, uint32_t *reserved)
{
    struct place place;
    int status = find_place(inode, index, &place);
    if (status < 0)
        return status;
    uint32_t *pointer = place.root;
    struct buf *holder = NULL; // of the table that *pointer is in
    for (unsigned level = 0; level < place.tables && status == 0; level++) {
        struct buf *table = NULL;
        if (*pointer == 0) {
            uint32_t fresh;
            status = table_alloc(block, &fresh);
            if (status == 0) {
                *pointer = fresh;
                --*reserved;
                if (holder)
                    log_write(holder);
            }
        }
        if (status == 0)
            status = block_in_data(*pointer) ? buf_read(*pointer, &table) : -EIO;
        if (holder)
            buf_release(holder);
        holder = table;
        if (table)
            pointer = (uint32_t *)table->data + place.slot[level];
    }
    if (status == 0) {
        *pointer = block;
        if (holder)
            log_write(holder);
    }
    if (holder)
        buf_release(holder);
    return status;
}

// ---- truncating ----

uint32_t inode_truncate_cost(void)
{
    return fs.bitmap_blocks + 1;
}

// Frees a table and what it names; `levels` tables lie one below the other. Errors leave blocks in
// use.
static int table_free(uint32_t table, unsigned levels)
{
    struct buf *buf;
    int status = 0;
    if (table == 0)
        return 0;
    if (!block_in_data(table) || buf_read(table, &buf) < 0)
        return -EIO;
    const uint32_t *pointers = buf->data;
    if (levels > 1)
        for (unsigned i = 0; i < POINTERS_PER_BLOCK; i++)
            if (table_free(pointers[i], levels - 1) < 0)
                status = -EIO;
    if (levels == 1)
        status = blocks_free(pointers, POINTERS_PER_BLOCK);
    buf_release(buf);
    return blocks_free(&table, 1) < 0 ? -EIO : status;
}

int inode_truncate(struct inode *inode)
{
    struct disk_inode *disk = &inode->disk;
    int status = blocks_free(disk->direct, DIRECT_BLOCKS);
    if (table_free(disk->indirect, 1) < 0)
        status = -EIO;
    if (table_free(disk->double_indirect, 2) < 0)
        status = -EIO;
    memset(disk->direct, 0, sizeof(disk->direct));
    disk->indirect = disk->double_indirect = 0;
    disk->size = 0;
    inode->free_entry = inode->ahead = inode->next_read = 0;
    int updated = inode_update(inode);
    return updated < 0 ? updated : status;
}
