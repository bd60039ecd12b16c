// sh: the shell. It reads lines, parses them (parse.c) and runs them (run.c).
//
//   sh             reads standard input; on a console with a prompt, editing (edit.c) and history
//   sh FILE        runs the commands in FILE
//   sh -c TEXT     runs the commands in TEXT
//
// It knows commands with arguments, quoting with ' and " and \, # comments, | < > >> N>,
// ; && || & ( ), and $? for the last exit status. cd, exit, history and wait are built in. If a
// program's name contains no /, the shell looks for it in the root directory.

#include "user/sh/sh.h"

// Reads a line of a file or pipe, without its newline; false at the end of the input. Reads
// standard input byte by byte, because the command in the line may read what follows.
static bool read_line(int fd, char line[LINE_SIZE])
{
    static char buffer[512];
    static int used, filled;
    int length = 0;
    bool too_long = false, any = false;
    for (;;) {
        if (used == filled) {
            used = 0;
            filled = read(fd, buffer, fd == 0 ? 1 : sizeof(buffer));
            if (filled <= 0) {
                filled = 0;
                break;
            }
        }
        any = true;
        char c = buffer[used++];
        if (c == '\n')
            break;
        if (length < LINE_SIZE - 1)
            line[length++] = c;
        else
            too_long = true;
    }
    if (too_long) {
        fprintf(2, "sh: line longer than %d bytes ignored\n", LINE_SIZE - 1);
        last_status = 2;
        length = 0;
    }
    line[length] = 0;
    return any;
}

static void run_text(const char *text)
{
    struct chain *list;
    if (parse(text, &list))
        run_list(list);
    else
        last_status = 2;
    parse_free();
}

static void run_file(int fd)
{
    char line[LINE_SIZE];
    while (read_line(fd, line))
        run_text(line);
}

static void run_console(void)
{
    char line[LINE_SIZE];
    on_console = true;
    for (;;) {
        console_set_raw(true);
        bool more = edit_line(line);
        console_set_raw(false);
        if (!more)
            return;
        run_text(line);
    }
}

int main(int argc, char *argv[])
{
    if (argc > 1 && strcmp(argv[1], "-c") == 0) {
        if (argc != 3)
            usage("sh [FILE | -c COMMANDS]");
        run_text(argv[2]);
    } else if (argc > 1) {
        if (argc != 2 || argv[1][0] == '-')
            usage("sh [FILE | -c COMMANDS]");
        script_fd = open(argv[1], O_RDONLY);
        if (script_fd < 0)
            die(argv[1]);
        run_file(script_fd);
    } else if (console_set_raw(true)) {
        run_console();
    } else {
        run_file(0);
    }
    return last_status;
}
