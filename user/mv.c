// mv: gives a file another name, or moves files into a directory. There is no system call for this,
// so mv first makes the new name and then removes the old one. A crash in between leaves both. mv
// cannot move directories.

#include "user/lib/user.h"

static bool move(const char *from, const char *to)
{
    struct stat st_from, st_to;
    if (stat(from, &st_from) < 0) {
        perror(from);
        return false;
    }
    if (st_from.type == T_DIR) {
        fprintf(2, "mv: %s: directories cannot be moved\n", from);
        return false;
    }
    if (stat(to, &st_to) == 0) {
        if (st_to.ino == st_from.ino && st_to.dev == st_from.dev) {
            fprintf(2, "mv: %s and %s are the same file\n", from, to);
            return false;
        }
        if (unlink(to) < 0) {
            perror(to);
            return false;
        }
    }
    if (link(from, to) < 0) {
        perror(to);
        return false;
    }
    if (unlink(from) < 0) {
        perror(from);
        return false;
    }
    return true;
}

int main(int argc, char *argv[])
{
    if (argc < 3)
        usage("mv FILE NAME, or mv FILE... DIRECTORY");
    const char *target = argv[argc - 1];
    struct stat st;
    bool into = stat(target, &st) == 0 && st.type == T_DIR;
    if (argc > 3 && !into)
        usage("mv FILE NAME, or mv FILE... DIRECTORY");
    int status = 0;
    for (int i = 1; i < argc - 1; i++) {
        char path[MAXPATH];
        const char *slash = strrchr(argv[i], '/');
        if (into && join_path(path, sizeof(path), target, slash ? slash + 1 : argv[i]) < 0)
            die(target);
        if (!move(argv[i], into ? path : target))
            status = 1;
    }
    return status;
}
