// The shell's parser. Each rule of the grammar in sh.h has a function that reads tokens and returns
// a part of the tree. Only parentheses make it recurse, and their depth is limited.

#include "user/sh/sh.h"

enum token { END, WORD, SEMICOLON, AMPERSAND, AND_AND, OR_OR, BAR, LEFT, RIGHT, REDIRECT };

static struct {
    const char *next;         // the text that follows the token
    enum token token;         // the current token
    char *word;               // the text of a WORD
    struct redirect redirect; // of a REDIRECT, without the path: this is the next word
    const char *start;        // where the token begins, for error messages
    int nesting;
    bool failed; // a message has been printed
} input;

// ---- memory: the size of the tree is at most a fixed multiple of the text's length ----

#define TREE_BYTES_PER_CHARACTER 128
static char *arena, *arena_free;

static void *allocate(size_t size)
{
    void *p = arena_free;
    arena_free += (size + 7) & ~7ul;
    return memset(p, 0, size);
}

void parse_free(void)
{
    free(arena);
    arena = NULL;
}

// ---- errors ----

static void fail(const char *message)
{
    if (!input.failed)
        fprintf(2, "sh: %s\n", message);
    input.failed = true;
    input.token = END;
}

static void fail_at_token(void)
{
    char message[64];
    if (input.token == END)
        snprintf(message, sizeof(message), "syntax error: the line ends too early");
    else
        snprintf(message, sizeof(message), "syntax error near '%.*s'",
                 input.next - input.start < 20 ? (int)(input.next - input.start) : 20, input.start);
    fail(message);
}

// ---- tokens ----

static bool ends_word(char c)
{
    return c == 0 || strchr(" \t\r\n;&|<>()", c) != NULL;
}

// Copies one word to the arena, without its quotes.
static char *read_word(void)
{
    char *word = arena_free, *out = word;
    char quote = 0;
    const char *p = input.next;
    for (; quote ? *p != 0 : !ends_word(*p); p++) {
        if (*p == quote) {
            quote = 0;
        } else if (quote == 0 && (*p == '\'' || *p == '"')) {
            quote = *p;
        } else if (quote != '\'' && *p == '$' && p[1] == '?') {
            *out++ = STATUS_MARK;
            p++;
        } else if (quote != '\'' && *p == '\\' && p[1] != 0) {
            *out++ = *++p;
        } else {
            *out++ = *p;
        }
    }
    input.next = p;
    if (quote)
        fail(quote == '"' ? "a \" is not closed" : "a ' is not closed");
    *out++ = 0;
    arena_free = word + ((out - word + 7) & ~7l);
    return word;
}

static enum token read_redirect(int fd)
{
    bool write = *input.next++ == '>';
    if (fd < 0)
        fd = write ? 1 : 0;
    int flags = O_RDONLY;
    if (write && *input.next == '>') {
        input.next++;
        flags = O_WRONLY | O_CREATE | O_APPEND;
    } else if (write) {
        flags = O_WRONLY | O_CREATE | O_TRUNC;
    }
    input.redirect = (struct redirect){.fd = fd, .flags = flags};
    return REDIRECT;
}

static enum token one_or_two(enum token single, enum token both)
{
    char c = *input.next++;
    if (*input.next != c)
        return single;
    input.next++;
    return both;
}

static enum token read_token(void)
{
    while (*input.next == ' ' || *input.next == '\t' || *input.next == '\r')
        input.next++;
    if (*input.next == '#')
        while (*input.next && *input.next != '\n')
            input.next++;
    input.start = input.next;
    switch (*input.next) {
    case 0:
        return END;
    case '\n':
    case ';':
        input.next++;
        return SEMICOLON;
    case '(':
        input.next++;
        return LEFT;
    case ')':
        input.next++;
        return RIGHT;
    case '&':
        return one_or_two(AMPERSAND, AND_AND);
    case '|':
        return one_or_two(BAR, OR_OR);
    case '<':
    case '>':
        return read_redirect(-1);
    }
    char c = input.next[0];
    if (c >= '0' && c <= '9' && (input.next[1] == '<' || input.next[1] == '>')) {
        input.next++;
        return read_redirect(c - '0');
    }
    input.word = read_word();
    return WORD;
}

static void advance(void)
{
    enum token token = read_token();
    input.token = input.failed ? END : token;
}

// ---- the grammar ----

static struct chain *parse_list(void);

static struct redirect *parse_redirect(void)
{
    struct redirect *redirect = allocate(sizeof(*redirect));
    *redirect = input.redirect;
    advance();
    if (input.token == WORD) {
        redirect->path = input.word;
        advance();
    } else {
        fail_at_token();
    }
    return redirect;
}

static struct chain *parse_subshell(void)
{
    if (++input.nesting > MAX_NESTING)
        fail("too many parentheses inside each other");
    advance();
    struct chain *list = parse_list();
    if (input.token != RIGHT || list == NULL)
        fail_at_token();
    advance();
    input.nesting--;
    return list;
}

static struct command *parse_command(void)
{
    struct command *command = allocate(sizeof(*command));
    struct word **last_word = &command->words;
    struct redirect **last_redirect = &command->redirects;
    int words = 0;
    if (input.token == LEFT)
        command->subshell = parse_subshell();
    while (input.token == REDIRECT || (input.token == WORD && !command->subshell)) {
        if (input.token == REDIRECT) {
            *last_redirect = parse_redirect();
            last_redirect = &(*last_redirect)->next;
            continue;
        }
        if (++words > MAXARG - 1)
            fail("too many words in one command");
        *last_word = allocate(sizeof(**last_word));
        (*last_word)->text = input.word;
        last_word = &(*last_word)->next;
        advance();
    }
    if (!command->words && !command->subshell && !command->redirects)
        fail_at_token();
    return command;
}

static struct pipeline *parse_pipeline(enum join join)
{
    struct pipeline *pipeline = allocate(sizeof(*pipeline));
    pipeline->join = join;
    struct command **last = &pipeline->commands;
    *last = parse_command();
    while (input.token == BAR) {
        advance();
        last = &(*last)->next;
        *last = parse_command();
    }
    return pipeline;
}

static struct chain *parse_chain(void)
{
    struct chain *chain = allocate(sizeof(*chain));
    struct pipeline **last = &chain->pipelines;
    *last = parse_pipeline(ALWAYS);
    while (input.token == AND_AND || input.token == OR_OR) {
        enum join join = input.token == AND_AND ? IF_SUCCEEDED : IF_FAILED;
        advance();
        last = &(*last)->next;
        *last = parse_pipeline(join);
    }
    return chain;
}

static struct chain *parse_list(void)
{
    struct chain *first = NULL, **last = &first;
    for (;;) {
        while (input.token == SEMICOLON)
            advance();
        if (input.token == END || input.token == RIGHT)
            return first;
        *last = parse_chain();
        if (input.token == AMPERSAND) {
            (*last)->background = true;
            advance();
        } else if (input.token != SEMICOLON && input.token != END && input.token != RIGHT) {
            fail_at_token();
        }
        last = &(*last)->next;
    }
}

bool parse(const char *text, struct chain **list)
{
    memset(&input, 0, sizeof(input));
    input.next = text;
    *list = NULL;
    arena = arena_free = malloc((strlen(text) + 1) * TREE_BYTES_PER_CHARACTER);
    if (arena == NULL) {
        fail("out of memory");
        return false;
    }
    advance();
    *list = parse_list();
    if (input.token != END)
        fail_at_token();
    return !input.failed;
}
