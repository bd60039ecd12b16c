// usertests: directories: making, removing and reading them, "." and "..", and the current
// directory.

#include "kernel/fs/format.h"
#include "user/usertests/usertests.h"

static void mkdir_works(void)
{
    EXPECT(mkdir("d"), 0);
    struct stat st = stat_of("d");
    EXPECT(st.type, T_DIR);
    EXPECT(st.nlink, 1);
    EXPECT(stat_of("d/.").ino, st.ino);
    EXPECT(stat_of("d/..").ino, stat_of(".").ino);
    EXPECT(count_entries("d"), 0);
    put_file("d/f", 10, 1);
    EXPECT_FILE("d/f", 10, 1);
    EXPECT_FILE(TEST_DIR "/d/f", 10, 1);
    // The ".." of each subdirectory counts as a link.
    int before = stat_of(".").nlink;
    EXPECT(mkdir("e"), 0);
    EXPECT(stat_of(".").nlink, before + 1);
    EXPECT(unlink("e"), 0);
    EXPECT(stat_of(".").nlink, before);
}

static void mkdir_errors(void)
{
    put_file("f", 10, 1);
    EXPECT(mkdir("d"), 0);
    EXPECT_ERROR(mkdir("d"), EEXIST);
    EXPECT_ERROR(mkdir("f"), EEXIST);
    EXPECT_ERROR(mkdir("."), EEXIST);
    EXPECT_ERROR(mkdir(".."), EEXIST);
    EXPECT_ERROR(mkdir("/"), EEXIST);
    EXPECT_ERROR(mkdir("d/."), EEXIST);
    EXPECT_ERROR(mkdir("missing/d"), ENOENT);
    EXPECT_ERROR(mkdir("f/d"), ENOTDIR);
    EXPECT_ERROR(mkdir(""), ENOENT);
    EXPECT(count_entries("."), 2);
}

static void remove_directory(void)
{
    EXPECT(mkdir("d"), 0);
    EXPECT(mkdir("d/e"), 0);
    put_file("d/e/f", 1, 1);
    EXPECT_ERROR(unlink("d"), ENOTEMPTY);
    EXPECT_ERROR(unlink("d/e"), ENOTEMPTY);
    EXPECT(unlink("d/e/f"), 0);
    EXPECT_ERROR(unlink("d"), ENOTEMPTY);
    EXPECT(unlink("d/e"), 0);
    EXPECT_ERROR(unlink("d/e"), ENOENT);
    EXPECT(unlink("d"), 0);
    CHECK(!exists("d"));
    // A freed entry does not count.
    EXPECT(mkdir("d"), 0);
    put_file("f", 1, 1);
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof(name), "d/%d", i);
        EXPECT(link("f", name), 0);
    }
    for (int i = 299; i >= 0; i--) {
        char name[16];
        snprintf(name, sizeof(name), "d/%d", i);
        EXPECT_ERROR(unlink("d"), ENOTEMPTY);
        EXPECT(unlink(name), 0);
    }
    EXPECT(unlink("d"), 0);
}

static void open_directory(void)
{
    EXPECT(mkdir("d"), 0);
    EXPECT_ERROR(open("d", O_WRONLY), EISDIR);
    EXPECT_ERROR(open("d", O_RDWR), EISDIR);
    EXPECT_ERROR(open("d", O_RDONLY | O_TRUNC), EISDIR);
    EXPECT_ERROR(open("d", O_CREATE), EISDIR);
    EXPECT_ERROR(open(".", O_CREATE | O_RDWR), EISDIR);
    EXPECT_ERROR(open("/", O_WRONLY), EISDIR);
    int fd = open("d", O_RDONLY);
    CHECK(fd >= 0);
    EXPECT_ERROR(write(fd, "x", 1), EBADF);
    EXPECT(count_entries("d"), 0);
}

// read() on a directory returns its entries, 16 bytes each. Programs depend on this layout.
static void read_directory(void)
{
    struct dir_entry entry;
    EXPECT(sizeof(entry), 16);
    put_file("fourteen_bytes", 1, 1);
    put_file("x", 1, 1);
    EXPECT(unlink("x"), 0);
    put_file("ab", 1, 1);
    int fd = open(".", O_RDONLY);
    EXPECT(read(fd, &entry, 16), 16);
    EXPECT(strcmp(entry.name, "."), 0);
    EXPECT(entry.inode, stat_of(".").ino);
    EXPECT(read(fd, &entry, 16), 16);
    EXPECT(strcmp(entry.name, ".."), 0);
    EXPECT(entry.inode, stat_of("..").ino);
    EXPECT(read(fd, &entry, 16), 16);
    EXPECT(memcmp(entry.name, "fourteen_bytes", 14), 0);
    EXPECT(entry.inode, stat_of("fourteen_bytes").ino);
    // A new file reuses the freed entry.
    EXPECT(read(fd, &entry, 16), 16);
    EXPECT(memcmp(entry.name, "ab\0\0\0\0\0\0\0\0\0\0\0", 14), 0);
    EXPECT(read(fd, &entry, 16), 0);
    EXPECT(stat_of(".").size, 64);
}

