// grep: prints the lines that match a pattern. In a pattern,
//
//   .        matches any character
//   [a-z]    matches one character of a set, [^a-z] one that is not in it
//   * + ?    repeat the element before them: any number of times, at least once, at most once
//   ^ $      match the beginning and the end of the line
//   \        takes the next character literally
//
//   -v  prints the lines that do not match    -i  ignores upper and lower case
//   -n  prints line numbers                   -c  prints only the number of lines
//   -q  prints nothing
//
// The exit status is 0 if a line was selected, 1 if none was, 2 after an error.

#include "user/lib/user.h"

static bool invert, ignore_case, numbers, count_only, quiet;

// ---- matching ----

static char lower(char c)
{
    return ignore_case && c >= 'A' && c <= 'Z' ? c + 32 : c;
}

// Returns the end of the first element of the pattern: a set, an escaped or a plain character.
static const char *element_end(const char *pattern)
{
    if (*pattern == '\\' && pattern[1])
        return pattern + 2;
    if (*pattern != '[')
        return pattern + 1;
    const char *p = pattern + 1;
    if (*p == '^')
        p++;
    if (*p == ']') // as the first character, ] is a member of the set
        p++;
    while (*p && *p != ']')
        p++;
    return *p ? p + 1 : pattern + 1; // a [ without ] is a plain character
}

static bool in_set(const char *p, const char *end, char c)
{
    bool outside = *p == '^', found = false;
    for (p += outside; p < end; p++) {
        if (p + 2 < end && p[1] == '-') {
            found |= lower(p[0]) <= c && c <= lower(p[2]);
            p += 2;
        } else {
            found |= lower(*p) == c;
        }
    }
    return found != outside;
}

static bool element_matches(const char *element, const char *end, char c)
{
    if (c == 0)
        return false;
    if (end - element == 1)
        return *element == '.' || lower(*element) == lower(c);
    if (*element == '\\')
        return lower(element[1]) == lower(c);
    return in_set(element + 1, end - 1, lower(c));
}

// Returns whether the pattern matches at the beginning of the text. The recursion is at most as
// deep as the pattern is long.
static bool match_here(const char *pattern, const char *text)
{
    while (*pattern) {
        if (pattern[0] == '$' && pattern[1] == 0)
            return *text == 0;
        const char *end = element_end(pattern);
        if (*end != '*' && *end != '+' && *end != '?') {
            if (!element_matches(pattern, end, *text))
                return false;
            pattern = end;
            text++;
            continue;
        }
        // Take as many characters as possible, then give them back until the rest matches.
        int most = *end == '?' ? 1 : INT32_MAX, least = *end == '+' ? 1 : 0, taken = 0;
        while (taken < most && element_matches(pattern, end, text[taken]))
            taken++;
        for (; taken >= least; taken--)
            if (match_here(end + 1, text + taken))
                return true;
        return false;
    }
    return true;
}

static bool match(const char *pattern, const char *text)
{
    if (*pattern == '^')
        return match_here(pattern + 1, text);
    do {
        if (match_here(pattern, text))
            return true;
    } while (*text++);
    return false;
}

// ---- lines ----

static char *buffer; // `size` bytes; those from `start` to `end` are still to be searched
static size_t start, end, size;

// Returns the next line without its newline, or NULL at the end of the file. The buffer grows until
// it holds the longest line.
static char *next_line(int fd, const char *name)
{
    size_t searched = start;
    for (;;) {
        for (; searched < end; searched++) {
            if (buffer[searched] == '\n') {
                char *line = buffer + start;
                buffer[searched] = 0;
                start = searched + 1;
                return line;
            }
        }
        if (start > 0) // else there may be no buffer yet
            memmove(buffer, buffer + start, end - start);
        end -= start;
        searched -= start;
        start = 0;
        if (end + 1 >= size) {
            size = size ? 2 * size : 32768;
            buffer = realloc(buffer, size);
            if (buffer == NULL)
                die(name);
        }
        int n = read(fd, buffer + end, size - end - 1);
        if (n < 0)
            perror(name);
        if (n <= 0 && end == 0)
            return NULL;
        if (n <= 0) { // the last line has no newline
            buffer[end] = 0;
            start = end;
            return buffer;
        }
        end += n;
    }
}

static bool search(const char *pattern, int fd, const char *name, bool with_name)
{
    uint64_t number = 0, selected = 0;
    char *line;
    start = end = 0;
    while ((line = next_line(fd, name)) != NULL) {
        number++;
        if (match(pattern, line) == invert)
            continue;
        selected++;
        if (quiet)
            exit(0);
        if (count_only)
            continue;
        if (with_name)
            printf("%s:", name);
        if (numbers)
            printf("%lu:", number);
        printf("%s\n", line);
    }
    if (count_only && with_name)
        printf("%s:%lu\n", name, selected);
    else if (count_only)
        printf("%lu\n", selected);
    return selected > 0;
}

int main(int argc, char *argv[])
{
    int i;
    for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        for (const char *option = argv[i] + 1; *option; option++) {
            bool *flag = *option == 'v'   ? &invert
                         : *option == 'i' ? &ignore_case
                         : *option == 'n' ? &numbers
                         : *option == 'c' ? &count_only
                         : *option == 'q' ? &quiet
                                          : NULL;
            if (flag == NULL)
                usage("grep [-vincq] PATTERN [FILE...]");
            *flag = true;
        }
    }
    if (i == argc)
        usage("grep [-vincq] PATTERN [FILE...]");
    const char *pattern = argv[i++];
    if (i == argc)
        return search(pattern, 0, "standard input", false) ? 0 : 1;
    bool found = false, failed = false, several = argc - i > 1;
    for (; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);
        if (fd < 0) {
            perror(argv[i]);
            failed = true;
            continue;
        }
        found |= search(pattern, fd, argv[i], several);
        close(fd);
    }
    return failed ? 2 : found ? 0 : 1;
}
