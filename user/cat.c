// cat: copies files to standard output, or standard input if no file is given.

#include "user/lib/user.h"

static char buffer[16384];

static bool copy(int fd, const char *name)
{
    int n;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        if (write_all(1, buffer, n) < 0) {
            if (errno == EPIPE) // the reader has ended, as in `cat FILE | head`: this is no error
                exit(1);
            die("write");
        }
    if (n < 0)
        perror(name);
    return n == 0;
}

int main(int argc, char *argv[])
{
    if (argc == 1)
        return copy(0, "standard input") ? 0 : 1;
    int status = 0;
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);
        if (fd < 0)
            perror(argv[i]);
        if (fd < 0 || !copy(fd, argv[i]))
            status = 1;
        if (fd >= 0)
            close(fd);
    }
    return status;
}
