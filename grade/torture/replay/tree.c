// Hashes of a process's directory, and reading it from an image. None of this is the kernel's code.

#include <string.h>

#include "grade/torture/replay/replay.h"
#include "kernel/inode_types.h"

#define FIRST_HASH 0x9ae16a3b2f90404full

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 32;
}

uint64_t hash_start(uint64_t size)
{
    return mix(FIRST_HASH, size);
}

uint64_t hash_more(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *byte = data;
    uint64_t word;
    for (; bytes >= 8; bytes -= 8, byte += 8) {
        memcpy(&word, byte, 8);
        hash = mix(hash, word);
    }
    if (bytes > 0) {
        word = 0;
        memcpy(&word, byte, bytes);
        hash = mix(hash, word);
    }
    return hash;
}

uint64_t tree_hash(const struct tree *tree)
{
    uint64_t hash = mix(FIRST_HASH, tree->exists);
    for (unsigned d = 0; d <= WORKLOAD_DIRECTORIES; d++) {
        hash = mix(hash, d < WORKLOAD_DIRECTORIES && tree->directory[d]);
        for (unsigned n = 0; n < WORKLOAD_NAMES; n++) {
            const struct tree_file *file = &tree->file[d][n];
            hash = mix(hash, file->exists);
            if (file->exists)
                hash = mix(mix(mix(hash, file->first), file->links), file->contents);
        }
    }
    return hash;
}

// ---- from an image ----

static uint64_t file_hash(const struct image *image, const struct disk_inode *inode)
{
    static const char zeros[BLOCK_SIZE];
    uint64_t hash = hash_start(inode->size);
    for (uint64_t at = 0; at < inode->size; at += BLOCK_SIZE) {
        uint64_t left = inode->size - at;
        const void *data = image_content(image, inode, at / BLOCK_SIZE);
        hash = hash_more(hash, data ? data : zeros, left < BLOCK_SIZE ? left : BLOCK_SIZE);
    }
    return hash;
}

typedef void entry_fn(void *context, const char *name, unsigned inode);

// Calls `found` for the entries of a directory except "." and "..".
static void for_each_entry(const struct image *image, const struct disk_inode *directory,
                           entry_fn *found, void *context)
{
    for (uint64_t at = 0; at < directory->size; at += sizeof(struct dir_entry)) {
        const struct dir_entry *block = image_content(image, directory, at / BLOCK_SIZE);
        if (!block)
            continue;
        const struct dir_entry *entry = block + at % BLOCK_SIZE / sizeof(*entry);
        char name[NAME_SIZE + 1] = {0};
        if (entry->inode == 0 || is_name(entry, ".") || is_name(entry, ".."))
            continue;
        memcpy(name, entry->name, NAME_SIZE);
        found(context, name, entry->inode);
    }
}

struct reading {
    const struct image *image;
    struct tree *tree;
    unsigned directory;
    uint16_t inode[(WORKLOAD_DIRECTORIES + 1) * WORKLOAD_NAMES]; // of the file at each place
};

// Numbers files by place. A directory's own files come last, so settle_first() sets `first` after
// all files have been read.
static void read_file(void *context, const char *name, unsigned number)
{
    struct reading *r = context;
    const struct disk_inode *inode = image_inode(r->image, number);
    unsigned n = name[1] - '0';
    if (name[0] != 'n' || name[2] || n >= WORKLOAD_NAMES || inode->type != T_FILE)
        fail("no call made %s of type %d in directory %u", name, inode->type, r->directory);
    r->inode[r->directory * WORKLOAD_NAMES + n] = number;
    r->tree->file[r->directory][n] = (struct tree_file){
        .exists = true, .links = inode->nlink, .contents = file_hash(r->image, inode)};
}

static void read_entry(void *context, const char *name, unsigned number)
{
    struct reading *r = context;
    unsigned d = name[1] - '0';
    r->directory = WORKLOAD_DIRECTORIES;
    if (name[0] != 'd' || name[2] || d >= WORKLOAD_DIRECTORIES)
        return read_file(context, name, number);
    const struct disk_inode *inode = image_inode(r->image, number);
    if (inode->type != T_DIR)
        fail("%s is not a directory", name);
    r->tree->directory[d] = true;
    r->directory = d;
    for_each_entry(r->image, inode, read_file, r);
}

struct search {
    const char *name;
    unsigned inode; // 0: not found
};

static void compare(void *context, const char *name, unsigned inode)
{
    struct search *search = context;
    if (strcmp(name, search->name) == 0)
        search->inode = inode;
}

static void settle_first(struct reading *r)
{
    const unsigned places = sizeof(r->inode) / sizeof(r->inode[0]);
    for (unsigned i = 0; i < places; i++) {
        unsigned first = 0;
        while (r->inode[first] != r->inode[i])
            first++;
        r->tree->file[i / WORKLOAD_NAMES][i % WORKLOAD_NAMES].first = first;
    }
}

void tree_read(struct tree *tree, const struct image *image, unsigned process)
{
    char name[3] = {'p', '0' + process, 0};
    struct reading reading = {.image = image, .tree = tree};
    struct search search = {.name = name};
    *tree = (struct tree){0};
    for_each_entry(image, image_inode(image, ROOT_INODE), compare, &search);
    if (search.inode == 0)
        return;
    tree->exists = true;
    for_each_entry(image, image_inode(image, search.inode), read_entry, &reading);
    settle_first(&reading);
}

struct rest {
    const struct image *image;
    uint64_t sum; // a sum over the entries, so that their order does not matter
};

static void add_rest(void *context, const char *name, unsigned number)
{
    struct rest *rest = context;
    const struct disk_inode *inode = image_inode(rest->image, number);
    if (name[0] == 'p' && name[1] >= '0' && name[1] < '0' + WORKLOAD_PROCESSES && !name[2])
        return;
    uint64_t contents = inode->type == T_FILE ? file_hash(rest->image, inode) : 0;
    uint64_t hash = hash_more(FIRST_HASH, name, strlen(name));
    rest->sum += mix(mix(mix(hash, number), inode->type), contents);
}

uint64_t rest_hash(const struct image *image)
{
    struct rest rest = {.image = image};
    for_each_entry(image, image_inode(image, ROOT_INODE), add_rest, &rest);
    return rest.sum;
}
