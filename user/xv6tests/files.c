// xv6tests: files, directories and devices. Every file that a test makes has a name that ends in
// .x6. The test removes it again.

#include "user/xv6tests/xv6tests.h"

_Static_assert(sizeof(struct stat) == 24, "struct stat");
_Static_assert(sizeof(struct dirent) == 16, "struct dirent");

static char block[3000];

static void open_flags(void)
{
    unlink("a.x6");
    EXPECT(open("a.x6", O_RDONLY), -1);
    int fd = open("a.x6", O_CREATE | O_WRONLY);
    EXPECT(fd, 3);
    EXPECT(write(fd, "abcdef", 6), 6);
    EXPECT(read(fd, block, 1), -1);
    EXPECT(close(fd), 0);
    fd = open("a.x6", O_RDWR);
    EXPECT(read(fd, block, 100), 6);
    EXPECT(same(block, "abcdef", 6), true);
    EXPECT(write(fd, "gh", 2), 2);
    EXPECT(close(fd), 0);
    fd = open("a.x6", O_RDONLY);
    EXPECT(write(fd, "x", 1), -1);
    EXPECT(read(fd, block, 100), 8);
    EXPECT(close(fd), 0);
    fd = open("a.x6", O_WRONLY | O_TRUNC);
    EXPECT(close(fd), 0);
    fd = open("a.x6", O_RDONLY);
    EXPECT(read(fd, block, 100), 0);
    EXPECT(close(fd), 0);
    EXPECT(unlink("a.x6"), 0);
}

// Checks each field at its place in the bytes: programs were compiled for this layout.
static void stat_layout(void)
{
    unsigned char raw[32];
    int fd = open("a.x6", O_CREATE | O_RDWR);
    EXPECT(write(fd, block, 1000), 1000);
    for (int i = 0; i < 32; i++)
        raw[i] = 0xa5;
    EXPECT(fstat(fd, (struct stat *)(void *)raw), 0);
    struct stat st;
    EXPECT(fstat(fd, &st), 0);
    EXPECT(raw[4] | raw[5] << 8 | raw[6] << 16, st.ino);
    EXPECT(raw[8] | raw[9] << 8, T_FILE);
    EXPECT(raw[10] | raw[11] << 8, 1);
    EXPECT(raw[16] | raw[17] << 8 | raw[18] << 16, 1000);
    EXPECT(raw[23], 0);
    for (int i = 24; i < 32; i++)
        EXPECT(raw[i], 0xa5);
    EXPECT(close(fd), 0);
    EXPECT(unlink("a.x6"), 0);
    fd = open("/", O_RDONLY);
    EXPECT(fstat(fd, &st), 0);
    EXPECT(st.type, T_DIR);
    EXPECT(st.ino, ROOTINO);
}

static void read_directory(void)
{
    struct dirent entry;
    struct stat st;
    EXPECT(mkdir("d.x6"), 0);
    int file = open("d.x6/a-name", O_CREATE | O_RDWR);
    EXPECT(fstat(file, &st), 0);
    int fd = open("d.x6", O_RDONLY);
    EXPECT(read(fd, &entry, 16), 16);
    EXPECT(same(entry.name, ".\0", 2), true);
    EXPECT(read(fd, &entry, 16), 16);
    EXPECT(same(entry.name, "..\0", 3), true);
    EXPECT(read(fd, &entry, 16), 16);
    EXPECT(same(entry.name, "a-name\0\0\0\0\0\0\0", 14), true);
    EXPECT(entry.inum, st.ino);
    EXPECT(read(fd, &entry, 16), 0);
    EXPECT(write(fd, &entry, 16), -1);
    EXPECT(open("d.x6", O_WRONLY), -1);
    EXPECT(open("d.x6", O_RDWR), -1);
    EXPECT(unlink("d.x6"), -1);
    EXPECT(unlink("d.x6/."), -1);
    EXPECT(unlink("d.x6/.."), -1);
    EXPECT(unlink("d.x6/a-name"), 0);
    EXPECT(unlink("d.x6"), 0);
    EXPECT(mkdir("d.x6"), 0);
    EXPECT(mkdir("d.x6"), -1);
    EXPECT(chdir("d.x6"), 0);
    EXPECT(unlink("../d.x6"), 0);
    EXPECT(open("a", O_CREATE | O_RDWR), -1);
    EXPECT(chdir("/"), 0);
}

