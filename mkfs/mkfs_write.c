// Writing the image: contents, block numbers, inodes, bitmap, super block.

#include "mkfs/mkfs_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the image is little-endian");
_Static_assert(sizeof(struct disk_inode) == 64 && sizeof(struct dir_entry) == 16, "format");
_Static_assert(sizeof(struct log_header) == BLOCK_SIZE, "format");

#define COPY_BYTES (1 << 20) // read and written at a time; a multiple of BLOCK_SIZE

// An image being written. Blocks are given out in order, so the next free one says which are in
// use.
struct writer {
    int fd;
    const char *path;
    struct super_block *super;
    struct disk_inode *inodes; // the whole table, written last
    uint32_t next_block;
    uint8_t *copy; // COPY_BYTES
};

static void write_at(struct writer *w, uint32_t block, const void *data, size_t size)
{
    off_t at = (off_t)block * BLOCK_SIZE;
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(w->fd, (const char *)data + done, size - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("%s: %s", w->path, n < 0 ? strerror(errno) : "cannot write");
        done += (size_t)n;
    }
}

// Writes a block of `count` consecutive block numbers and returns where it lies.
static uint32_t write_pointers(struct writer *w, uint32_t first, uint32_t count)
{
    uint32_t pointers[POINTERS_PER_BLOCK] = {0};
    for (uint32_t i = 0; i < count; i++)
        pointers[i] = first + i;
    write_at(w, w->next_block, pointers, sizeof(pointers));
    return w->next_block++;
}

static uint32_t at_most(uint32_t n, uint32_t limit)
{
    return n < limit ? n : limit;
}

// Points an inode at its contents: `count` blocks from `first` on. A file is one run on the disk,
// and its indirect blocks follow it.
static void set_pointers(struct writer *w, struct disk_inode *inode, uint32_t first, uint32_t count)
{
    uint32_t n = at_most(count, DIRECT_BLOCKS);
    for (uint32_t i = 0; i < n; i++)
        inode->direct[i] = first + i;
    first += n;
    count -= n;
    if (count == 0)
        return;
    n = at_most(count, POINTERS_PER_BLOCK);
    inode->indirect = write_pointers(w, first, n);
    first += n;
    count -= n;
    if (count == 0)
        return;
    uint32_t below = w->next_block;
    uint32_t blocks = 0;
    for (; count; blocks++) {
        n = at_most(count, POINTERS_PER_BLOCK);
        write_pointers(w, first, n);
        first += n;
        count -= n;
    }
    inode->double_indirect = write_pointers(w, below, blocks);
}

// Writes the contents of a directory at the next free block.
static void write_entries(struct writer *w, const struct node *node)
{
    size_t bytes = content_blocks(node->size) * BLOCK_SIZE;
    struct dir_entry *entries = allocate(NULL, bytes);
    memset(entries, 0, bytes);
    entries[0].inode = (uint16_t)node->inode;
    memcpy(entries[0].name, ".", 1);
    entries[1].inode = (uint16_t)node->parent->inode;
    memcpy(entries[1].name, "..", 2);
    for (unsigned i = 0; i < node->count; i++) {
        const struct node *child = node->children[i];
        entries[i + 2].inode = (uint16_t)child->inode;
        memcpy(entries[i + 2].name, child->name, strlen(child->name));
    }
    write_at(w, w->next_block, entries, bytes);
    free(entries);
}

// Reads until `size` bytes are there or the file ends.
static size_t read_fully(int fd, void *buffer, size_t size, const char *path)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, (char *)buffer + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die("%s: %s", path, strerror(errno));
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return done;
}

// Copies the contents of a host file to the next free block. Its blocks were counted from its size,
// so a file that changes meanwhile is an error.
static void copy_file(struct writer *w, const struct node *node)
{
    int fd = open(node->source, O_RDONLY);
    if (fd < 0)
        die("%s: %s", node->source, strerror(errno));
    uint32_t block = w->next_block;
    uint64_t left = node->size;
    while (left) {
        size_t n = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
        if (read_fully(fd, w->copy, n, node->source) != n)
            die("%s: became shorter while it was read", node->source);
        size_t padded = content_blocks(n) * BLOCK_SIZE;
        memset(w->copy + n, 0, padded - n);
        write_at(w, block, w->copy, padded);
        block += (uint32_t)(padded / BLOCK_SIZE);
        left -= n;
    }
    if (read_fully(fd, w->copy, 1, node->source))
        die("%s: became longer while it was read", node->source);
    close(fd);
}

static void write_node(struct writer *w, const struct node *node)
{
    struct disk_inode *inode = &w->inodes[node->inode];
    inode->type = node->type;
    inode->major = node->major;
    inode->minor = node->minor;
    inode->size = node->size;
    inode->nlink = 1;
    if (node->type == T_DIR) {
        // One for the entry in its parent (for the root its own ".."), one for each child's "..".
        inode->nlink = (int16_t)(1 + node->subdirectories);
        write_entries(w, node);
    } else if (node->type == T_FILE) {
        copy_file(w, node);
    }
    uint32_t first = w->next_block;
    uint32_t count = (uint32_t)content_blocks(node->size);
    w->next_block += count;
    set_pointers(w, inode, first, count);
    for (unsigned i = 0; i < node->count; i++)
        write_node(w, node->children[i]);
}

static void write_bitmap(struct writer *w)
{
    size_t bytes = (size_t)(w->super->data_start - w->super->bitmap_start) * BLOCK_SIZE;
    uint8_t *bits = allocate(NULL, bytes);
    memset(bits, 0, bytes);
    memset(bits, 0xff, w->next_block / 8);
    for (uint32_t b = w->next_block & ~7u; b < w->next_block; b++)
        bits[b / 8] |= (uint8_t)(1u << b % 8);
    // Zeros are there already; skipping them keeps the image sparse.
    write_at(w, w->super->bitmap_start, bits, content_blocks(w->next_block / 8 + 1) * BLOCK_SIZE);
    free(bits);
}

// What is not written stays a hole of zeros: the log, free inodes, free blocks.
void write_image(int fd, const char *path, struct super_block *super, const struct node *root,
                 uint32_t inodes)
{
    size_t table = content_blocks((inodes + 1) * sizeof(struct disk_inode)) * BLOCK_SIZE;
    struct writer w = {.fd = fd, .path = path, .super = super, .next_block = super->data_start};
    w.inodes = allocate(NULL, table);
    memset(w.inodes, 0, table);
    w.copy = allocate(NULL, COPY_BYTES);
    if (ftruncate(fd, (off_t)super->size * BLOCK_SIZE) < 0)
        die("%s: %s", path, strerror(errno));
    write_node(&w, root);
    write_bitmap(&w);
    write_at(&w, super->inode_start, w.inodes, table);
    super->checksum = fs_checksum(0, super, offsetof(struct super_block, checksum));
    write_at(&w, SUPER_BLOCK, super, sizeof(*super));
    free(w.inodes);
    free(w.copy);
}
