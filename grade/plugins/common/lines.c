// Line numbers: decodes .debug_line of DWARF 4 and 5 (DWARF 5, section 6.2), as far as GCC and
// clang use it.

#include "grade/plugins/common/symbols.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAMES 1024 // files of one compilation unit

// A position in a section. Reading past the end returns zeros and sets `bad`.
struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static uint64_t fixed(struct reader *r, unsigned bytes)
{
    uint64_t value = 0;
    if ((size_t)(r->end - r->at) < bytes) {
        r->bad = true;
        r->at = r->end;
        return 0;
    }
    memcpy(&value, r->at, bytes);
    r->at += bytes;
    return value;
}

static uint64_t uleb(struct reader *r)
{
    uint64_t value = 0;
    unsigned shift = 0, byte;
    do {
        byte = fixed(r, 1);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80 && !r->bad);
    return value;
}

static int64_t sleb(struct reader *r)
{
    uint64_t value = 0;
    unsigned shift = 0, byte;
    do {
        byte = fixed(r, 1);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80 && !r->bad);
    if (shift < 64 && byte & 0x40)
        value |= ~(uint64_t)0 << shift;
    return value;
}

static const char *string(struct reader *r)
{
    const char *start = (const char *)r->at;
    const void *end = memchr(r->at, 0, r->end - r->at);
    if (!end) {
        r->bad = true;
        return "?";
    }
    r->at = (const uint8_t *)end + 1;
    return start;
}

// One compilation unit: its header and the tables of names that its line program refers to.
struct unit {
    struct reader r;
    struct section strings, line_strings;
    unsigned offset_size, version;
    uint8_t min_inst, line_range, opcode_base;
    int8_t line_base;
    const uint8_t *opcode_lengths;
    const char *dirs[MAX_NAMES], *files[MAX_NAMES];
    unsigned dir_count, file_count;
};

static struct {
    struct line_row *rows;
    unsigned count, room;
} out;

static void emit(uint64_t address, const char *file, unsigned line, bool end)
{
    if (out.count == out.room) {
        unsigned room = out.room ? 2 * out.room : 4096;
        struct line_row *rows = realloc(out.rows, room * sizeof(*rows));
        if (!rows)
            return;
        out.rows = rows;
        out.room = room;
    }
    out.rows[out.count] = (struct line_row){address, file, line, end, out.count};
    out.count++;
}

// ---- the header: directories and files ----

// Reads a value in one of the forms that DWARF 5's tables use. Sets `*text` if it is a string.
static uint64_t form(struct unit *u, uint64_t kind, const char **text)
{
    struct section from = {0};
    uint64_t offset;
    switch (kind) {
    case 0x08: // DW_FORM_string
        *text = string(&u->r);
        return 0;
    case 0x0e: // DW_FORM_strp
    case 0x1f: // DW_FORM_line_strp
        from = kind == 0x0e ? u->strings : u->line_strings;
        offset = fixed(&u->r, u->offset_size);
        *text = offset < from.size ? (const char *)from.data + offset : "?";
        return 0;
    case 0x0b: // data1
        return fixed(&u->r, 1);
    case 0x05: // data2
        return fixed(&u->r, 2);
    case 0x0f: // udata
        return uleb(&u->r);
    case 0x1e: // data16: an MD5 sum
        fixed(&u->r, 8);
        return fixed(&u->r, 8);
    default:
        u->r.bad = true;
        return 0;
    }
}

// A file's name with its directory. Relative to the compilation directory if the file is inside it.
static const char *full_name(const struct unit *u, const char *name, uint64_t dir)
{
    const char *base = u->dir_count > 0 ? u->dirs[0] : "";
    const char *in = dir < u->dir_count && dir > 0 ? u->dirs[dir] : "";
    size_t length = strlen(base);
    if (name[0] == '/')
        in = "";
    if (length > 0 && strncmp(in, base, length) == 0)
        in += in[length] == '/' ? length + 1 : in[length] == '\0' ? length : 0;
    if (length > 0 && strncmp(name, base, length) == 0 && name[length] == '/')
        name += length + 1;
    if (*in == '\0')
        return name;
    char *full = malloc(strlen(in) + strlen(name) + 2);
    if (!full)
        return name;
    strcpy(full, in);
    strcat(full, "/");
    strcat(full, name);
    return full;
}

// One table of names in DWARF 5: the table of directories, or the table of files.
static void table_5(struct unit *u, const char *names[MAX_NAMES], unsigned *kept, bool files)
{
    struct {
        uint64_t content, form;
    } format[16];
    unsigned formats = fixed(&u->r, 1);
    if (formats > 16) {
        u->r.bad = true;
        return;
    }
    for (unsigned i = 0; i < formats; i++) {
        format[i].content = uleb(&u->r);
        format[i].form = uleb(&u->r);
    }
    uint64_t count = uleb(&u->r);
    for (uint64_t n = 0; n < count && !u->r.bad; n++) {
        const char *name = "?";
        uint64_t dir = 0;
        for (unsigned i = 0; i < formats; i++) {
            const char *text = NULL;
            uint64_t value = form(u, format[i].form, &text);
            if (format[i].content == 1 && text) // DW_LNCT_path
                name = text;
            if (format[i].content == 2) // DW_LNCT_directory_index
                dir = value;
        }
        if (*kept < MAX_NAMES)
            names[(*kept)++] = files ? full_name(u, name, dir) : name;
    }
}

