// fscat: reads files out of a Ringfence image, for graders who ask what a guest has written.
//
//   fscat IMAGE PATH        writes the file's contents to the standard output
//   fscat -l IMAGE [PATH]   lists PATH (the root) and all below it, a line each: type (d, f, c),
//                           inode, size or device numbers, path
//
// The log is applied in memory first, as in fsck. An image that fsck complains of is read as far as
// it goes. Exit status: 0, 1 no such file, 2 the image cannot be read.

#include "kernel/inode_types.h"
#include "mkfs/image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_PER_BLOCK (BLOCK_SIZE / sizeof(struct dir_entry))

static __attribute__((format(printf, 1, 2))) void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "fscat: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
}

// Finds entry `slot` of a directory; *entry is NULL if it is free. False behind the end, or in a
// hole: a directory has none.
static bool get_entry(const struct image *image, const struct disk_inode *directory, uint64_t slot,
                      const struct dir_entry **entry)
{
    *entry = NULL;
    if (slot >= directory->size / sizeof(**entry) || slot / ENTRIES_PER_BLOCK >= image->super.size)
        return false;
    const struct dir_entry *block = image_content(image, directory, slot / ENTRIES_PER_BLOCK);
    if (!block)
        return false;
    if (block[slot % ENTRIES_PER_BLOCK].inode)
        *entry = &block[slot % ENTRIES_PER_BLOCK];
    return true;
}

static uint32_t look_up(const struct image *image, uint32_t directory, const char *name)
{
    const struct disk_inode *inode = image_inode(image, directory);
    const struct dir_entry *entry;
    if (inode->type != T_DIR)
        return 0;
    for (uint64_t slot = 0; get_entry(image, inode, slot, &entry); slot++) {
        if (entry && is_name(entry, name) && image_inode(image, entry->inode))
            return entry->inode;
    }
    return 0;
}

// The inode that a path leads to, or 0. Every path starts at the root.
static uint32_t find(const struct image *image, const char *path)
{
    uint32_t inode = ROOT_INODE;
    while (inode && *(path += strspn(path, "/"))) {
        char name[NAME_SIZE + 1] = {0};
        size_t n = strcspn(path, "/");
        if (n > NAME_SIZE)
            return 0;
        memcpy(name, path, n);
        path += n;
        inode = look_up(image, inode, name);
    }
    return inode;
}

static bool print_contents(const struct image *image, const struct disk_inode *inode)
{
    static const uint8_t zeros[BLOCK_SIZE];
    uint64_t blocks = blocks_of(inode->size);
    if (blocks > MAX_FILE_BLOCKS)
        return false;
    for (uint64_t i = 0; i < blocks; i++) {
        const void *content = image_content(image, inode, i);
        uint64_t left = inode->size - i * BLOCK_SIZE;
        size_t n = left < BLOCK_SIZE ? (size_t)left : BLOCK_SIZE;
        if (fwrite(content ? content : zeros, 1, n, stdout) != n)
            return false;
    }
    return true;
}

// A listing under way: `path` leads to the inode that is printed, `listed` keeps a loop of
// directories from being listed for ever.
struct listing {
    const struct image *image;
    bool *listed;
    char *path;
    size_t length, capacity; // of path
};

static void append(struct listing *listing, const char *name, size_t n)
{
    if (listing->length + n + 1 > listing->capacity) {
        listing->capacity = 2 * (listing->length + n + 1);
        listing->path = realloc(listing->path, listing->capacity);
        if (!listing->path) {
            complain("out of memory");
            exit(2);
        }
    }
    memcpy(listing->path + listing->length, name, n);
    listing->length += n;
    listing->path[listing->length] = 0;
}

// Prints an inode and what is below it.
static void list(struct listing *listing, uint32_t number)
{
    const struct image *image = listing->image;
    const struct disk_inode *inode = image_inode(image, number);
    if (inode->type == T_DEVICE)
        printf("c %5u %6d,%3d %s\n", number, inode->major, inode->minor, listing->path);
    else
        printf("%c %5u %10llu %s\n", inode->type == T_DIR ? 'd' : 'f', number,
               (unsigned long long)inode->size, listing->path);
    if (inode->type != T_DIR || listing->listed[number])
        return;
    listing->listed[number] = true;
    const size_t length = listing->length;
    const struct dir_entry *entry;
    for (uint64_t slot = 0; get_entry(image, inode, slot, &entry); slot++) {
        if (!entry || !image_inode(image, entry->inode) || is_name(entry, ".") ||
            is_name(entry, ".."))
            continue;
        if (listing->path[length - 1] != '/')
            append(listing, "/", 1);
        append(listing, entry->name, strnlen(entry->name, NAME_SIZE));
        list(listing, entry->inode);
        listing->length = length;
        listing->path[length] = 0;
    }
}

static void list_all(const struct image *image, uint32_t number, const char *path)
{
    struct listing listing = {.image = image};
    listing.listed = calloc(image->super.inodes, sizeof(*listing.listed));
    if (!listing.listed) {
        complain("out of memory");
        exit(2);
    }
    append(&listing, *path ? path : "/", *path ? strlen(path) : 1);
    list(&listing, number);
    free(listing.listed);
    free(listing.path);
}

static int show(const struct image *image, const char *path, bool listing)
{
    uint32_t number = find(image, path);
    const struct disk_inode *inode = image_inode(image, number);
    if (!number || !inode->type) {
        complain("%s: no such file", path);
        return 1;
    }
    if (listing) {
        list_all(image, number, path);
        return 0;
    }
    if (inode->type != T_FILE) {
        complain("%s: not a file", path);
        return 1;
    }
    if (!print_contents(image, inode) || fflush(stdout)) {
        complain("%s: cannot be written out", path);
        return 2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    bool listing = false, understood = true;
    int option;
    while ((option = getopt(argc, argv, "l")) != -1) {
        listing |= option == 'l';
        understood &= option == 'l';
    }
    int rest = argc - optind;
    if (!understood || rest < (listing ? 1 : 2) || rest > 2) {
        fprintf(stderr, "usage: fscat IMAGE PATH | fscat -l IMAGE [PATH]\n");
        return 2;
    }
    struct image image;
    const char *error = image_open(&image, argv[optind]);
    if (error) {
        complain("%s: %s", argv[optind], error);
        return 2;
    }
    int status = 2;
    if (image_check_super(&image, complain)) {
        image_replay(&image, complain);
        status = show(&image, rest == 2 ? argv[optind + 1] : "/", listing);
    }
    image_close(&image);
    return status;
}
