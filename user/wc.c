// wc: counts the lines (-l), words (-w) and bytes (-c) of files or of standard input; without
// options, all three.

#include "user/lib/user.h"

struct counts {
    uint64_t lines, words, bytes;
};

static bool show_lines, show_words, show_bytes;

static void print(const struct counts *counts, const char *name)
{
    char text[64];
    int n = 0;
    if (show_lines)
        n += snprintf(text + n, sizeof(text) - n, " %7lu", counts->lines);
    if (show_words)
        n += snprintf(text + n, sizeof(text) - n, " %7lu", counts->words);
    if (show_bytes)
        n += snprintf(text + n, sizeof(text) - n, " %8lu", counts->bytes);
    printf("%s%s%s\n", text, *name ? " " : "", name);
}

static bool count(int fd, const char *name, struct counts *counts)
{
    static char buffer[16384];
    bool in_word = false;
    int n;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        counts->bytes += n;
        for (int i = 0; i < n; i++) {
            char c = buffer[i];
            bool space = c == ' ' || (c >= '\t' && c <= '\r');
            counts->lines += c == '\n';
            counts->words += !space && !in_word;
            in_word = !space;
        }
    }
    if (n < 0)
        perror(name);
    return n == 0;
}

int main(int argc, char *argv[])
{
    int i, status = 0;
    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        for (const char *option = argv[i] + 1; *option; option++) {
            if (*option == 'l')
                show_lines = true;
            else if (*option == 'w')
                show_words = true;
            else if (*option == 'c')
                show_bytes = true;
            else
                usage("wc [-lwc] [FILE...]");
        }
    }
    if (!show_lines && !show_words && !show_bytes)
        show_lines = show_words = show_bytes = true;

    struct counts total = {0, 0, 0};
    if (i == argc) {
        if (!count(0, "standard input", &total))
            return 1;
        print(&total, "");
        return 0;
    }
    int files = argc - i;
    for (; i < argc; i++) {
        struct counts counts = {0, 0, 0};
        int fd = open(argv[i], O_RDONLY);
        if (fd < 0)
            perror(argv[i]);
        if (fd >= 0 && count(fd, argv[i], &counts)) {
            print(&counts, argv[i]);
            total.lines += counts.lines;
            total.words += counts.words;
            total.bytes += counts.bytes;
        } else {
            status = 1;
        }
        if (fd >= 0)
            close(fd);
    }
    if (files > 1)
        print(&total, "total");
    return status;
}
