// Small helpers for files and directories, made of system calls.

#include "user/lib/user.h"

#include "kernel/fs/format.h"

int stat(const char *path, struct stat *st)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    int result = fstat(fd, st);
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

char *gets(char *buffer, int max)
{
    int length = 0;
    while (length + 1 < max) {
        char c;
        if (read(0, &c, 1) != 1)
            break;
        buffer[length++] = c;
        if (c == '\n')
            break;
    }
    buffer[length] = 0;
    return buffer;
}

int write_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        int step = write(fd, p, n < 1 << 30 ? n : 1 << 30);
        if (step <= 0)
            return -1;
        p += step;
        n -= step;
    }
    return 0;
}

int read_entry(int fd, char name[15], unsigned *inode)
{
    struct dir_entry entry;
    do {
        int n = read(fd, &entry, sizeof(entry));
        if (n != sizeof(entry))
            return n < 0 ? -1 : 0;
    } while (entry.inode == 0);
    memcpy(name, entry.name, NAME_SIZE);
    name[NAME_SIZE] = 0;
    *inode = entry.inode;
    return 1;
}

int join_path(char *dst, size_t size, const char *directory, const char *name)
{
    size_t length = strlen(directory);
    const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
    if ((size_t)snprintf(dst, size, "%s%s%s", directory, slash, name) < size)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}
