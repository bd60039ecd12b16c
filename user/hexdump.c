// hexdump: prints the bytes of a file or of standard input as numbers and characters. -s skips that
// many bytes at the beginning of the file; -n stops after that many bytes.

#include "user/lib/user.h"

#define ROW 16

static void print_row(uint64_t offset, const unsigned char *bytes, int n)
{
    char text[ROW + 1];
    char line[80];
    int length = snprintf(line, sizeof(line), "%08lx ", offset);
    for (int i = 0; i < ROW; i++) {
        const char *gap = i == ROW / 2 ? "  " : " ";
        if (i < n)
            length += snprintf(line + length, sizeof(line) - length, "%s%02x", gap, bytes[i]);
        else
            length += snprintf(line + length, sizeof(line) - length, "%s  ", gap);
        text[i] = i >= n ? 0 : bytes[i] >= ' ' && bytes[i] < 127 ? bytes[i] : '.';
    }
    text[ROW] = 0;
    printf("%s  |%s|\n", line, text);
}

// Reads until the row is full or the file ends: a pipe may return less at a time. Returns the
// number of bytes; negative if a read fails.
static int read_row(int fd, unsigned char *row, uint64_t wanted)
{
    int used = 0, n = 0;
    int want = wanted < ROW ? wanted : ROW;
    while (used < want && (n = read(fd, row + used, want - used)) > 0)
        used += n;
    return n < 0 ? n : used;
}

int main(int argc, char *argv[])
{
    static const char help[] = "hexdump [-s OFFSET] [-n BYTES] [FILE]";
    uint64_t offset = 0, left = UINT64_MAX;
    int i, n = 0, fd = 0;
    for (i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        uint64_t *option = strcmp(argv[i], "-s") == 0   ? &offset
                           : strcmp(argv[i], "-n") == 0 ? &left
                                                        : NULL;
        if (option == NULL || !parse_number(argv[i + 1], option))
            usage(help);
    }
    if (i + 1 < argc || (i < argc && argv[i][0] == '-'))
        usage(help);
    if (i < argc && (fd = open(argv[i], O_RDONLY)) < 0)
        die(argv[i]);
    if (offset > 0 && lseek(fd, offset, SEEK_SET) < 0)
        die(i < argc ? argv[i] : "standard input");
    unsigned char row[ROW];
    while (left > 0 && (n = read_row(fd, row, left)) > 0) {
        print_row(offset, row, n);
        offset += n;
        left -= n;
    }
    if (n < 0)
        die(i < argc ? argv[i] : "standard input");
    printf("%08lx\n", offset);
    return 0;
}
