// head: prints the first lines of files or of standard input; ten lines, or as many as -n says.

#include "user/lib/user.h"

static void copy_lines(int fd, uint64_t lines)
{
    char buffer[512];
    int n = 0;
    while (lines > 0 && (n = read(fd, buffer, sizeof(buffer))) > 0) {
        int end = 0;
        while (end < n && lines > 0)
            lines -= buffer[end++] == '\n';
        if (write_all(1, buffer, end) < 0)
            die("standard output");
    }
    if (n < 0)
        perror("read");
}

int main(int argc, char *argv[])
{
    static const char help[] = "head [-n LINES] [FILE...]";
    uint64_t lines = 10;
    int first = 1;
    if (argc > 1 && argv[1][0] == '-') {
        if (strcmp(argv[1], "-n") != 0 || argc < 3 || !parse_number(argv[2], &lines))
            usage(help);
        first = 3;
    }
    if (first >= argc)
        copy_lines(0, lines);
    for (int i = first; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);
        if (fd < 0)
            die(argv[i]);
        copy_lines(fd, lines);
        close(fd);
    }
    return 0;
}
