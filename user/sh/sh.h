// Shared by the files of the shell: the tree of a parsed line, and the functions of the parser, the
// editor and the part that runs commands.

#ifndef RINGFENCE_SH_H
#define RINGFENCE_SH_H

#include "user/lib/user.h"

#define LINE_SIZE 1024 // bytes of a line, including its zero
#define MAX_NESTING 32 // parentheses inside parentheses

// ---- the tree (parse.c) ----
//
//   list:      chain {(; | &) chain}
//   chain:     pipeline {(&& | ||) pipeline}
//   pipeline:  command {| command}
//   command:   word... redirections, or ( list ) redirections, or only redirections

#define STATUS_MARK '\001' // replaces $? in a word

struct word {
    char *text; // without its quotes
    struct word *next;
};

struct redirect {
    int fd;    // the descriptor to replace
    int flags; // for open()
    char *path;
    struct redirect *next;
};

struct command {
    struct word *words;
    struct redirect *redirects;
    struct chain *subshell; // instead of words
    struct command *next;   // reads the output of this one
};

enum join { ALWAYS, IF_SUCCEEDED, IF_FAILED };

struct pipeline {
    struct command *commands;
    enum join join; // whether this runs depends on the last exit status
    struct pipeline *next;
};

struct chain {
    struct pipeline *pipelines;
    bool background;
    struct chain *next;
};

// Parses text, which may have several lines. Prints a message and returns false if it is wrong. The
// tree is NULL for an empty line. It is valid until parse_free(), which you must call in any case.
bool parse(const char *text, struct chain **list);
void parse_free(void);

// ---- running (run.c) ----

extern int last_status; // exit status of the last command; -1 if the kernel ended it
extern bool on_console; // this process reads commands from a console and controls it
extern int script_fd;   // the FILE of `sh FILE`, or -1; commands must not inherit it

void run_list(struct chain *list);
void wait_for_background(void); // returns when no child is left

// ---- built-in commands (builtin.c) ----

typedef int builtin_fn(int argc, char **argv); // returns the exit status
// Finds a built-in command by its name; NULL if there is none.
builtin_fn *find_builtin(const char *name);

// ---- reading lines from a console (edit.c, complete.c) ----

bool console_set_raw(bool raw); // false if standard input is not a console
// Reads a line with editing and history; false at the end of the input (^D on an empty line).
bool edit_line(char line[LINE_SIZE]);
void print_history(void);

// Completes the word that ends at line[cursor]. `addition` gets the text to insert there, "" if
// nothing is certain. Returns the number of matching names; print_matches() prints them.
int complete(const char *line, int cursor, char addition[LINE_SIZE]);
void print_matches(const char *line, int cursor);

#endif
