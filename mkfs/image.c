// Reading an image: opening, the super block, the log, inodes and their blocks.

#include "mkfs/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BITS_PER_BLOCK (BLOCK_SIZE * 8)

const char *image_open(struct image *image, const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return strerror(errno);
    off_t bytes = lseek(fd, 0, SEEK_END);
    const char *error = NULL;
    if (bytes < 0) {
        error = strerror(errno);
    } else if (bytes < (SUPER_BLOCK + 1) * BLOCK_SIZE) {
        error = "too short to hold a super block";
    } else {
        image->blocks = (uint64_t)bytes / BLOCK_SIZE;
        image->data = mmap(NULL, image->blocks * BLOCK_SIZE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_NORESERVE, fd, 0);
        if (image->data == MAP_FAILED)
            error = strerror(errno);
        else
            memcpy(&image->super, image->data + SUPER_BLOCK * BLOCK_SIZE, sizeof(image->super));
    }
    close(fd);
    return error;
}

void image_close(struct image *image)
{
    munmap(image->data, image->blocks * BLOCK_SIZE);
}

// A stretch of blocks that has one purpose.
struct area {
    const char *name;
    uint64_t start, end; // [start, end)
};

static struct area area(const char *name, uint64_t start, uint64_t blocks)
{
    return (struct area){name, start, start + blocks};
}

// They lie one behind the other, in this order.
static bool check_areas(const struct super_block *super, report_fn *report)
{
    uint64_t table = (super->inodes + INODES_PER_BLOCK - 1) / INODES_PER_BLOCK;
    uint64_t bitmap = ((uint64_t)super->size + BITS_PER_BLOCK - 1) / BITS_PER_BLOCK;
    uint64_t data = super->size > super->data_start ? super->size - super->data_start : 0;
    const struct area areas[] = {
        area("the super block", 0, SUPER_BLOCK + 1),
        area("the log", super->log_start, super->log_blocks),
        area("the inode table", super->inode_start, table),
        area("the bitmap", super->bitmap_start, bitmap),
        area("the data area", super->data_start, data),
    };
    const unsigned n = sizeof(areas) / sizeof(areas[0]);
    bool good = true;
    for (unsigned i = 0; i < n; i++) {
        const struct area *a = &areas[i];
        if (a->end > super->size || a->start == a->end) {
            report("super block: %s (%llu blocks from %llu) does not fit into %u blocks", a->name,
                   (unsigned long long)(a->end - a->start), (unsigned long long)a->start,
                   super->size);
            good = false;
        }
        if (i > 0 && a->start < areas[i - 1].end) {
            report("super block: %s begins before the end of %s", a->name, areas[i - 1].name);
            good = false;
        }
    }
    return good;
}

bool image_check_super(const struct image *image, report_fn *report)
{
    const struct super_block *super = &image->super;
    if (super->magic != FS_MAGIC) {
        report("super block: no Ringfence file system (magic number 0x%08x)", super->magic);
        return false;
    }
    if (super->version != FS_VERSION) {
        report("super block: version %u; this program knows version %d", super->version,
               FS_VERSION);
        return false;
    }
    if (super->checksum != fs_checksum(0, super, offsetof(struct super_block, checksum))) {
        report("super block: wrong checksum");
        return false;
    }
    bool good = true;
    if (super->size > image->blocks) {
        report("super block: %u blocks, but the image has only %llu", super->size,
               (unsigned long long)image->blocks);
        good = false;
    }
    if (super->inodes <= ROOT_INODE || super->inodes > MAX_INODES + 1) {
        report("super block: %u inodes; there can be %d to %d", super->inodes, ROOT_INODE + 1,
               MAX_INODES + 1);
        good = false;
    }
    if (super->log_blocks < LOG_MIN_BLOCKS) {
        report("super block: a log of %u blocks; the kernel wants %d", super->log_blocks,
               LOG_MIN_BLOCKS);
        good = false;
    }
    return check_areas(super, report) && good;
}

// The transaction at block `at` of the log, if it is whole, fits and continues the one in front.
static const struct log_header *find_transaction(const struct image *image, uint32_t at,
                                                 const struct log_header *before)
{
    const struct super_block *super = &image->super;
    if (at >= super->log_blocks)
        return NULL;
    const struct log_header *header = image_block(image, super->log_start + at);
    if (header->magic != LOG_MAGIC || header->count == 0 || header->count > LOG_MAX_COUNT ||
        header->count > super->log_blocks - at - 1)
        return NULL;
    if (before && header->sequence != before->sequence + 1)
        return NULL;
    uint32_t sum = log_checksum_start(super->salt, header);
    for (uint32_t i = 0; i < header->count; i++)
        sum = fs_checksum(sum, image_block(image, super->log_start + at + 1 + i), BLOCK_SIZE);
    return sum == header->checksum ? header : NULL;
}

