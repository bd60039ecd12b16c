// usertests: link and unlink, the link counts, and files without a name.

#include "user/usertests/usertests.h"

static void link_works(void)
{
    put_file("a", 100, 1);
    EXPECT(link("a", "b"), 0);
    EXPECT(stat_of("a").nlink, 2);
    EXPECT(stat_of("a").ino, stat_of("b").ino);
    EXPECT(unlink("a"), 0);
    CHECK(!exists("a"));
    EXPECT_FILE("b", 100, 1);
    EXPECT(stat_of("b").nlink, 1);
    // Both names are the same file.
    EXPECT(link("b", "c"), 0);
    put_file("c", 50, 2);
    EXPECT_FILE("b", 50, 2);
}

static void link_errors(void)
{
    put_file("a", 10, 1);
    put_file("b", 20, 2);
    EXPECT(mkdir("d"), 0);
    EXPECT_ERROR(link("a", "a"), EEXIST);
    EXPECT_ERROR(link("a", "b"), EEXIST);
    EXPECT_ERROR(link("a", "d"), EEXIST);
    EXPECT_ERROR(link("missing", "x"), ENOENT);
    EXPECT_ERROR(link("a", "missing/x"), ENOENT);
    EXPECT_ERROR(link("a", "b/x"), ENOTDIR);
    EXPECT_ERROR(link("d", "e"), EPERM);
    EXPECT_ERROR(link(".", "e"), EPERM);
    EXPECT_ERROR(link("", "e"), EPERM); // the current directory
    EXPECT_ERROR(link("a", ""), 0);
    EXPECT_ERROR(link("a", "/"), 0);
    EXPECT_ERROR(link("a", "."), EEXIST);
    EXPECT_ERROR(link("a", "d/."), EEXIST);
    EXPECT_ERROR(link("a", "d/.."), EEXIST);
    // None of these changed the link count.
    EXPECT(stat_of("a").nlink, 1);
    EXPECT(stat_of("d").nlink, 1);
    EXPECT(count_entries("."), 3);
}

static void unlink_errors(void)
{
    put_file("f", 10, 1);
    EXPECT(mkdir("d"), 0);
    EXPECT_ERROR(unlink("missing"), ENOENT);
    EXPECT_ERROR(unlink("missing/x"), ENOENT);
    EXPECT_ERROR(unlink("f/x"), ENOTDIR);
    EXPECT_ERROR(unlink(""), ENOENT);
    EXPECT_ERROR(unlink("."), EINVAL);
    EXPECT_ERROR(unlink(".."), EINVAL);
    EXPECT_ERROR(unlink("d/."), EINVAL);
    EXPECT_ERROR(unlink("d/.."), EINVAL);
    EXPECT_ERROR(unlink("/"), 0);
    EXPECT(unlink("f"), 0);
    EXPECT_ERROR(unlink("f"), ENOENT);
    EXPECT(count_entries("."), 1);
}

// An open file exists after its last name is removed. It goes when its last descriptor is closed.
static void unlink_open(void)
{
    put_file("f", 5 * PAGE, 1);
    struct kstat before = kernel_state();
    int fd = open("f", O_RDWR);
    EXPECT(unlink("f"), 0);
    CHECK(!exists("f"));
    struct stat st;
    EXPECT(fstat(fd, &st), 0);
    EXPECT(st.nlink, 0);
    EXPECT(st.size, 5 * PAGE);
    EXPECT(read(fd, buffer, PAGE), PAGE);
    CHECK(has_pattern(buffer, PAGE, 1));
    EXPECT(write(fd, "new", 3), 3);
    // A new file with this name is a different file.
    put_file("f", 3, 9);
    EXPECT(lseek(fd, PAGE, SEEK_SET), PAGE);
    EXPECT(read(fd, buffer, 3), 3);
    EXPECT(memcmp(buffer, "new", 3), 0);
    EXPECT_FILE("f", 3, 9);
    EXPECT(unlink("f"), 0);
    EXPECT(kernel_state().fs_free_blocks, before.fs_free_blocks);
    EXPECT(close(fd), 0);
    EXPECT(kernel_state().fs_free_blocks, before.fs_free_blocks + 5);
    EXPECT(kernel_state().fs_free_inodes, before.fs_free_inodes + 1);
}

// The same if the process ends or is killed without closing the file.
static void unlink_exit(void)
{
    struct kstat before = kernel_state();
    for (int i = 0; i < 3; i++) {
        int pid = START();
        if (pid == 0) {
            int fd = MAKE("f");
            EXPECT(write(fd, buffer, PAGE), PAGE);
            EXPECT(unlink("f"), 0);
            if (i == 0)
                exit(0);
            if (i == 1)
                *(volatile char *)KERNEL_ADDRESS = 1;
            kill(getpid());
        }
        JOIN(pid, i == 0 ? 0 : -1);
    }
    EXPECT(kernel_state().fs_free_blocks, before.fs_free_blocks);
    EXPECT(kernel_state().fs_free_inodes, before.fs_free_inodes);
}

// One process removes the last name while another opens the file.
static void unlink_race(void)
{
    int pid = START();
    if (pid == 0) {
        for (int i = 0; i < 200; i++) {
            int fd = open("f", O_RDONLY);
            if (fd >= 0)
                close(fd);
        }
        exit(0);
    }
    for (int i = 0; i < 200; i++) {
        put_file("f", 10, i);
        EXPECT(unlink("f"), 0);
    }
    JOIN(pid, 0);
}

static void many_links(void)
{
    char name[] = "l00";
    put_file("f", 10, 1);
    for (int i = 0; i < 90; i++) {
        name[1] = '0' + i / 10;
        name[2] = '0' + i % 10;
        EXPECT(link("f", name), 0);
    }
    EXPECT(stat_of("f").nlink, 91);
    EXPECT(unlink("f"), 0);
    for (int i = 0; i < 90; i++) {
        name[1] = '0' + i / 10;
        name[2] = '0' + i % 10;
        EXPECT(stat_of(name).nlink, 90 - i);
        EXPECT(unlink(name), 0);
    }
    EXPECT(count_entries("."), 0);
}

// Names move between files and directories, as mv does it.
static void rename_pattern(void)
{
    EXPECT(mkdir("d"), 0);
    put_file("a", 10, 0);
    for (int i = 0; i < 20; i++) {
        const char *from = i % 2 ? "d/b" : "a", *to = i % 2 ? "a" : "d/b";
        EXPECT(link(from, to), 0);
        EXPECT(unlink(from), 0);
        CHECK(!exists(from));
        EXPECT(stat_of(to).nlink, 1);
    }
    EXPECT_FILE("a", 10, 0);
    EXPECT(unlink("d"), 0);
}

// Files are made, written and removed many times. Nothing runs out.
static void create_remove(void)
{
    for (int i = 0; i < 300; i++) {
        int fd = MAKE("f");
        EXPECT(write(fd, "x", 1), 1);
        close(fd);
        EXPECT(unlink("f"), 0);
    }
}

const struct test link_tests[] = {
    {"link", link_works, false},
    {"link-errors", link_errors, false},
    {"unlink-errors", unlink_errors, false},
    {"unlink-open", unlink_open, false},
    {"unlink-exit", unlink_exit, false},
    {"unlink-race", unlink_race, false},
    {"many-links", many_links, false},
    {"rename", rename_pattern, false},
    {"create-remove", create_remove, false},
    {0},
};
