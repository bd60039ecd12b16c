// ls: lists directories, sorted by name. On a console it prints columns, elsewhere one name a line.
// A / marks a directory.
//
//   -l   also prints type, links, size and inode number (for devices, the size is empty)
//   -a   also lists names that begin with a dot

#include "user/lib/user.h"

#include "kernel/fs/format.h"

#define LINE_WIDTH 80
#define COLUMN_WIDTH (NAME_SIZE + 2)

struct entry {
    char name[NAME_SIZE + 1];
    struct stat st; // the type is 0 if stat() failed
};

static bool show_details, show_hidden, in_columns;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void print_details(const char *name, const struct stat *st)
{
    char size[24] = "";
    if (st->type != T_DEVICE)
        snprintf(size, sizeof(size), "%lu", st->size);
    char type = st->type == T_DIR      ? 'd'
                : st->type == T_FILE   ? '-'
                : st->type == T_DEVICE ? 'c'
                                       : '?';
    printf("%c %4d %10s %6u %s\n", type, st->nlink, size, st->ino, name);
}

static void print_entries(const struct entry *entries, int count)
{
    int columns = in_columns ? LINE_WIDTH / COLUMN_WIDTH : 1;
    int rows = (count + columns - 1) / columns;
    for (int row = 0; row < rows; row++) {
        for (int i = row; i < count; i += rows) {
            const char *slash = entries[i].st.type == T_DIR ? "/" : "";
            int padding =
                i + rows < count ? COLUMN_WIDTH - strlen(entries[i].name) - *slash / '/' : 0;
            printf("%s%s%*s", entries[i].name, slash, padding, "");
        }
        printf("\n");
    }
}

static bool list_directory(const char *path, int fd)
{
    struct entry *entries = NULL;
    int count = 0, room = 0, result;
    char name[NAME_SIZE + 1], full[MAXPATH];
    unsigned inode;
    while ((result = read_entry(fd, name, &inode)) == 1) {
        if (name[0] == '.' && !show_hidden)
            continue;
        if (count == room) {
            room = room ? 2 * room : 64;
            struct entry *more = realloc(entries, room * sizeof(*entries));
            if (more == NULL)
                die(path);
            entries = more;
        }
        struct entry *entry = &entries[count++];
        strcpy(entry->name, name);
        if (join_path(full, sizeof(full), path, name) < 0 || stat(full, &entry->st) < 0)
            entry->st = (struct stat){.ino = inode};
    }
    if (result < 0)
        perror(path);
    sort(entries, count, sizeof(*entries), by_name);
    if (show_details)
        for (int i = 0; i < count; i++)
            print_details(entries[i].name, &entries[i].st);
    else
        print_entries(entries, count);
    free(entries);
    return result == 0;
}

static bool list(const char *path, bool with_title)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        perror(path);
        return false;
    }
    bool ok = true;
    if (st.type == T_DIR) {
        if (with_title)
            printf("%s:\n", path);
        ok = list_directory(path, fd);
    } else if (show_details) {
        print_details(path, &st);
    } else {
        printf("%s\n", path);
    }
    close(fd);
    return ok;
}

int main(int argc, char *argv[])
{
    int i;
    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        for (const char *option = argv[i] + 1; *option; option++) {
            if (*option == 'l')
                show_details = true;
            else if (*option == 'a')
                show_hidden = true;
            else
                usage("ls [-la] [PATH...]");
        }
    }
    struct stat st;
    in_columns = fstat(1, &st) == 0 && st.type == T_DEVICE;
    if (i == argc)
        return list(".", false) ? 0 : 1;
    int status = 0;
    for (int first = i; i < argc; i++)
        if (!list(argv[i], argc - first > 1))
            status = 1;
    return status;
}
