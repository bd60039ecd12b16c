// echo: prints its arguments with spaces between them and a newline at the end. With -n, without
// the newline.

#include "user/lib/user.h"

int main(int argc, char *argv[])
{
    int first = argc > 1 && strcmp(argv[1], "-n") == 0 ? 2 : 1;
    // Write the whole line with one write(), so that lines of several processes do not mix.
    size_t size = 1;
    for (int i = first; i < argc; i++)
        size += strlen(argv[i]) + 1;
    char *line = malloc(size), *out = line;
    if (line == NULL)
        die("line");
    for (int i = first; i < argc; i++) {
        strcpy(out, argv[i]);
        out += strlen(argv[i]);
        if (i + 1 < argc)
            *out++ = ' ';
    }
    if (first == 1)
        *out++ = '\n';
    if (write_all(1, line, out - line) < 0)
        die("write");
    return 0;
}
