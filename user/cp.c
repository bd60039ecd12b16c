// cp: copies a file to another name, or several files into a directory.

#include "user/lib/user.h"

static char buffer[65536];

static bool copy(const char *from, const char *to)
{
    struct stat st_from, st_to;
    int source = open(from, O_RDONLY);
    if (source < 0 || fstat(source, &st_from) < 0) {
        perror(from);
        return false;
    }
    if (st_from.type == T_DIR) {
        fprintf(2, "cp: %s: is a directory\n", from);
        close(source);
        return false;
    }
    if (stat(to, &st_to) == 0 && st_to.ino == st_from.ino && st_to.dev == st_from.dev) {
        fprintf(2, "cp: %s and %s are the same file\n", from, to);
        close(source);
        return false;
    }
    int target = open(to, O_WRONLY | O_CREATE | O_TRUNC);
    int n = -1;
    if (target >= 0) {
        while ((n = read(source, buffer, sizeof(buffer))) > 0)
            if (write_all(target, buffer, n) < 0)
                break;
    }
    if (n != 0)
        perror(n < 0 && target >= 0 ? from : to);
    close(source);
    if (target >= 0)
        close(target);
    return n == 0;
}

int main(int argc, char *argv[])
{
    if (argc < 3)
        usage("cp FILE NAME, or cp FILE... DIRECTORY");
    const char *target = argv[argc - 1];
    struct stat st;
    bool into = stat(target, &st) == 0 && st.type == T_DIR;
    if (argc > 3 && !into)
        usage("cp FILE NAME, or cp FILE... DIRECTORY");
    int status = 0;
    for (int i = 1; i < argc - 1; i++) {
        char path[MAXPATH];
        const char *slash = strrchr(argv[i], '/');
        if (into && join_path(path, sizeof(path), target, slash ? slash + 1 : argv[i]) < 0)
            die(target);
        if (!copy(argv[i], into ? path : target))
            status = 1;
    }
    return status;
}
