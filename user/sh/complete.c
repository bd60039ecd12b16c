// Completing file names. The word before the cursor is split into a directory and the beginning of
// a name. Every entry of the directory that begins with it is a match. The first word of a command
// names a program; without a / it is completed from the root directory.

#include "user/sh/sh.h"

#include "kernel/fs/format.h"

struct search {
    char directory[MAXPATH];
    const char *prefix; // the beginning of the name, inside the line
    int prefix_length;
    bool first_word;
    int fd;
};

static bool is_first_word(const char *line, int word)
{
    while (word > 0 && line[word - 1] == ' ')
        word--;
    return word == 0 || strchr(";&|(", line[word - 1]) != NULL;
}

// Opens the directory to search; false if that fails.
static bool search_begin(struct search *search, const char *line, int cursor)
{
    int word = cursor;
    while (word > 0 && strchr(" \t;&|<>()\"'", line[word - 1]) == NULL)
        word--;
    int name = cursor;
    while (name > word && line[name - 1] != '/')
        name--;
    search->first_word = is_first_word(line, word);
    search->prefix = line + name;
    search->prefix_length = cursor - name;
    if (name - word >= MAXPATH || search->prefix_length > NAME_SIZE)
        return false;
    memcpy(search->directory, line + word, name - word);
    search->directory[name - word] = 0;
    if (name == word)
        strcpy(search->directory, search->first_word ? "/" : ".");
    search->fd = open(search->directory, O_RDONLY);
    return search->fd >= 0;
}

// Finds the next match; a directory gets a / at its end. Returns false, and closes the directory,
// when there are no more.
static bool search_next(struct search *search, char match[NAME_SIZE + 2])
{
    unsigned inode;
    while (read_entry(search->fd, match, &inode) == 1) {
        if (strncmp(match, search->prefix, search->prefix_length) != 0)
            continue;
        if (match[0] == '.' && search->prefix_length == 0)
            continue;
        char path[MAXPATH + NAME_SIZE + 2];
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", search->directory, match);
        if (stat(path, &st) == 0 && st.type == T_DIR)
            strcpy(match + strlen(match), "/");
        return true;
    }
    close(search->fd);
    return false;
}

int complete(const char *line, int cursor, char addition[LINE_SIZE])
{
    struct search search;
    char match[NAME_SIZE + 2], common[NAME_SIZE + 3];
    int matches = 0;
    addition[0] = 0;
    if (!search_begin(&search, line, cursor))
        return 0;
    while (search_next(&search, match)) {
        int i = 0;
        if (matches++ == 0)
            strcpy(common, match);
        while (common[i] && common[i] == match[i])
            i++;
        common[i] = 0;
    }
    if (matches == 0)
        return 0;
    // Add a space to a complete name, unless it is a directory.
    size_t length = strlen(common);
    if (matches == 1 && common[length - 1] != '/')
        strcpy(common + length, " ");
    strcpy(addition, common + search.prefix_length);
    return matches;
}

void print_matches(const char *line, int cursor)
{
    struct search search;
    char match[NAME_SIZE + 2];
    if (!search_begin(&search, line, cursor))
        return;
    for (int column = 1; search_next(&search, match); column++)
        fprintf(2, "%-16s%s", match, column % 5 == 0 ? "\n" : "");
    fprintf(2, "\n");
}