static void names(void)
{
    int fd = open("fourteen-by.x6", O_CREATE | O_RDWR);
    EXPECT(fd, 3);
    EXPECT(write(fd, "14", 2), 2);
    EXPECT(close(fd), 0);
    // A longer name is cut.
    fd = open("fourteen-by.x6-and-more", O_RDONLY);
    EXPECT(fd, 3);
    EXPECT(read(fd, block, 10), 2);
    EXPECT(close(fd), 0);
    EXPECT(unlink("fourteen-by.x6-too"), 0);
    EXPECT(open("fourteen-by.x6", O_RDONLY), -1);
    char path[MAXPATH + 1];
    for (int i = 0; i < MAXPATH; i++)
        path[i] = '/';
    path[MAXPATH] = 0;
    EXPECT(open(path, O_RDONLY), -1);
    path[MAXPATH - 1] = 0;
    EXPECT(open(path, O_RDONLY), 3);
}

static void descriptors(void)
{
    for (int fd = 3; fd < NOFILE; fd++)
        EXPECT(open(SELF, O_RDONLY), fd);
    EXPECT(open(SELF, O_RDONLY), -1);
    EXPECT(dup(0), -1);
    int fds[2];
    EXPECT(pipe(fds), -1);
    EXPECT(close(9), 0);
    EXPECT(pipe(fds), -1);
    EXPECT(dup(4), 9);
    EXPECT(close(16), -1);
    EXPECT(close(-1), -1);
    // dup shares the offset.
    EXPECT(read(4, block, 10), 10);
    EXPECT(read(9, block + 10, 10), 10);
    EXPECT(read(5, block + 20, 20), 20);
    EXPECT(same(block, block + 20, 20), true);
}

static void links(void)
{
    struct stat st;
    int fd = open("a.x6", O_CREATE | O_RDWR);
    EXPECT(link("a.x6", "b.x6"), 0);
    EXPECT(link("a.x6", "b.x6"), -1);
    EXPECT(link("/", "c.x6"), -1);
    EXPECT(fstat(fd, &st), 0);
    EXPECT(st.nlink, 2);
    EXPECT(unlink("a.x6"), 0);
    EXPECT(unlink("a.x6"), -1);
    EXPECT(unlink("b.x6"), 0);
    // It is still open.
    EXPECT(fstat(fd, &st), 0);
    EXPECT(st.nlink, 0);
    EXPECT(write(fd, "abc", 3), 3);
}

// Three times as large as the largest write to xv6's log, so it needs indirect blocks.
static void larger_file(void)
{
    for (int i = 0; i < 3000; i++)
        block[i] = i % 101;
    int fd = open("a.x6", O_CREATE | O_RDWR);
    for (int i = 0; i < 60; i++)
        EXPECT(write(fd, block, 3000), 3000);
    EXPECT(close(fd), 0);
    fd = open("a.x6", O_RDONLY);
    for (int i = 0; i < 60; i++) {
        EXPECT(read(fd, block, 3000), 3000);
        for (int j = 0; j < 3000; j++)
            EXPECT(block[j], j % 101);
    }
    EXPECT(read(fd, block, 1), 0);
    EXPECT(unlink("a.x6"), 0);
}

