// fsck: directories, and what they say about the inodes they name.

#include "kernel/inode_types.h"
#include "mkfs/check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_PER_BLOCK (BLOCK_SIZE / sizeof(struct dir_entry))
#define LABEL_SIZE 256

static char *next_buffer(void)
{
    static char buffers[4][LABEL_SIZE];
    static unsigned used;
    return buffers[used++ % 4];
}

// Copies a name as it can be printed into `text`, NAME_SIZE + 1 bytes. Returns its length.
static size_t printable(const struct dir_entry *entry, char *text)
{
    size_t n = 0;
    for (; n < NAME_SIZE && entry->name[n]; n++)
        text[n] = isprint((unsigned char)entry->name[n]) ? entry->name[n] : '?';
    text[n] = 0;
    return n;
}

const char *check_name(const struct dir_entry *entry)
{
    char *text = next_buffer();
    printable(entry, text);
    return text;
}

const char *check_label(const struct check *check, uint32_t number)
{
    char *label = next_buffer();
    char path[LABEL_SIZE - 32];
    size_t at = sizeof(path) - 1;
    path[at] = 0;
    // Names are put in from the last to the first, as long as there is room for one and "...".
    uint32_t i = number;
    while (check->inodes[i].entry && at >= NAME_SIZE + 5) {
        char name[NAME_SIZE + 1];
        size_t n = printable(check->inodes[i].entry, name);
        at -= n + 1;
        path[at] = '/';
        memcpy(path + at + 1, name, n);
        i = check->inodes[i].parent;
    }
    if (check->inodes[i].entry)
        memcpy(path + (at -= 3), "...", 3);
    else if (number == ROOT_INODE)
        path[--at] = '/';
    if (path[at])
        snprintf(label, LABEL_SIZE, "inode %u (%s)", number, path + at);
    else
        snprintf(label, LABEL_SIZE, "inode %u", number);
    return label;
}

void *check_allocate(void *old, size_t n, size_t size)
{
    void *array = old ? realloc(old, n * size) : calloc(n, size);
    if (!array) {
        fprintf(stderr, "fsck: out of memory\n");
        exit(2);
    }
    return array;
}

// Visits the entries of a directory that are in use. A block is read once in a whole round, however
// many directories claim it: so a round ends, and check_blocks.c reports the second claim.
struct round {
    struct check *check;
    uint32_t directory;
    uint64_t entries; // its size says
    void (*visit)(struct round *round, const struct dir_entry *entry, uint64_t slot);
    const struct dir_entry **found; // what check_entries() gathers
    size_t count, capacity;
};

static bool visit_block(void *context, uint32_t block, uint64_t index, unsigned level)
{
    struct round *round = context;
    const struct image *image = &round->check->image;
    uint8_t *seen = round->check->seen;
    if (!image_is_data(image, block) || seen[block])
        return false;
    seen[block] = 1;
    const struct dir_entry *entries = image_block(image, block);
    for (uint64_t i = 0; level == 0 && i < ENTRIES_PER_BLOCK; i++) {
        uint64_t slot = index * ENTRIES_PER_BLOCK + i;
        if (slot < round->entries && entries[i].inode)
            round->visit(round, &entries[i], slot);
    }
    return true;
}

static void visit_entries(struct round *round, uint32_t directory)
{
    const struct disk_inode *inode = image_inode(&round->check->image, directory);
    round->directory = directory;
    round->entries = inode->size / sizeof(struct dir_entry);
    image_walk(&round->check->image, inode, visit_block, round);
}

static bool is_dots(const struct dir_entry *entry)
{
    return is_name(entry, ".") || is_name(entry, "..");
}

static bool is_directory(const struct check *check, uint32_t number)
{
    const struct disk_inode *inode = image_inode(&check->image, number);
    return inode && inode->type == T_DIR;
}

static void learn_name(struct round *round, const struct dir_entry *entry, uint64_t slot)
{
    (void)slot;
    struct check *check = round->check;
    const struct disk_inode *inode = image_inode(&check->image, entry->inode);
    if (is_dots(entry) || !inode || !inode->type || check->inodes[entry->inode].parent)
        return;
    check->inodes[entry->inode].entry = entry;
    check->inodes[entry->inode].parent = (uint16_t)round->directory;
    if (inode->type == T_DIR)
        round->found[round->count++] = entry; // each inode gets here once at most
}

// Breadth first from the root, so that a name is the shortest that leads to its inode.
void check_find_names(struct check *check)
{
    struct round round = {.check = check, .visit = learn_name};
    round.found = check_allocate(NULL, check->image.super.inodes, sizeof(round.found[0]));
    check->inodes[ROOT_INODE].parent = ROOT_INODE;
    if (is_directory(check, ROOT_INODE))
        visit_entries(&round, ROOT_INODE);
    for (size_t i = 0; i < round.count; i++)
        visit_entries(&round, round.found[i]->inode);
    free(round.found);
    memset(check->seen, 0, check->image.super.size);
}

