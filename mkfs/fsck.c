// fsck: says whether an image holds a consistent Ringfence file system.
//
//   fsck [-n] [-q] IMAGE...
//
// First the log is applied in memory, as the kernel does when it mounts; the file itself is only
// read. Each inconsistency makes one line, which starts with the image's name if there are several.
// -q prints those lines alone; -n is accepted for habit's sake, since nothing is ever repaired.
// Exit status: 0 consistent, 1 not, 2 an image cannot be read or the command line is wrong.

#include "kernel/inode_types.h"
#include "mkfs/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_LINES 10000 // an image of garbage has one problem after the other

static unsigned long problems;
static bool quiet;
static const char *prefix; // the image's name if there are several

__attribute__((format(printf, 1, 2))) static void problem(const char *format, ...)
{
    if (problems++ >= MAX_LINES)
        return;
    if (prefix)
        printf("%s: ", prefix);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    if (quiet)
        return;
    va_list args;
    va_start(args, format);
    if (prefix)
        printf("%s: ", prefix);
    printf("note: ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

static void summarize(const struct check *check, const char *path, unsigned transactions)
{
    const struct super_block *super = &check->image.super;
    unsigned long count[T_DEVICE + 1] = {0};
    unsigned long used = super->data_start;
    for (uint32_t i = ROOT_INODE; i < super->inodes; i++) {
        int type = image_inode(&check->image, i)->type;
        if (type >= 0 && type <= T_DEVICE)
            count[type]++;
        used += check->inodes[i].blocks;
    }
    printf("%s: %s: %lu directories, %lu files, %lu devices, %lu of %u blocks used, "
           "%u transactions replayed\n",
           path, problems ? "inconsistent" : "clean", count[T_DIR], count[T_FILE], count[T_DEVICE],
           used, super->size, transactions);
}

static int run(const char *path)
{
    struct check check = {.problem = problem, .note = note};
    const char *error = image_open(&check.image, path);
    if (error) {
        fprintf(stderr, "fsck: %s: %s\n", path, error);
        return 2;
    }
    problems = 0;
    if (image_check_super(&check.image, problem)) {
        unsigned transactions = image_replay(&check.image, problem);
        check_all(&check);
        if (!quiet)
            summarize(&check, path, transactions);
    }
    if (problems > MAX_LINES)
        printf("and %lu more\n", problems - MAX_LINES);
    check_free(&check);
    image_close(&check.image);
    return problems ? 1 : 0;
}

int main(int argc, char **argv)
{
    int option;
    bool understood = true;
    while ((option = getopt(argc, argv, "nq")) != -1) {
        if (option == 'q')
            quiet = true;
        else if (option != 'n')
            understood = false;
    }
    if (!understood || optind >= argc) {
        fprintf(stderr, "usage: fsck [-n] [-q] IMAGE...\n");
        return 2;
    }
    bool several = argc - optind > 1;
    int worst = 0;
    for (; optind < argc; optind++) {
        prefix = several ? argv[optind] : NULL;
        int status = run(argv[optind]);
        worst = status > worst ? status : worst;
    }
    return worst;
}
