// rm: removes files and empty directories. With -r, it also removes directories and everything in
// them. With -f, it does not report names that do not exist.

#include "user/lib/user.h"

#include "kernel/fs/format.h"

#define BATCH 64 // how many names are read before they are removed

static bool recursive, force;

// Reads names from the current directory, except . and .. Returns how many, or -1.
static int read_names(char names[BATCH][NAME_SIZE + 1])
{
    unsigned inode;
    int count = 0, result = 1;
    int fd = open(".", O_RDONLY);
    if (fd < 0)
        return -1;
    while (count < BATCH && (result = read_entry(fd, names[count], &inode)) == 1)
        if (strcmp(names[count], ".") != 0 && strcmp(names[count], "..") != 0)
            count++;
    close(fd);
    return result < 0 ? -1 : count;
}

// Empties the current directory. Enters a directory that is not empty with chdir(), and goes back
// up when it is empty. The parent is then read again, which finds the empty directory and removes
// it. This way no path gets longer, and any depth works.
static bool empty_current(const char *path)
{
    static char names[BATCH][NAME_SIZE + 1];
    int depth = 1;
    while (depth > 0) {
        int count = read_names(names);
        if (count < 0) {
            perror(path);
            return false;
        }
        if (count == 0) {
            depth--;
            if (depth > 0 && chdir("..") < 0)
                return false;
        }
        for (int i = 0; i < count; i++) {
            if (unlink(names[i]) == 0)
                continue;
            if (errno != ENOTEMPTY || chdir(names[i]) < 0) {
                perror(names[i]);
                return false;
            }
            depth++;
            break;
        }
    }
    return true;
}

// Forks, because empty_current() changes the current directory.
static bool empty_directory(const char *path)
{
    int status, pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (chdir(path) < 0)
            die(path);
        exit(empty_current(path) ? 0 : 1);
    }
    wait(&status);
    return status == 0;
}

static bool remove(const char *path)
{
    if (unlink(path) == 0 || (force && errno == ENOENT))
        return true;
    if (recursive && errno == ENOTEMPTY) {
        if (!empty_directory(path))
            return false;
        if (unlink(path) == 0)
            return true;
    }
    perror(path);
    return false;
}

int main(int argc, char *argv[])
{
    int i, status = 0;
    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        for (const char *option = argv[i] + 1; *option; option++) {
            if (*option == 'r')
                recursive = true;
            else if (*option == 'f')
                force = true;
            else
                usage("rm [-rf] PATH...");
        }
    }
    if (i == argc && !force)
        usage("rm [-rf] PATH...");
    for (; i < argc; i++)
        if (!remove(argv[i]))
            status = 1;
    return status;
}