static bool may_be_logged(const struct super_block *super, uint32_t block)
{
    bool in_log = block >= super->log_start && block - super->log_start < super->log_blocks;
    return block > SUPER_BLOCK && block < super->size && !in_log;
}

unsigned image_replay(struct image *image, report_fn *report)
{
    const struct super_block *super = &image->super;
    const struct log_header *header = NULL;
    unsigned transactions = 0;
    uint32_t at = 0;
    while ((header = find_transaction(image, at, header))) {
        for (uint32_t i = 0; i < header->count; i++) {
            if (!may_be_logged(super, header->block[i])) {
                report("log: transaction %llu writes block %u, which no transaction may",
                       (unsigned long long)header->sequence, header->block[i]);
                return transactions;
            }
        }
        for (uint32_t i = 0; i < header->count; i++)
            memcpy(image_block(image, header->block[i]),
                   image_block(image, super->log_start + at + 1 + i), BLOCK_SIZE);
        transactions++;
        at += 1 + header->count;
    }
    return transactions;
}

void *image_block(const struct image *image, uint32_t block)
{
    return image->data + (size_t)block * BLOCK_SIZE;
}

bool image_is_data(const struct image *image, uint32_t block)
{
    return block >= image->super.data_start && block < image->super.size;
}

bool image_bit(const struct image *image, uint64_t block)
{
    const uint8_t *bits = image_block(image, image->super.bitmap_start);
    return bits[block / 8] >> block % 8 & 1;
}

const struct disk_inode *image_inode(const struct image *image, uint32_t number)
{
    if (number >= image->super.inodes)
        return NULL;
    const struct disk_inode *table = image_block(image, image->super.inode_start);
    return &table[number];
}

// Visits `block` and, below it, `level` levels of block numbers.
static void walk(const struct image *image, uint32_t block, uint64_t index, unsigned level,
                 visit_fn *visit, void *context)
{
    if (block == 0 || !visit(context, block, index, level) || level == 0 ||
        !image_is_data(image, block))
        return;
    const uint32_t *pointers = image_block(image, block);
    uint64_t step = level == 2 ? POINTERS_PER_BLOCK : 1;
    for (uint32_t i = 0; i < POINTERS_PER_BLOCK; i++)
        walk(image, pointers[i], index + i * step, level - 1, visit, context);
}

void image_walk(const struct image *image, const struct disk_inode *inode, visit_fn *visit,
                void *context)
{
    for (uint32_t i = 0; i < DIRECT_BLOCKS; i++)
        walk(image, inode->direct[i], i, 0, visit, context);
    walk(image, inode->indirect, DIRECT_BLOCKS, 1, visit, context);
    walk(image, inode->double_indirect, DIRECT_BLOCKS + POINTERS_PER_BLOCK, 2, visit, context);
}

static uint32_t pointer_at(const struct image *image, uint32_t block, uint64_t index)
{
    if (!image_is_data(image, block))
        return 0;
    const uint32_t *pointers = image_block(image, block);
    return pointers[index];
}

const void *image_content(const struct image *image, const struct disk_inode *inode, uint64_t index)
{
    uint32_t block = 0;
    if (index < DIRECT_BLOCKS) {
        block = inode->direct[index];
    } else if ((index -= DIRECT_BLOCKS) < POINTERS_PER_BLOCK) {
        block = pointer_at(image, inode->indirect, index);
    } else if ((index -= POINTERS_PER_BLOCK) < (uint64_t)POINTERS_PER_BLOCK * POINTERS_PER_BLOCK) {
        block = pointer_at(image, inode->double_indirect, index / POINTERS_PER_BLOCK);
        block = pointer_at(image, block, index % POINTERS_PER_BLOCK);
    }
    return image_is_data(image, block) ? image_block(image, block) : NULL;
}

bool is_name(const struct dir_entry *entry, const char *name)
{
    size_t n = strnlen(entry->name, NAME_SIZE);
    return strlen(name) == n && !memcmp(entry->name, name, n);
}
