// Symbols of the guest kernel: symbols.h is the contract.

#include "grade/plugins/common/symbols.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef EM_RISCV
#define EM_RISCV 243
#endif

#define MAX_SEGMENTS 8

static struct {
    uint8_t *file;
    uint64_t file_size;
    struct {
        uint64_t start, end;
    } code[MAX_SEGMENTS];
    unsigned code_count;
    struct function {
        uint64_t address, size;
        const char *name;
    } * functions;
    unsigned function_count;
    struct line_row *rows;
    unsigned row_count;
    bool lines_decoded;
} elf;

static bool read_file(const char *path)
{
    FILE *f = fopen(path, "rbe");
    if (!f)
        return false;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    elf.file = size > 0 ? malloc(size) : NULL;
    bool ok = elf.file && fread(elf.file, 1, size, f) == (size_t)size;
    elf.file_size = size;
    fclose(f);
    return ok;
}

// A piece of the file; NULL if it is out of range.
static const void *piece(uint64_t offset, uint64_t size)
{
    if (offset > elf.file_size || size > elf.file_size - offset)
        return NULL;
    return elf.file + offset;
}

static const Elf64_Shdr *section_header(unsigned i)
{
    const Elf64_Ehdr *header = (const void *)elf.file;
    return i < header->e_shnum ? piece(header->e_shoff + i * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr))
                               : NULL;
}

static struct section section_named(const char *name)
{
    const Elf64_Ehdr *header = (const void *)elf.file;
    const Elf64_Shdr *names = section_header(header->e_shstrndx), *s;
    for (unsigned i = 0; names && (s = section_header(i)) != NULL; i++) {
        const char *own = piece(names->sh_offset + s->sh_name, strlen(name) + 1);
        const void *data = piece(s->sh_offset, s->sh_size);
        if (own && data && s->sh_type != SHT_NOBITS && strcmp(own, name) == 0)
            return (struct section){data, s->sh_size};
    }
    return (struct section){0};
}

static void find_code(void)
{
    const Elf64_Ehdr *header = (const void *)elf.file;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr *p = piece(header->e_phoff + i * sizeof(*p), sizeof(*p));
        if (!p || p->p_type != PT_LOAD || !(p->p_flags & PF_X) || elf.code_count == MAX_SEGMENTS)
            continue;
        elf.code[elf.code_count].start = p->p_vaddr;
        elf.code[elf.code_count++].end = p->p_vaddr + p->p_memsz;
    }
}

static int by_address(const void *a, const void *b)
{
    const struct function *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static void find_functions(void)
{
    struct section symbols = section_named(".symtab"), strings = section_named(".strtab");
    const Elf64_Sym *symbol = (const void *)symbols.data;
    uint64_t count = symbols.size / sizeof(*symbol);
    elf.functions = calloc(count + 1, sizeof(*elf.functions));
    for (uint64_t i = 0; elf.functions && i < count; i++) {
        const char *name = (const char *)strings.data + symbol[i].st_name;
        unsigned type = ELF64_ST_TYPE(symbol[i].st_info);
        if (symbol[i].st_name >= strings.size || !symbols_is_code(symbol[i].st_value) ||
            (type != STT_FUNC && type != STT_NOTYPE) || name[0] == '\0' || name[0] == '.' ||
            name[0] == '$')
            continue;
        elf.functions[elf.function_count++] =
            (struct function){symbol[i].st_value, symbol[i].st_size, name};
    }
    qsort(elf.functions, elf.function_count, sizeof(*elf.functions), by_address);
}

bool symbols_load(const char *path, const char **error)
{
    *error = "cannot be read";
    if (!read_file(path))
        return false;
    const Elf64_Ehdr *header = (const void *)elf.file;
    *error = "is not a 64-bit RISC-V ELF file";
    if (elf.file_size < sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_RISCV)
        return false;
    find_code();
    find_functions();
    return true;
}

bool symbols_is_code(uint64_t pc)
{
    for (unsigned i = 0; i < elf.code_count; i++)
        if (pc >= elf.code[i].start && pc < elf.code[i].end)
            return true;
    return false;
}

// The last function that begins at or before the address.
static const char *function_at(uint64_t pc)
{
    unsigned low = 0, high = elf.function_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (elf.functions[middle].address <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? elf.functions[low - 1].name : "?";
}

struct location symbols_find(uint64_t pc)
{
    struct location found = {.function = function_at(pc), .file = "?"};
    if (!elf.lines_decoded) {
        elf.row_count = lines_decode(section_named(".debug_line"), section_named(".debug_str"),
                                     section_named(".debug_line_str"), &elf.rows);
        elf.lines_decoded = true;
    }
    unsigned low = 0, high = elf.row_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (elf.rows[middle].address <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    // Line 0 marks code that the compiler made up: it belongs to the lines before it.
    while (low > 0 && elf.rows[low - 1].line == 0 && !elf.rows[low - 1].end)
        low--;
    if (low > 0 && !elf.rows[low - 1].end) {
        found.file = elf.rows[low - 1].file;
        found.line = elf.rows[low - 1].line;
    }
    return found;
}
