// Directories: files of 16-byte entries (format.h), searched block by block in the buffer cache.

#include "kernel/fs/fs.h"

#define ENTRIES_PER_BLOCK (BLOCK_SIZE / sizeof(struct dir_entry))

// An entry as two numbers, so that a name is compared in two steps. The low 16 bits of the first
// are the inode. They lie over a struct dir_entry in a page, hence may_alias.
typedef uint64_t __attribute__((may_alias)) entry_word;

static void make_entry(struct dir_entry *entry, const char *name, uint32_t number)
{
    memset(entry, 0, sizeof(*entry));
    entry->inode = number;
    for (char *end = entry->name; *name && end < entry->name + NAME_SIZE; name++)
        *end++ = *name;
}

bool name_is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

// The buffer of a block of the directory, locked; NULL in *out for a hole. 0 or -E.
static int dir_block(struct inode *dir, uint64_t index, struct buf **out)
{
    uint32_t block;
    *out = NULL;
    int status = block_lookup(dir, index, &block, NULL);
    return status < 0 || block == 0 ? status : buf_read(block, out);
}

static uint64_t entry_count(const struct inode *dir)
{
    return dir->disk.size / sizeof(struct dir_entry);
}

// How many entries lie in the block that begins with entry `first`.
static unsigned entries_in_block(const struct inode *dir, uint64_t first)
{
    return min_u64(entry_count(dir) - first, ENTRIES_PER_BLOCK);
}

// Looks at `count` entries: the index of the one with this name, or `count`. *free becomes the
// first free one's.
static unsigned scan(const entry_word *words, unsigned count, const entry_word name[2],
                     unsigned *free)
{
    *free = count;
    for (unsigned i = 0; i < count; i++, words += 2) {
        if ((words[0] & 0xffff) == 0) {
            if (*free == count)
                *free = i;
        } else if (words[1] == name[1] && (words[0] ^ name[0]) >> 16 == 0) {
            return i;
        }
    }
    return count;
}

int dir_lookup(struct inode *dir, const char *name, uint32_t *number, uint64_t *offset)
{
    struct dir_entry wanted;
    make_entry(&wanted, name, 0);
    const entry_word *wanted_words = (const entry_word *)&wanted;
    const entry_word target[2] = {wanted_words[0], wanted_words[1]};
    uint64_t free_entry = entry_count(dir);
    for (uint64_t first = 0; first < entry_count(dir); first += ENTRIES_PER_BLOCK) {
        struct buf *buf;
        int status = dir_block(dir, first / ENTRIES_PER_BLOCK, &buf);
        if (status < 0)
            return status;
        if (!buf) {
            free_entry = min_u64(free_entry, first);
            continue;
        }
        unsigned count = entries_in_block(dir, first), free;
        unsigned found = scan(buf->data, count, target, &free);
        const struct dir_entry *entries = buf->data;
        uint32_t inode = found < count ? entries[found].inode : 0;
        buf_release(buf);
        if (free < count)
            free_entry = min_u64(free_entry, first + free);
        if (found < count) {
            *number = inode;
            if (offset)
                *offset = (first + found) * sizeof(struct dir_entry);
            return inode < fs.super.inodes ? 0 : -EIO;
        }
    }
    // Whoever did not find a name often adds it next.
    dir->free_entry = free_entry * sizeof(struct dir_entry);
    return -ENOENT;
}

static long write_entry(struct inode *dir, const struct dir_entry *entry, uint64_t offset)
{
    return inode_write(dir, false, (uint64_t)(uintptr_t)entry, offset, sizeof(*entry));
}

// Makes dir->free_entry the offset of a free entry, or of the directory's end. 0 or -E.
static int find_free_entry(struct inode *dir)
{
    uint64_t at = dir->free_entry / sizeof(struct dir_entry);
    for (bool found = false; !found && at < entry_count(dir);) {
        struct buf *buf;
        int status = dir_block(dir, at / ENTRIES_PER_BLOCK, &buf);
        if (status < 0)
            return status;
        if (!buf)
            break;
        const struct dir_entry *entries = buf->data;
        do {
            found = entries[at % ENTRIES_PER_BLOCK].inode == 0;
        } while (!found && ++at % ENTRIES_PER_BLOCK != 0 && at < entry_count(dir));
        buf_release(buf);
    }
    dir->free_entry = at * sizeof(struct dir_entry);
    return 0;
}

int dir_add(struct inode *dir, const char *name, uint32_t number)
{
    struct dir_entry entry;
    int status = find_free_entry(dir);
    if (status < 0)
        return status;
    make_entry(&entry, name, number);
    long n = write_entry(dir, &entry, dir->free_entry);
    if (n == sizeof(entry))
        dir->free_entry += sizeof(entry);
    return n < 0 ? n : 0;
}

int dir_remove(struct inode *dir, uint64_t offset)
{
    struct dir_entry entry = {0};
    long n = write_entry(dir, &entry, offset);
    if (n > 0)
        dir->free_entry = min_u64(dir->free_entry, offset);
    return n < 0 ? n : 0;
}

int dir_init(struct inode *dir, uint32_t parent)
{
    struct dir_entry entries[2];
    make_entry(&entries[0], ".", dir->lru.number);
    make_entry(&entries[1], "..", parent);
    long n = inode_write(dir, false, (uint64_t)(uintptr_t)entries, 0, sizeof(entries));
    return n < 0 ? n : 0;
}

// The first two entries are "." and "..".
int dir_empty(struct inode *dir)
{
    for (uint64_t at = 2; at < entry_count(dir);) {
        uint64_t first = ALIGN_DOWN(at, ENTRIES_PER_BLOCK);
        struct buf *buf;
        int status = dir_block(dir, first / ENTRIES_PER_BLOCK, &buf);
        if (status < 0)
            return status;
        const struct dir_entry *entries = buf ? buf->data : NULL;
        unsigned count = entries_in_block(dir, first);
        bool used = false;
        for (; at < first + count; at++)
            used |= entries && entries[at - first].inode != 0;
        if (buf)
            buf_release(buf);
        if (used)
            return 0;
    }
    return 1;
}
