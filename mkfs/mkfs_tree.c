// Reading the host's files and directories, and the device names on the command line, into a tree.

#include "mkfs/mkfs_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Noreturn void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "mkfs: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

void *allocate(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);
    if (!memory)
        die("out of memory");
    return memory;
}

static char *join(const char *directory, const char *name)
{
    size_t n = strlen(directory) + 1 + strlen(name) + 1;
    char *path = allocate(NULL, n);
    snprintf(path, n, "%s/%s", directory, name);
    return path;
}

static struct node *new_node(struct node *parent, int16_t type)
{
    struct node *node = allocate(NULL, sizeof(*node));
    memset(node, 0, sizeof(*node));
    node->type = type;
    node->parent = parent ? parent : node;
    return node;
}

struct node *tree_new(void)
{
    return new_node(NULL, T_DIR);
}

void tree_free(struct node *root)
{
    for (unsigned i = 0; i < root->count; i++)
        tree_free(root->children[i]);
    free(root->children);
    free(root->source);
    free(root);
}

// `origin` is what the user wrote, for the message.
static struct node *add_child(struct node *parent, const char *name, size_t length, int16_t type,
                              const char *origin)
{
    if (length == 0)
        die("%s: empty name", origin);
    if (length > NAME_SIZE)
        die("%s: the name '%.*s' has %zu bytes; a name has at most %d", origin, (int)length, name,
            length, NAME_SIZE);
    if (length <= 2 && !memcmp(name, "..", length))
        die("%s: a name cannot be '.' or '..'", origin);

    struct node *node = new_node(parent, type);
    memcpy(node->name, name, length);
    // Room for children doubles whenever their number reaches a power of two.
    if ((parent->count & (parent->count - 1)) == 0)
        parent->children =
            allocate(parent->children, (parent->count ? parent->count * 2 : 1) * sizeof(node));
    parent->children[parent->count++] = node;
    if (type == T_DIR && ++parent->subdirectories >= INT16_MAX)
        die("%s: more than %d directories in one directory", origin, INT16_MAX - 1);
    return node;
}

// The directory `name` below `parent`, made if it is not there. Several sources may fill one
// directory.
static struct node *get_directory(struct node *parent, const char *name, size_t length,
                                  const char *origin)
{
    for (unsigned i = 0; i < parent->count; i++) {
        struct node *child = parent->children[i];
        if (child->type == T_DIR && strlen(child->name) == length &&
            !memcmp(child->name, name, length))
            return child;
    }
    return add_child(parent, name, length, T_DIR, origin);
}

static void add_file(struct node *parent, const char *name, size_t length, const char *path,
                     const struct stat *st)
{
    struct node *node = add_child(parent, name, length, T_FILE, path);
    node->size = (uint64_t)st->st_size;
    node->source = allocate(NULL, strlen(path) + 1);
    strcpy(node->source, path);
    if (content_blocks(node->size) > MAX_FILE_BLOCKS)
        die("%s: too large: %llu bytes, a file has at most %llu", path,
            (unsigned long long)node->size, (unsigned long long)MAX_FILE_BLOCKS * BLOCK_SIZE);
}

static void add_host_path(struct node *parent, const char *name, size_t length, const char *path);

static void add_contents(struct node *into, const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        die("%s: %s", path, strerror(errno));
    struct dirent *entry;
    while (errno = 0, (entry = readdir(directory))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        char *inner = join(path, entry->d_name);
        add_host_path(into, entry->d_name, strlen(entry->d_name), inner);
        free(inner);
    }
    if (errno)
        die("%s: %s", path, strerror(errno));
    closedir(directory);
}

static void add_host_path(struct node *parent, const char *name, size_t length, const char *path)
{
    struct stat st, link;
    if (stat(path, &st) < 0 || lstat(path, &link) < 0)
        die("%s: %s", path, strerror(errno));
    // A link to a directory may lead back to where it stands.
    if (S_ISREG(st.st_mode))
        add_file(parent, name, length, path, &st);
    else if (S_ISDIR(st.st_mode) && !S_ISLNK(link.st_mode))
        add_contents(get_directory(parent, name, length, path), path);
    else
        die("%s: neither a file nor a directory", path);
}

// Reads "NAME:c:MAJOR:MINOR". Returns the length of NAME, or 0 if that is not what the source looks
// like.
static size_t parse_device(const char *source, int16_t *major, int16_t *minor)
{
    const char *colon = strchr(source, ':');
    unsigned a, b;
    int end = 0;
    if (!colon || sscanf(colon, ":c:%5u:%5u%n", &a, &b, &end) != 2 || colon[end])
        return 0;
    if (a >= DEV_MAX || a == 0 || b > INT16_MAX)
        die("%s: a device has a major from 1 to %d and a minor up to %d", source, DEV_MAX - 1,
            INT16_MAX);
    *major = (int16_t)a;
    *minor = (int16_t)b;
    return (size_t)(colon - source);
}

static void add_device(struct node *root, const char *source, size_t length, int16_t major,
                       int16_t minor)
{
    const char *name = source, *end = source + length, *slash;
    struct node *parent = root;
    for (; name < end && *name == '/'; name++)
        ;
    while ((slash = memchr(name, '/', (size_t)(end - name)))) {
        parent = get_directory(parent, name, (size_t)(slash - name), source);
        name = slash + 1;
    }
    struct node *node = add_child(parent, name, (size_t)(end - name), T_DEVICE, source);
    node->major = major;
    node->minor = minor;
}

void tree_add(struct node *root, const char *source)
{
    int16_t major, minor;
    size_t length = parse_device(source, &major, &minor);
    if (length) {
        add_device(root, source, length, major, minor);
        return;
    }
    const char *slash = strrchr(source, '/');
    const char *base = slash ? slash + 1 : source;
    if (!*base || !strcmp(base, ".") || !strcmp(base, ".."))
        add_contents(root, source);
    else
        add_host_path(root, base, strlen(base), source);
}

uint64_t content_blocks(uint64_t size)
{
    return size / BLOCK_SIZE + (size % BLOCK_SIZE != 0);
}

uint64_t indirect_blocks(uint64_t content)
{
    uint64_t n = 0;
    if (content > DIRECT_BLOCKS)
        n++;
    if (content > DIRECT_BLOCKS + POINTERS_PER_BLOCK) {
        uint64_t rest = content - DIRECT_BLOCKS - POINTERS_PER_BLOCK;
        n += 1 + (rest + POINTERS_PER_BLOCK - 1) / POINTERS_PER_BLOCK;
    }
    return n;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct node *const *)a)->name, (*(struct node *const *)b)->name);
}

static void number(struct node *node, uint32_t *next, uint64_t *blocks)
{
    node->inode = (*next)++;
    if (node->type == T_DIR) {
        node->size = (node->count + 2) * sizeof(struct dir_entry);
        if (node->count)
            qsort(node->children, node->count, sizeof(node->children[0]), by_name);
    }
    uint64_t content = content_blocks(node->size);
    *blocks += content + indirect_blocks(content);
    for (unsigned i = 0; i < node->count; i++) {
        struct node *child = node->children[i];
        if (i && !strcmp(child->name, node->children[i - 1]->name))
            die("two sources want the name '%s' in '/%s'", child->name, node->name);
        number(child, next, blocks);
    }
}

uint32_t tree_finish(struct node *root, uint64_t *blocks)
{
    uint32_t next = ROOT_INODE;
    *blocks = 0;
    number(root, &next, blocks);
    return next - ROOT_INODE;
}
