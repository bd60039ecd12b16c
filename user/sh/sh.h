// What the files of the shell share: the tree of a parsed line, and the calls between parser,
// editor and the part that runs commands.

#ifndef RINGFENCE_SH_H
#define RINGFENCE_SH_H

#include "user/lib/user.h"

#define LINE_SIZE 1024 // bytes of a line, with its zero
#define MAX_NESTING 32 // parentheses inside parentheses

// ---- the tree (parse.c) ----
//
//   list:      chain {(; | &) chain}
//   chain:     pipeline {(&& | ||) pipeline}
//   pipeline:  command {| command}
//   command:   word... redirections, or ( list ) redirections, or redirections alone

#define STATUS_MARK '\001' // stands in a word where $? was

struct word {
    char *text; // without its quotes
    struct word *next;
};

struct redirect {
    int fd;    // the descriptor that is replaced
    int flags; // of open()
    char *path;
    struct redirect *next;
};

struct command {
    struct word *words;
    struct redirect *redirects;
    struct chain *subshell; // instead of words
    struct command *next;   // reads what this one writes
};

enum join { ALWAYS, IF_SUCCEEDED, IF_FAILED };

struct pipeline {
    struct command *commands;
    enum join join; // whether to run, judged by the pipeline before it
    struct pipeline *next;
};

struct chain {
    struct pipeline *pipelines;
    bool background;
    struct chain *next;
};

// Parses text, which may hold several lines. Returns false after printing what is wrong. The tree
// (NULL for an empty line) lives until parse_free(), which must follow in either case.
bool parse(const char *text, struct chain **list);
void parse_free(void);

// ---- running (run.c) ----

extern int last_status; // exit status of the last command, -1 if the kernel ended it
extern bool on_console; // this process reads commands from a console that it controls
extern int script_fd;   // of `sh FILE`, -1 for none; commands must not inherit it

void run_list(struct chain *list);
void wait_for_background(void); // until no child is left

// builtin.c: a command of the shell itself, by its name; NULL if it is none. Returns its status.
typedef int builtin_fn(int argc, char **argv);
builtin_fn *find_builtin(const char *name);

// ---- reading lines from a console (edit.c, complete.c) ----

bool console_set_raw(bool raw); // false if standard input is no console
// Reads and edits a line, with history; false at the end of input (^D on an empty line).
bool edit_line(char line[LINE_SIZE]);
void print_history(void);

// Completes the word that ends at line[cursor]: writes what to insert there to addition, "" if
// there is nothing certain. The number of names that fit; print_matches() shows them.
int complete(const char *line, int cursor, char addition[LINE_SIZE]);
void print_matches(const char *line, int cursor);

#endif
