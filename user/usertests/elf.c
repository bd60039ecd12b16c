// usertests: exec() of files that the test makes, valid and invalid. exec() must reject every file
// that is not a program, and no file may harm the kernel.

#include "user/usertests/usertests.h"

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

#define PT_LOAD 1
#define READ_EXECUTE 5
#define READ_WRITE 6
#define CODE_OFFSET 4096 // its default offset in the file

// The program: exit(42).
asm(".pushsection .rodata\n"
    "    .balign 4\n"
    "elf_code:\n"
    "    li a0, 42\n"
    "    li a7, 2\n"
    "    ecall\n"
    "elf_code_end:\n"
    ".popsection");
extern const char elf_code[], elf_code_end[];

struct image {
    struct elf_header elf;
    struct program_header segment[2];
    long size;        // bytes of the file
    long code_offset; // where the code goes
};

static struct image good_image(void)
{
    return (struct image){
        .elf = {.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                .type = 2,
                .machine = 243,
                .version = 1,
                .phoff = sizeof(struct elf_header),
                .ehsize = sizeof(struct elf_header),
                .phentsize = sizeof(struct program_header),
                .phnum = 1},
        .segment = {{.type = PT_LOAD,
                     .flags = READ_EXECUTE,
                     .offset = CODE_OFFSET,
                     .filesz = 64,
                     .memsz = 64,
                     .align = 4096}},
        .size = CODE_OFFSET + 64,
        .code_offset = CODE_OFFSET,
    };
}

// Runs the file. Returns its exit status, or 127 if exec() rejected it.
static int run_image(const struct image *image)
{
    char *argv[] = {"prog", NULL};
    int fd = MAKE("prog");
    EXPECT(lseek(fd, image->code_offset, SEEK_SET), image->code_offset);
    // cppcheck-suppress comparePointers ; both are labels in the assembly above
    EXPECT(write(fd, elf_code, elf_code_end - elf_code), elf_code_end - elf_code);
    EXPECT(lseek(fd, image->size - 1, SEEK_SET), image->size - 1);
    EXPECT(write(fd, "", 1), 1);
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    EXPECT(write(fd, &image->elf, sizeof(image->elf)), sizeof(image->elf));
    EXPECT(lseek(fd, sizeof(image->elf), SEEK_SET), sizeof(image->elf));
    EXPECT(write(fd, image->segment, sizeof(image->segment)), sizeof(image->segment));
    close(fd);
    return run_program("./prog", argv, "out");
}

static void elf_good(void)
{
    struct image image = good_image();
    EXPECT(run_image(&image), 42);

    // The code's offset in the file is not a multiple of the page size.
    image.code_offset = image.segment[0].offset = 300;
    EXPECT(run_image(&image), 42);
    image.code_offset = image.segment[0].offset = CODE_OFFSET + 16;
    image.size = CODE_OFFSET + 80;
    EXPECT(run_image(&image), 42);

    // The segment is larger in memory than in the file.
    image = good_image();
    image.segment[0].memsz = 5 * PAGE + 1;
    EXPECT(run_image(&image), 42);

    // A second segment follows after a gap.
    image.elf.phnum = 2;
    image.segment[1] = (struct program_header){
        .type = PT_LOAD, .flags = READ_WRITE, .vaddr = 16 * PAGE, .memsz = 3 * PAGE};
    EXPECT(run_image(&image), 42);

    // The kernel ignores headers of other types, whatever they contain.
    image.segment[1] = (struct program_header){
        .type = 0x6fffffff, .offset = ~0ul, .vaddr = KERNEL_ADDRESS, .filesz = ~0ul, .memsz = 1};
    EXPECT(run_image(&image), 42);
}

