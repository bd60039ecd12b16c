// sync: returns when everything written so far is safely on the disk. If files are named, it waits
// only for those.

#include "user/lib/user.h"

static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fsync(fd) < 0) {
        perror(path);
        return 1;
    }
    close(fd);
    return 0;
}

int main(int argc, char *argv[])
{
    int status = 0;
    for (int i = 1; i < argc; i++)
        status |= sync_file(argv[i]);
    return argc == 1 ? sync_file("/") : status;
}