static void chdir_works(void)
{
    EXPECT(mkdir("a"), 0);
    EXPECT(mkdir("a/b"), 0);
    EXPECT(chdir("a"), 0);
    EXPECT(chdir("b"), 0);
    put_file("f", 5, 1);
    EXPECT(chdir(".."), 0);
    EXPECT_FILE("b/f", 5, 1);
    EXPECT(chdir("./b/../b/./../.."), 0);
    EXPECT_FILE("a/b/f", 5, 1);
    EXPECT(stat_of(".").ino, stat_of(TEST_DIR).ino);
    // The parent of the root is the root.
    EXPECT(chdir("/../.."), 0);
    EXPECT(stat_of(".").ino, 1);
    EXPECT(stat_of("..").ino, 1);
}

static void chdir_errors(void)
{
    put_file("f", 1, 1);
    uint32_t here = stat_of(".").ino;
    EXPECT_ERROR(chdir("f"), ENOTDIR);
    EXPECT_ERROR(chdir("missing"), ENOENT);
    EXPECT_ERROR(chdir("f/.."), ENOTDIR);
    EXPECT_ERROR(chdir("/dev/null"), ENOTDIR);
    EXPECT(stat_of(".").ino, here);
}

// A program may remove a directory that is the current directory of a process. After that, nothing
// can be made in it.
static void removed_cwd(void)
{
    uint32_t free_inodes = kernel_state().fs_free_inodes;
    for (int i = 0; i < 20; i++) {
        int pid = START();
        if (pid == 0) {
            EXPECT(mkdir("d"), 0);
            EXPECT(chdir("d"), 0);
            EXPECT(unlink("../d"), 0);
            EXPECT_ERROR(open("f", O_CREATE | O_RDWR), ENOENT);
            EXPECT_ERROR(mkdir("e"), ENOENT);
            EXPECT_ERROR(link(SELF, "l"), ENOENT);
            EXPECT_ERROR(open("f", O_RDONLY), ENOENT);
            CHECK(exists("."));
            EXPECT(stat_of(".").nlink, 0);
            EXPECT(chdir("/"), 0);
            if (i % 2)
                EXPECT(kernel_state().fs_free_inodes, free_inodes);
            exit(0);
        }
        JOIN(pid, 0);
        EXPECT(kernel_state().fs_free_inodes, free_inodes);
    }
    // It also goes when its process ends.
    int pid = START();
    if (pid == 0) {
        EXPECT(mkdir("d"), 0);
        EXPECT(chdir("d"), 0);
        EXPECT(unlink("../d"), 0);
        exit(0);
    }
    JOIN(pid, 0);
    EXPECT(kernel_state().fs_free_inodes, free_inodes);
}

// More files than one block of entries can hold. Each is found, and they are removed in another
// order.
static void many_files(void)
{
    // The initrd has only a few inodes.
    const int files = kernel_state().fs_free_inodes > 700 ? 600 : 150;
    char name[16];
    for (int i = 0; i < files; i++) {
        snprintf(name, sizeof(name), "file%d", i);
        int fd = MAKE(name);
        EXPECT(write(fd, &i, sizeof(i)), sizeof(i));
        close(fd);
    }
    EXPECT(count_entries("."), files);
    // Steps of seven reach each file once: seven and the number of files have no common divisor.
    for (int i = 0, at = 0; i < files; i++, at = (at + 7) % files) {
        int number;
        snprintf(name, sizeof(name), "file%d", at);
        int fd = open(name, O_RDONLY);
        EXPECT(read(fd, &number, sizeof(number)), sizeof(number));
        EXPECT(number, at);
        close(fd);
    }
    for (int i = 0; i < files; i += 2) {
        snprintf(name, sizeof(name), "file%d", i);
        EXPECT(unlink(name), 0);
    }
    EXPECT(count_entries("."), files / 2);
    uint64_t size = stat_of(".").size;
    for (int i = 0; i < files; i += 2) {
        snprintf(name, sizeof(name), "again%d", i);
        close(MAKE(name));
    }
    // The new files use the free entries.
    EXPECT(stat_of(".").size, size);
    EXPECT(count_entries("."), files);
}

static void large_directory(void)
{
    enum { FILES = 3000 };
    char name[16];
    close(MAKE("f"));
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "x%d", i);
        EXPECT(link("f", name), 0);
    }
    EXPECT(stat_of("f").nlink, FILES + 1);
    EXPECT(count_entries("."), FILES + 1);
    for (int i = FILES - 1; i >= 0; i--) {
        snprintf(name, sizeof(name), "x%d", i);
        EXPECT(unlink(name), 0);
    }
    EXPECT(stat_of("f").nlink, 1);
}

// A tree that is deeper than the longest path.
static void deep_directories(void)
{
    enum { DEPTH = 60 };
    for (int i = 0; i < DEPTH; i++) {
        EXPECT(mkdir("deep"), 0);
        EXPECT(chdir("deep"), 0);
    }
    put_file("f", 10, 1);
    EXPECT_FILE("f", 10, 1);
    EXPECT(unlink("f"), 0);
    for (int i = 0; i < DEPTH; i++) {
        EXPECT(chdir(".."), 0);
        EXPECT(unlink("deep"), 0);
    }
    EXPECT(count_entries("."), 0);
}

const struct test directory_tests[] = {
    {"mkdir", mkdir_works, false},
    {"mkdir-errors", mkdir_errors, false},
    {"remove-directory", remove_directory, false},
    {"open-directory", open_directory, false},
    {"read-directory", read_directory, false},
    {"chdir", chdir_works, false},
    {"chdir-errors", chdir_errors, false},
    {"removed-cwd", removed_cwd, false},
    {"many-files", many_files, false},
    {"large-directory", large_directory, true},
    {"deep-directories", deep_directories, false},
    {0},
};