// A large file: the program begins in the last page, which indirect blocks hold.
static void elf_large(void)
{
    enum { SIZE = 512 * 1024 };
    struct image image = good_image();
    image.segment[0].filesz = image.segment[0].memsz = SIZE;
    image.code_offset = CODE_OFFSET + SIZE - 64;
    image.size = CODE_OFFSET + SIZE;
    image.elf.entry = SIZE - 64;
    EXPECT(run_image(&image), 42);
}

static void refuse(const struct image *image, const char *what)
{
    int status = run_image(image);
    if (status != 127)
        FAIL("exec of a file with %s: expected -1, but it ran (status %d)", what, status);
}

static void elf_bad_header(void)
{
    struct image image = good_image();
    image.elf.ident[0] = 0;
    refuse(&image, "a wrong first byte");
    image = good_image();
    image.elf.ident[3] = 'f';
    refuse(&image, "a wrong fourth byte");
    image = good_image();
    image.elf.phoff = image.size;
    refuse(&image, "program headers after its end");
    image.elf.phoff = ~0ul - 10;
    refuse(&image, "program headers at a place that wraps");
    image = good_image();
    image.elf.phnum = 65535;
    refuse(&image, "65535 program headers");
}

static void elf_bad_segment(void)
{
    struct image image = good_image();
    struct program_header *segment = &image.segment[0];
    const struct program_header good = *segment;

    segment->memsz = 32;
    refuse(&image, "less memory than file");
    *segment = good;
    segment->vaddr = 8;
    refuse(&image, "a segment that begins inside a page");
    *segment = good;
    segment->vaddr = KERNEL_ADDRESS & ~0xffful;
    refuse(&image, "a segment in the kernel");
    *segment = good;
    segment->vaddr = USER_ADDRESS_END;
    refuse(&image, "a segment after the last user address");
    *segment = good;
    segment->vaddr = -PAGE;
    segment->memsz = 2 * PAGE;
    refuse(&image, "a segment that wraps");
    *segment = good;
    segment->memsz = 1ul << 62;
    refuse(&image, "a huge segment");
    *segment = good;
    segment->memsz = -1ul;
    refuse(&image, "a segment of the largest number");
    *segment = good;
    segment->filesz = segment->memsz = 2 * PAGE;
    refuse(&image, "a segment that continues after the file's end");
    *segment = good;
    segment->offset = 1ul << 40;
    refuse(&image, "a segment far after the file's end");
    *segment = good;
    segment->offset = -32ul;
    refuse(&image, "a segment whose place wraps");
}

// The program starts, but there is no code at its entry point.
static void elf_bad_entry(void)
{
    static const uint64_t entries[] = {0x100000, 0x3000, KERNEL_ADDRESS, ~1ul, USER_ADDRESS_END};
    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
        struct image image = good_image();
        image.elf.entry = entries[i];
        EXPECT(run_image(&image), -1);
    }
}

static void not_programs(void)
{
    char *argv[] = {"x", NULL};
    EXPECT(mkdir("d"), 0);
    EXPECT_ERROR(exec("d", argv), 0);
    EXPECT_ERROR(exec("/dev/null", argv), 0);
    EXPECT_ERROR(exec("/dev/kstat", argv), 0);
    EXPECT_ERROR(exec("/dev/console", argv), 0);
    close(MAKE("empty"));
    EXPECT_ERROR(exec("empty", argv), ENOEXEC);
    put_file("noise", 3 * PAGE, 1);
    EXPECT_ERROR(exec("noise", argv), ENOEXEC);
    int fd = MAKE("short");
    EXPECT(write(fd,
                 "\x7f"
                 "ELF",
                 4),
           4);
    EXPECT_ERROR(exec("short", argv), ENOEXEC);
}

const struct test elf_tests[] = {
    {"elf-good", elf_good, false},
    {"elf-large", elf_large, false},
    {"elf-bad-header", elf_bad_header, false},
    {"elf-bad-segment", elf_bad_segment, false},
    {"elf-bad-entry", elf_bad_entry, false},
    {"elf-not-programs", not_programs, false},
    {0},
};