// Another descriptor has truncated the file: a write past its new end fails.
static void cut_short(void)
{
    int fd = open("a.x6", O_CREATE | O_WRONLY);
    int reader = open("a.x6", O_RDONLY);
    EXPECT(write(fd, "abcd", 4), 4);
    EXPECT(read(reader, block, 100), 4);
    int other = open("a.x6", O_WRONLY | O_TRUNC);
    EXPECT(write(fd, "x", 1), -1);
    EXPECT(read(reader, block, 100), 0);
    EXPECT(write(other, "abcdef", 6), 6);
    EXPECT(read(reader, block, 100), 2);
    EXPECT(unlink("a.x6"), 0);
}

// A buffer whose end is not readable: the call fails, but the first part has been written.
static void half_a_buffer(void)
{
    sbrk(PGSIZE - (uint64)sbrk(0) % PGSIZE);
    char *top = sbrk(0);
    int fd = open("a.x6", O_CREATE | O_RDWR);
    top[-1] = 'X';
    EXPECT(write(fd, top - 1, 2), -1);
    EXPECT(close(fd), 0);
    fd = open("a.x6", O_RDONLY);
    EXPECT(read(fd, block, 10), 1);
    EXPECT(block[0], 'X');
    // A path that ends there is invalid.
    EXPECT(open(top - 1, O_RDONLY), -1);
    EXPECT(unlink("a.x6"), 0);
}

// Names that name nothing, and a current directory that has been removed.
static void no_names(void)
{
    EXPECT(mkdir(""), -1);
    EXPECT(open("", O_CREATE), -1);
    EXPECT(link(SELF, ""), -1);
    EXPECT(unlink(""), -1);
    EXPECT(mkdir("d.x6"), 0);
    EXPECT(mkdir("d.x6/e"), 0);
    EXPECT(chdir("d.x6/e"), 0);
    EXPECT(unlink("/d.x6/e"), 0);
    EXPECT(unlink("/d.x6"), 0);
    EXPECT(open("../", O_RDONLY), -1);
    EXPECT(open("../c", O_CREATE), -1);
    EXPECT(open("c", O_CREATE), -1);
    EXPECT(chdir("/"), 0);
}

static void console_device(void)
{
    struct stat st;
    unlink("con.x6");
    EXPECT(mknod("con.x6", CONSOLE, 0), 0);
    EXPECT(mknod("con.x6", CONSOLE, 0), -1);
    int fd = open("con.x6", O_RDWR);
    EXPECT(fd, 3);
    EXPECT(write(fd, "", 0), 0);
    EXPECT(fstat(fd, &st), 0);
    EXPECT(st.type, T_DEVICE);
    EXPECT(close(fd), 0);
    EXPECT(unlink("con.x6"), 0);
}

static void shared_offset(void)
{
    int status, fd = open("a.x6", O_CREATE | O_TRUNC | O_RDWR);
    int pid = fork();
    for (int i = 0; i < 100; i++)
        EXPECT(write(fd, pid ? "pppp" : "cccc", 4), 4);
    if (pid == 0)
        exit(0);
    EXPECT(wait(&status), pid);
    EXPECT(status, 0);
    EXPECT(close(fd), 0);
    fd = open("a.x6", O_RDONLY);
    EXPECT(read(fd, block, 1000), 800);
    int children = 0;
    for (int i = 0; i < 800; i++)
        children += block[i] == 'c';
    EXPECT(children, 400);
    EXPECT(unlink("a.x6"), 0);
}

const struct test file_tests[] = {
    {"xv6-open", open_flags},
    {"xv6-stat", stat_layout},
    {"xv6-directory", read_directory},
    {"xv6-names", names},
    {"xv6-descriptors", descriptors},
    {"xv6-links", links},
    {"xv6-large-file", larger_file},
    {"xv6-console", console_device},
    {"xv6-shared", shared_offset},
    {"xv6-cut-short", cut_short},
    {"xv6-half-buffer", half_a_buffer},
    {"xv6-no-names", no_names},
    {0, 0},
};
