// mkfs: makes a Ringfence file system image from files and directories of the host.
//
//   mkfs [-s SIZE] [-i INODES] [-l LOG_BLOCKS] [-S SALT] IMAGE SOURCE...
//
// A SOURCE is
//   FILE                 copied into the root directory under its base name
//   DIRECTORY            likewise, with all that is in it
//   DIRECTORY/           only what is in it; DIRECTORY/. is the same
//   NAME:c:MAJOR:MINOR   a device inode, in directories made as needed (dev/console:c:1:0)
// SIZE takes K, M or G. The image is written beside its final place and renamed when it is whole,
// and the same sources and salt make the same bytes. Exit status: 0, or 1 after a message.

#include "mkfs/mkfs_tree.h"
#include "mkfs/mkfs_write.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_SIZE (48ull << 20)
#define DEFAULT_LOG 1024
#define FIXED_COST 16 // blocks that an operation may change besides the bitmap, rounded up
#define BYTES_PER_INODE 16384
#define BITS_PER_BLOCK (BLOCK_SIZE * 8)

static char *temporary; // the unfinished image: removed if the program ends early

static void remove_temporary(void)
{
    if (temporary)
        unlink(temporary);
}

static uint64_t parse_number(const char *text, const char *what, uint64_t max)
{
    char *end;
    errno = 0;
    uint64_t n = strtoull(text, &end, 0);
    if (errno || end == text || *text == '-' || *end || n > max)
        die("%s: '%s' is not a number from 0 to %" PRIu64, what, text, max);
    return n;
}

static uint64_t parse_size(const char *text)
{
    static const char units[] = "KMG";
    char *end;
    errno = 0;
    uint64_t n = strtoull(text, &end, 0);
    unsigned shift = 0;
    if (end > text && *end) {
        const char *unit = strchr(units, toupper((unsigned char)*end));
        if (unit && !end[1])
            shift = 10 * (unsigned)(unit - units + 1);
    }
    bool understood = !errno && end > text && *text != '-' && (!*end || shift);
    if (!understood || n > (UINT64_MAX >> shift))
        die("size '%s' is not a number with K, M or G", text);
    return n << shift;
}

// Blocks of the log if the user has not said how many: a twelfth of a small image, so that the 48
// MB one is the first to have the whole log.
static uint64_t default_log(uint64_t size)
{
    return size / 12 < DEFAULT_LOG ? size / 12 : DEFAULT_LOG;
}

// Decides where everything lies. An option of 0 takes its default.
static void lay_out(struct super_block *super, uint64_t bytes, uint64_t inodes, uint64_t log_blocks)
{
    uint64_t size = bytes / BLOCK_SIZE;
    uint64_t bitmap = (size + BITS_PER_BLOCK - 1) / BITS_PER_BLOCK;
    // Freeing a file may change all of the bitmap, in one transaction, which has half the log.
    uint64_t largest = bitmap + FIXED_COST;
    uint64_t least = 2 * largest < LOG_MIN_BLOCKS ? LOG_MIN_BLOCKS : 2 * largest;
    if (largest > LOG_MAX_COUNT)
        die("the size is too large: at most %uG", (LOG_MAX_COUNT - FIXED_COST) / 8);
    if (log_blocks && log_blocks < least)
        die("the log needs at least %" PRIu64 " blocks", least);
    if (log_blocks == 0)
        log_blocks = default_log(size) < least ? least : default_log(size);
    uint64_t wanted = inodes ? inodes : bytes / BYTES_PER_INODE;
    uint64_t table = (wanted + INODES_PER_BLOCK - 1) / INODES_PER_BLOCK;
    if (table > (MAX_INODES + 1) / INODES_PER_BLOCK)
        table = (MAX_INODES + 1) / INODES_PER_BLOCK;
    if (table == 0)
        table = 1;
    uint64_t data_start = SUPER_BLOCK + 1 + log_blocks + table + bitmap;
    if (data_start >= size)
        die("the image is too small: %" PRIu64 " blocks, and log, inodes and bitmap take %" PRIu64,
            size, data_start);

    super->magic = FS_MAGIC;
    super->version = FS_VERSION;
    super->size = (uint32_t)size;
    super->inodes = (uint32_t)(table * INODES_PER_BLOCK);
    super->log_start = SUPER_BLOCK + 1;
    super->log_blocks = (uint32_t)log_blocks;
    super->inode_start = super->log_start + (uint32_t)log_blocks;
    super->bitmap_start = super->inode_start + (uint32_t)table;
    super->data_start = super->bitmap_start + (uint32_t)bitmap;
}

static uint32_t random_salt(void)
{
    uint32_t salt;
    int fd = open("/dev/urandom", O_RDONLY);
    if (fd < 0 || read(fd, &salt, sizeof(salt)) != sizeof(salt))
        die("/dev/urandom: %s", strerror(errno));
    close(fd);
    return salt;
}

// Opens a new file beside `path`, with the permissions that an ordinary new file would have.
static int open_temporary(const char *path)
{
    size_t n = strlen(path) + sizeof(".XXXXXX");
    char *name = allocate(NULL, n);
    snprintf(name, n, "%s.XXXXXX", path);
    int fd = mkstemp(name);
    if (fd < 0)
        die("%s: %s", path, strerror(errno));
    temporary = name;
    atexit(remove_temporary);
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    return fd;
}

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: mkfs [-s SIZE] [-i INODES] [-l LOG_BLOCKS] [-S SALT] IMAGE SOURCE...\n"
                    "SOURCE: FILE, DIRECTORY, DIRECTORY/ (its contents), NAME:c:MAJOR:MINOR\n");
    exit(1);
}

int main(int argc, char **argv)
{
    struct super_block super = {0};
    uint64_t bytes = DEFAULT_SIZE;
    uint32_t inodes = 0, log_blocks = 0;
    bool salted = false;
    int option;
    while ((option = getopt(argc, argv, "s:i:l:S:")) != -1) {
        if (option == 's') {
            bytes = parse_size(optarg);
        } else if (option == 'i') {
            inodes = (uint32_t)parse_number(optarg, "inodes", MAX_INODES);
        } else if (option == 'l') {
            log_blocks = (uint32_t)parse_number(optarg, "log blocks", UINT32_MAX);
        } else if (option == 'S') {
            super.salt = (uint32_t)parse_number(optarg, "salt", UINT32_MAX);
            salted = true;
        } else {
            usage();
        }
    }
    if (optind >= argc)
        usage();
    const char *path = argv[optind++];

    struct node *root = tree_new();
    for (; optind < argc; optind++)
        tree_add(root, argv[optind]);
    uint64_t needed;
    uint32_t used = tree_finish(root, &needed);
    lay_out(&super, bytes, inodes, log_blocks);
    if (used >= super.inodes)
        die("%s: too many files: %u inodes needed, %u there (-i)", path, used, super.inodes - 1);
    if (needed > super.size - super.data_start)
        die("%s: too small: the files need %" PRIu64 " blocks, %u are free (-s)", path, needed,
            super.size - super.data_start);
    if (!salted)
        super.salt = random_salt();

    int fd = open_temporary(path);
    write_image(fd, path, &super, root, used);
    if (close(fd) < 0 || rename(temporary, path) < 0)
        die("%s: %s", path, strerror(errno));
    free(temporary);
    temporary = NULL;
    tree_free(root);
    return 0;
}
