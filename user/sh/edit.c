// Reading a line from a console, with editing and history. The console is in raw mode: this code
// gets every key, and the screen shows only what this code draws. It reads one key at a time, so
// that keys typed early stay in the console for the next reader.
//
//   left, right, ^B, ^F     move by a character
//   Home, End, ^A, ^E       move to the beginning or the end of the line
//   up, down, ^P, ^N        show an older or newer line of the history
//   Tab                     complete a file name
//   Backspace, Delete, ^D   delete the character before or at the cursor
//   ^W, ^U, ^K              delete the word before, everything before, everything after the cursor
//   ^L                      clear the screen
//   ^C                      cancel the line
//   ^D on an empty line     end the input

#include "user/sh/sh.h"

#define PROMPT "$ "
#define COLUMNS 80 // the assumed width of the terminal; of a longer line it shows a window
#define ROOM (COLUMNS - 1 - (int)(sizeof(PROMPT) - 1)) // characters in the window
#define HISTORY 100

#define CTRL(letter) ((letter) - '@')

enum {
    KEY_LEFT = 256,
    KEY_RIGHT,
    KEY_UP,
    KEY_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
    KEY_NONE,
    KEY_EOF = -1,
};

// ---- the console ----

bool console_set_raw(bool raw)
{
    uint32_t argument = raw;
    return ioctl(0, CONSOLE_SET_RAW, &argument) == 0;
}

static int read_byte(void)
{
    unsigned char c;
    return read(0, &c, 1) == 1 ? c : KEY_EOF;
}

// Reads the rest of a key that sends several bytes, such as ESC [ A, ESC [ 3 ~ or ESC O H.
static int read_escape(void)
{
    int c = read_byte();
    if (c != '[' && c != 'O')
        return KEY_NONE;
    int number = 0;
    while ((c = read_byte()) == ';' || (c >= '0' && c <= '9'))
        number = c == ';' ? 0 : (number * 10 + c - '0') % 1000;
    switch (c) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    case '~':
        return number == 3                  ? KEY_DELETE
               : number == 1 || number == 7 ? KEY_HOME
               : number == 4 || number == 8 ? KEY_END
                                            : KEY_NONE;
    }
    return c == KEY_EOF ? KEY_EOF : KEY_NONE;
}

static int read_key(void)
{
    int c = read_byte();
    switch (c) {
    case 27:
        return read_escape();
    case CTRL('A'):
        return KEY_HOME;
    case CTRL('B'):
        return KEY_LEFT;
    case CTRL('E'):
        return KEY_END;
    case CTRL('F'):
        return KEY_RIGHT;
    case CTRL('N'):
        return KEY_DOWN;
    case CTRL('P'):
        return KEY_UP;
    case CTRL('H'):
        return 127;
    case '\r':
        return '\n';
    }
    return c;
}

// ---- the line on the screen ----

static struct {
    char *text; // LINE_SIZE bytes; always ends with a zero
    int length;
    int cursor;
    int window;            // the first character shown
    int row;               // the history line shown: 0 is the newest, -1 the new line
    char saved[LINE_SIZE]; // keeps the new line while a history line is shown
} edit;

// Draws the whole line and moves the terminal's cursor to its place.
static void draw(void)
{
    if (edit.cursor < edit.window || edit.cursor > edit.window + ROOM)
        edit.window = edit.cursor < ROOM ? 0 : edit.cursor - ROOM / 2;
    int shown = edit.length - edit.window < ROOM ? edit.length - edit.window : ROOM;
    char text[2 * COLUMNS];
    int n = snprintf(text, sizeof(text), "\r" PROMPT "%.*s\033[K", shown, edit.text + edit.window);
    int back = edit.window + shown - edit.cursor;
    if (back > 0)
        n += snprintf(text + n, sizeof(text) - n, "\033[%dD", back);
    write_all(2, text, n);
}

static void insert(const char *text, int n)
{
    if (edit.length + n >= LINE_SIZE) {
        write_all(2, "\a", 1);
        return;
    }
    memmove(edit.text + edit.cursor + n, edit.text + edit.cursor, edit.length - edit.cursor + 1);
    memcpy(edit.text + edit.cursor, text, n);
    bool at_end = edit.cursor == edit.length;
    edit.length += n;
    edit.cursor += n;
    // In the usual case, typing at the end of the line, print only the new characters.
    if (at_end && edit.length - edit.window <= ROOM)
        write_all(2, text, n);
    else
        draw();
}