static void gather(struct round *round, const struct dir_entry *entry, uint64_t slot)
{
    struct check *check = round->check;
    const char *expected = slot == 0 ? "." : slot == 1 ? ".." : NULL;
    if (expected && !is_name(entry, expected))
        check->problem("%s: entry %llu is '%s', not '%s'", check_label(check, round->directory),
                       (unsigned long long)slot, check_name(entry), expected);
    if (round->count == round->capacity) {
        round->capacity = round->capacity ? round->capacity * 2 : ENTRIES_PER_BLOCK;
        round->found = check_allocate(round->found, round->capacity, sizeof(round->found[0]));
    }
    round->found[round->count++] = entry;
}

static int by_name(const void *a, const void *b)
{
    return strncmp((*(const struct dir_entry *const *)a)->name,
                   (*(const struct dir_entry *const *)b)->name, NAME_SIZE);
}

static void check_entry(struct check *check, uint32_t directory, const struct dir_entry *entry)
{
    const struct disk_inode *inode = image_inode(&check->image, entry->inode);
    const char *label = check_label(check, directory);
    const char *name = check_name(entry);
    if (entry->name[0] == 0)
        check->problem("%s: the entry of inode %u has no name", label, entry->inode);
    if (memchr(entry->name, '/', strnlen(entry->name, NAME_SIZE)))
        check->problem("%s: the name '%s' holds a '/'", label, name);
    if (!inode) {
        check->problem("%s: '%s' names inode %u; there are %u", label, name, entry->inode,
                       check->image.super.inodes);
        return;
    }
    if (inode->type == 0)
        check->problem("%s: '%s' names inode %u, which is free", label, name, entry->inode);
    if (is_name(entry, ".")) {
        if (entry->inode != directory)
            check->problem("%s: '.' names inode %u", label, entry->inode);
        return;
    }
    check->inodes[entry->inode].links++;
    if (!is_name(entry, "..")) {
        check->inodes[entry->inode].names++;
        return;
    }
    uint16_t parent = check->inodes[directory].parent;
    if (parent && entry->inode != parent)
        check->problem("%s: '..' names inode %u; its parent is %s", label, entry->inode,
                       check_label(check, parent));
    else if (inode->type && inode->type != T_DIR)
        check->problem("%s: '..' names inode %u, which is not a directory", label, entry->inode);
}

// Unlinked, but still open or somebody's current directory when the machine stopped. Legal: the
// kernel frees it at the next mount.
static bool is_orphan(const struct check *check, uint32_t number)
{
    return image_inode(&check->image, number)->nlink == 0 && !check->inodes[number].parent;
}

static void check_entries(struct round *round, uint32_t directory)
{
    struct check *check = round->check;
    round->count = 0;
    visit_entries(round, directory);
    if (is_orphan(check, directory))
        return; // its ".." no longer counts for its parent
    bool dot = false, dots = false;
    if (round->count)
        qsort(round->found, round->count, sizeof(round->found[0]), by_name);
    for (size_t i = 0; i < round->count; i++) {
        const struct dir_entry *entry = round->found[i];
        dot |= is_name(entry, ".");
        dots |= is_name(entry, "..");
        check_entry(check, directory, entry);
        if (i && entry->name[0] && !by_name(&round->found[i - 1], &round->found[i]))
            check->problem("%s: two entries have the name '%s'", check_label(check, directory),
                           check_name(entry));
    }
    if (!dot || !dots)
        check->problem("%s: has no '%s'", check_label(check, directory), dot ? ".." : ".");
}

static void check_links(struct check *check, uint32_t number)
{
    const struct disk_inode *inode = image_inode(&check->image, number);
    const struct known *known = &check->inodes[number];
    const char *label = check_label(check, number);
    if (is_orphan(check, number) && !known->links) {
        check->note("%s: was unlinked while in use; mounting frees it and its %llu blocks", label,
                    (unsigned long long)known->blocks);
        return;
    }
    if (inode->nlink < 0 || (uint32_t)inode->nlink != known->links)
        check->problem("%s: its link count is %d, but %u entries name it", label, inode->nlink,
                       known->links);
    if (!known->parent && known->links)
        check->problem("%s: cannot be reached from the root", label);
    if (inode->type == T_DIR && known->names > (number == ROOT_INODE ? 0 : 1))
        check->problem("%s: a directory, and %u entries name it besides '..'", label, known->names);
}

void check_directories(struct check *check)
{
    const uint32_t inodes = check->image.super.inodes;
    struct round round = {.check = check, .visit = gather};
    if (!is_directory(check, ROOT_INODE))
        return; // which has been reported; every name would be missing
    for (uint32_t i = ROOT_INODE; i < inodes; i++) {
        if (is_directory(check, i))
            check_entries(&round, i);
    }
    free(round.found);
    for (uint32_t i = ROOT_INODE; i < inodes; i++) {
        if (image_inode(&check->image, i)->type)
            check_links(check, i);
    }
}
