// fsck: inodes, the blocks they use, and the bitmap.

#include "kernel/inode_types.h"
#include "mkfs/check.h"

#include <stdio.h>

// One inode whose blocks are being visited.
struct claim {
    struct check *check;
    uint32_t number;
    uint64_t size;   // in blocks, as its size says
    uint64_t mapped; // blocks of content before the end
    uint64_t beyond; // blocks of either kind past the end
    uint32_t first_beyond;
};

static bool claim_block(void *context, uint32_t block, uint64_t index, unsigned level)
{
    struct claim *claim = context;
    struct check *check = claim->check;
    if (index >= claim->size && claim->beyond++ == 0)
        claim->first_beyond = block;
    if (index < claim->size && level == 0)
        claim->mapped++;
    if (!image_is_data(&check->image, block)) {
        check->problem("%s: block %u is outside the data area", check_label(check, claim->number),
                       block);
        return false;
    }
    uint16_t *owner = &check->owner[block];
    if (*owner) {
        check->problem("%s: block %u is used twice, also by %s", check_label(check, claim->number),
                       block, check_label(check, *owner));
        return false;
    }
    *owner = (uint16_t)claim->number;
    check->inodes[claim->number].blocks++;
    return true;
}

static void check_blocks(struct check *check, uint32_t number, const struct disk_inode *inode)
{
    struct claim claim = {.check = check, .number = number, .size = blocks_of(inode->size)};
    image_walk(&check->image, inode, claim_block, &claim);
    if (claim.beyond)
        check->problem("%s: %llu blocks lie past its end, the first is block %u",
                       check_label(check, number), (unsigned long long)claim.beyond,
                       claim.first_beyond);
    if (inode->type == T_DIR && claim.mapped < claim.size)
        check->problem("%s: a directory of %llu blocks with a hole: %llu are there",
                       check_label(check, number), (unsigned long long)claim.size,
                       (unsigned long long)claim.mapped);
}

static void check_type(struct check *check, uint32_t number, const struct disk_inode *inode)
{
    const char *label = check_label(check, number);
    unsigned long long size = inode->size;
    if (inode->type == T_DIR) {
        // One without links may be what a mkdir() began for which there was no room.
        bool begun = size == 0 && inode->nlink == 0;
        if (!begun && (size % sizeof(struct dir_entry) || size < 2 * sizeof(struct dir_entry)))
            check->problem("%s: a directory cannot have a size of %llu bytes", label, size);
    } else if (inode->type == T_DEVICE) {
        // mknod() makes whatever it is asked for; opening it is what fails.
        if (inode->major <= 0 || inode->major >= DEV_MAX)
            check->note("%s: no driver has the device number %d", label, inode->major);
        if (size)
            check->problem("%s: a device cannot have a size (%llu bytes)", label, size);
    } else if (inode->type != T_FILE) {
        check->problem("%s: unknown type %d", label, inode->type);
    }
    if (blocks_of(size) > MAX_FILE_BLOCKS)
        check->problem("%s: its size is impossible: %llu bytes", label, size);
}

void check_inodes(struct check *check)
{
    if (image_inode(&check->image, 0)->type)
        check->problem("inode 0: in use, which it never may be");
    const struct disk_inode *root = image_inode(&check->image, ROOT_INODE);
    if (root->type != T_DIR)
        check->problem("inode %d: the root is not a directory", ROOT_INODE);
    for (uint32_t i = ROOT_INODE; i < check->image.super.inodes; i++) {
        const struct disk_inode *inode = image_inode(&check->image, i);
        if (inode->type == 0)
            continue;
        check_type(check, i, inode);
        check_blocks(check, i, inode);
    }
}

enum verdict { RIGHT, FREE_BUT_OURS, FREE_BUT_USED, USED_BY_NONE, PAST_THE_END };

static enum verdict judge_bit(const struct check *check, uint64_t block)
{
    const struct super_block *super = &check->image.super;
    bool bit = image_bit(&check->image, block);
    if (block >= super->size)
        return bit ? PAST_THE_END : RIGHT;
    if (block < super->data_start)
        return bit ? RIGHT : FREE_BUT_OURS;
    if (check->owner[block])
        return bit ? RIGHT : FREE_BUT_USED;
    return bit ? USED_BY_NONE : RIGHT;
}

static void report_bits(struct check *check, enum verdict verdict, uint64_t first, uint64_t last)
{
    char blocks[64];
    if (first == last)
        snprintf(blocks, sizeof(blocks), "block %llu", (unsigned long long)first);
    else
        snprintf(blocks, sizeof(blocks), "blocks %llu to %llu", (unsigned long long)first,
                 (unsigned long long)last);
    if (verdict == FREE_BUT_OURS)
        check->problem("bitmap: %s before the data area marked free", blocks);
    else if (verdict == FREE_BUT_USED)
        check->problem("bitmap: %s marked free, but used by %s", blocks,
                       check_label(check, check->owner[first]));
    else if (verdict == USED_BY_NONE)
        check->problem("bitmap: %s marked in use, but nothing uses it", blocks);
    else if (verdict == PAST_THE_END)
        check->problem("bitmap: %s marked in use, but past the last block", blocks);
}

// A run of blocks with the same mistake and the same owner makes one line.
void check_bitmap(struct check *check)
{
    const uint64_t size = check->image.super.size;
    const uint64_t bits = blocks_of((size + 7) / 8) * BLOCK_SIZE * 8;
    enum verdict verdict = RIGHT;
    uint64_t first = 0;
    for (uint64_t b = 0; b < bits; b++) {
        enum verdict next = judge_bit(check, b);
        bool same_owner = next != FREE_BUT_USED || check->owner[b] == check->owner[first];
        if (next == verdict && same_owner)
            continue;
        report_bits(check, verdict, first, b - 1);
        verdict = next;
        first = b;
    }
    report_bits(check, verdict, first, bits - 1);
}