static void erase(int from, int to)
{
    memmove(edit.text + from, edit.text + to, edit.length - to + 1);
    edit.length -= to - from;
    edit.cursor = from;
    draw();
}

static void move(int cursor)
{
    if (cursor < 0 || cursor > edit.length)
        return;
    edit.cursor = cursor;
    draw();
}

static int word_start(void)
{
    int i = edit.cursor;
    while (i > 0 && edit.text[i - 1] == ' ')
        i--;
    while (i > 0 && edit.text[i - 1] != ' ')
        i--;
    return i;
}

// ---- history ----

static char *history[HISTORY]; // a ring: line n is in slot n % HISTORY
static unsigned history_count; // lines added since the shell started

static void remember(const char *line)
{
    if (history_count > 0 && strcmp(line, history[(history_count - 1) % HISTORY]) == 0)
        return;
    char *copy = malloc(strlen(line) + 1);
    if (copy == NULL)
        return;
    char **slot = &history[history_count++ % HISTORY];
    free(*slot);
    *slot = strcpy(copy, line);
}

void print_history(void)
{
    unsigned first = history_count < HISTORY ? 0 : history_count - HISTORY;
    for (unsigned n = first; n < history_count; n++)
        printf("%5u  %s\n", n + 1, history[n % HISTORY]);
}

static void show_history(int row)
{
    int available = history_count < HISTORY ? (int)history_count : HISTORY;
    if (row < -1 || row >= available)
        return;
    if (edit.row == -1)
        strcpy(edit.saved, edit.text);
    edit.row = row;
    strcpy(edit.text, row < 0 ? edit.saved : history[(history_count - 1 - row) % HISTORY]);
    edit.length = edit.cursor = strlen(edit.text);
    draw();
}

// ---- keys ----

static void complete_word(void)
{
    char addition[LINE_SIZE];
    int matches = complete(edit.text, edit.cursor, addition);
    if (addition[0]) {
        insert(addition, strlen(addition));
    } else if (matches > 1) {
        write_all(2, "\n", 1);
        print_matches(edit.text, edit.cursor);
        draw();
    } else {
        write_all(2, "\a", 1);
    }
}

static void handle_key(int key)
{
    switch (key) {
    case KEY_LEFT:
        move(edit.cursor - 1);
        break;
    case KEY_RIGHT:
        move(edit.cursor + 1);
        break;
    case KEY_HOME:
        move(0);
        break;
    case KEY_END:
        move(edit.length);
        break;
    case KEY_UP:
        show_history(edit.row + 1);
        break;
    case KEY_DOWN:
        show_history(edit.row - 1);
        break;
    case 127:
        if (edit.cursor > 0)
            erase(edit.cursor - 1, edit.cursor);
        break;
    case KEY_DELETE:
    case CTRL('D'):
        if (edit.cursor < edit.length)
            erase(edit.cursor, edit.cursor + 1);
        break;
    case CTRL('U'):
        erase(0, edit.cursor);
        break;
    case CTRL('K'):
        erase(edit.cursor, edit.length);
        break;
    case CTRL('W'):
        erase(word_start(), edit.cursor);
        break;
    case CTRL('L'):
        write_all(2, "\033[H\033[2J", 7);
        draw();
        break;
    case '\t':
        complete_word();
        break;
    default:
        if (key >= ' ' && key < 256) {
            char c = key;
            insert(&c, 1);
        }
    }
}

bool edit_line(char line[LINE_SIZE])
{
    edit.text = line;
    edit.length = edit.cursor = edit.window = 0;
    edit.row = -1;
    line[0] = 0;
    write_all(2, PROMPT, strlen(PROMPT));
    for (;;) {
        int key = read_key();
        if (key == '\n')
            break;
        if (key == KEY_EOF || (key == CTRL('D') && edit.length == 0)) {
            write_all(2, "\n", 1);
            return false;
        }
        if (key == CTRL('C')) {
            write_all(2, "^C\n", 3);
            line[0] = 0;
            return true;
        }
        handle_key(key);
    }
    write_all(2, "\n", 1);
    if (edit.length > 0)
        remember(line);
    return true;
}