// Both tables in DWARF 4. Directories and files are numbered from 1; directory 0 is the compilation
// directory, which the table does not name.
static void tables_4(struct unit *u)
{
    u->dirs[u->dir_count++] = "";
    for (;;) {
        const char *dir = string(&u->r);
        if (*dir == '\0' || u->r.bad)
            break;
        if (u->dir_count < MAX_NAMES)
            u->dirs[u->dir_count++] = dir;
    }
    u->files[u->file_count++] = "?";
    for (;;) {
        const char *name = string(&u->r);
        if (*name == '\0' || u->r.bad)
            return;
        uint64_t dir = uleb(&u->r);
        uleb(&u->r), uleb(&u->r); // time, length
        if (u->file_count < MAX_NAMES)
            u->files[u->file_count++] = full_name(u, name, dir);
    }
}

// ---- the program ----

struct state {
    uint64_t address;
    unsigned file;
    int64_t line;
};

static void row(struct unit *u, const struct state *s)
{
    emit(s->address, s->file < u->file_count ? u->files[s->file] : "?", s->line, false);
}

static void extended(struct unit *u, struct state *s)
{
    uint64_t length = uleb(&u->r);
    const uint8_t *next = u->r.at + length;
    if (length == 0 || length > (size_t)(u->r.end - u->r.at)) {
        u->r.bad = true;
        return;
    }
    switch (fixed(&u->r, 1)) {
    case 1: // DW_LNE_end_sequence
        emit(s->address, "?", 0, true);
        *s = (struct state){.file = 1, .line = 1};
        break;
    case 2: // DW_LNE_set_address
        s->address = fixed(&u->r, 8);
        break;
    }
    u->r.at = next;
}

static void standard(struct unit *u, struct state *s, unsigned opcode)
{
    switch (opcode) {
    case 1: // copy
        row(u, s);
        break;
    case 2: // advance_pc
        s->address += uleb(&u->r) * u->min_inst;
        break;
    case 3: // advance_line
        s->line += sleb(&u->r);
        break;
    case 4: // set_file
        s->file = uleb(&u->r);
        break;
    case 8: // const_add_pc
        s->address += (uint64_t)((255 - u->opcode_base) / u->line_range) * u->min_inst;
        break;
    case 9: // fixed_advance_pc
        s->address += fixed(&u->r, 2);
        break;
    default: // not needed here: skip its operands
        for (unsigned n = u->opcode_lengths[opcode - 1]; n > 0; n--)
            uleb(&u->r);
    }
}

static void program(struct unit *u)
{
    struct state s = {.file = 1, .line = 1};
    while (u->r.at < u->r.end && !u->r.bad) {
        unsigned opcode = fixed(&u->r, 1);
        if (opcode >= u->opcode_base) { // a special opcode: advance address and line, emit a row
            unsigned step = opcode - u->opcode_base;
            s.address += (uint64_t)(step / u->line_range) * u->min_inst;
            s.line += u->line_base + (int)(step % u->line_range);
            row(u, &s);
        } else if (opcode == 0) {
            extended(u, &s);
        } else {
            standard(u, &s, opcode);
        }
    }
}

static void decode_unit(struct unit *u)
{
    u->version = fixed(&u->r, 2);
    if (u->version < 4 || u->version > 5)
        return;
    if (u->version == 5)
        fixed(&u->r, 2); // sizes of an address and of a segment selector
    uint64_t header = fixed(&u->r, u->offset_size);
    const uint8_t *start = u->r.at + header;
    if (header > (size_t)(u->r.end - u->r.at))
        return;
    u->min_inst = fixed(&u->r, 1);
    fixed(&u->r, 2); // instructions per bundle, default of is_stmt
    u->line_base = (int8_t)fixed(&u->r, 1);
    u->line_range = fixed(&u->r, 1);
    u->opcode_base = fixed(&u->r, 1);
    u->opcode_lengths = u->r.at;
    for (unsigned i = 1; i < u->opcode_base; i++)
        fixed(&u->r, 1);
    if (u->version == 5) {
        table_5(u, u->dirs, &u->dir_count, false);
        table_5(u, u->files, &u->file_count, true);
    } else {
        tables_4(u);
    }
    if (u->r.bad || u->line_range == 0)
        return;
    u->r.at = start;
    program(u);
}

// Sorts by address. At the same address, the end of one sequence comes before the beginning of
// another; otherwise rows keep the program's order.
static int by_address(const void *a, const void *b)
{
    const struct line_row *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->end != y->end)
        return x->end ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

unsigned lines_decode(struct section line, struct section strings, struct section line_strings,
                      struct line_row **rows)
{
    struct reader all = {line.data, line.data + line.size, false};
    struct unit *u = calloc(1, sizeof(*u));
    while (u && all.at < all.end && !all.bad) {
        uint64_t length = fixed(&all, 4);
        *u = (struct unit){.strings = strings, .line_strings = line_strings, .offset_size = 4};
        if (length == 0xffffffff) {
            length = fixed(&all, 8);
            u->offset_size = 8;
        }
        if (length > (size_t)(all.end - all.at))
            break;
        u->r = (struct reader){all.at, all.at + length, false};
        decode_unit(u);
        all.at += length;
    }
    free(u);
    qsort(out.rows, out.count, sizeof(*out.rows), by_address);
    *rows = out.rows;
    return out.count;
}
