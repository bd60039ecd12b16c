// usertests: paths: slashes, dots, long names, long paths, and elements that are not directories.

#include "user/usertests/usertests.h"

static void path_slashes(void)
{
    EXPECT(mkdir("d"), 0);
    put_file("d/f", 10, 1);
    static const char *const same[] = {
        "d/f",
        "d//f",
        "./d/f",
        ".//d///f",
        "d/./f",
        "d/../d/f",
        "d/./././/./f",
        TEST_DIR "/d/f",
        "//" TEST_DIR "//d/f",
        "/.." TEST_DIR "/d/f",
        "/./usertests.dir/d/f",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(same); i++)
        EXPECT_FILE(same[i], 10, 1);
    EXPECT(stat_of("d/").ino, stat_of("d").ino);
    EXPECT(stat_of("d///").ino, stat_of("d").ino);
    EXPECT(mkdir("d/e///"), 0);
    EXPECT(stat_of("d/e").type, T_DIR);
    EXPECT(unlink("d/e//"), 0);
    EXPECT(stat_of("/").ino, stat_of("////").ino);
    // As in xv6, looking up the empty path gives the current directory.
    EXPECT(stat_of("").ino, stat_of(".").ino);
    EXPECT_ERROR(open("", O_CREATE | O_RDWR), ENOENT);
}

// The kernel silently cuts every name to 14 bytes.
static void long_names(void)
{
    put_file("12345678901234", 10, 1);
    EXPECT_FILE("12345678901234", 10, 1);
    EXPECT_FILE("123456789012345", 10, 1);
    EXPECT_FILE("12345678901234567890", 10, 1);
    EXPECT_ERROR(open("1234567890123", O_RDONLY), ENOENT);
    EXPECT(mkdir("abcdefghijklmnop"), 0);
    EXPECT_ERROR(mkdir("abcdefghijklmn"), EEXIST);
    EXPECT_ERROR(mkdir("abcdefghijklmnXYZ"), EEXIST);
    put_file("abcdefghijklmn/abcdefghijklmnop", 5, 2);
    EXPECT_FILE("abcdefghijklmnQQQ/abcdefghijklmnZ", 5, 2);
    EXPECT(mkdir("abcdefghijklmn/12345678901234"), 0);
    EXPECT_ERROR(link("12345678901234", "123456789012345"), EEXIST);
    EXPECT(unlink("abcdefghijklmn/12345678901234zzz"), 0);
    EXPECT(count_entries("abcdefghijklmn"), 1);
    EXPECT(count_entries("."), 2);
}

// A name may contain any byte except '/' and 0.
static void odd_names(void)
{
    static const char *const names[] = {" ",  "a b", "\n", "\xff\xfe", "...",
                                        ".x", "*",   "-",  "\\",       "a\tb"};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        put_file(names[i], i, i);
    EXPECT(count_entries("."), ARRAY_SIZE(names));
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        EXPECT_FILE(names[i], i, i);
}

// A file cannot be used as a directory, anywhere in a path.
static void file_as_directory(void)
{
    put_file("f", 10, 1);
    EXPECT_ERROR(open("f/x", O_RDONLY), ENOTDIR);
    EXPECT_ERROR(open("f/x", O_CREATE | O_RDWR), ENOTDIR);
    EXPECT_ERROR(open("f/.", O_RDONLY), ENOTDIR);
    EXPECT_ERROR(open("f/..", O_RDONLY), ENOTDIR);
    EXPECT_ERROR(mkdir("f/x"), ENOTDIR);
    EXPECT_ERROR(mknod("f/x", DEV_NULL, 0), ENOTDIR);
    EXPECT_ERROR(unlink("f/x"), ENOTDIR);
    EXPECT_ERROR(link("/usertests", "f/x"), ENOTDIR);
    EXPECT_ERROR(chdir("f"), ENOTDIR);
    EXPECT_ERROR(open("/dev/null/x", O_RDONLY), ENOTDIR);
    EXPECT_FILE("f", 10, 1);
}

// Paths that go up and down in a tree, where different directories use the same names.
static void subdirectories(void)
{
    EXPECT(mkdir("dd"), 0);
    put_file("dd/ff", 3, 1);
    EXPECT(mkdir("dd/dd"), 0);
    put_file("dd/dd/ff", 4, 2);
    EXPECT(link("dd/dd/ff", "dd/dd/ffff"), 0);
    EXPECT(unlink("dd/dd/ff"), 0);
    EXPECT_ERROR(open("dd/dd/ff", O_RDONLY), ENOENT);
    EXPECT(chdir("dd"), 0);
    EXPECT(chdir("dd/../../dd"), 0);
    EXPECT(chdir("./.."), 0);
    EXPECT_FILE("dd/dd/ffff", 4, 2);
    EXPECT_ERROR(open("dd/ff/ff", O_CREATE), ENOTDIR);
    EXPECT_ERROR(open("dd/xx/ff", O_CREATE), ENOENT);
    EXPECT_ERROR(link("dd/ff/ff", "dd/dd/xx"), ENOTDIR);
    EXPECT_ERROR(link("dd/ff", "dd/dd/ffff"), EEXIST);
    EXPECT_ERROR(mkdir("dd/dd/ffff"), EEXIST);
    EXPECT_ERROR(unlink("dd/xx/ff"), ENOENT);
    EXPECT_ERROR(chdir("dd/ff"), ENOTDIR);
    EXPECT(unlink("dd/dd/ffff"), 0);
    EXPECT(unlink("dd/ff"), 0);
    EXPECT_ERROR(unlink("dd"), ENOTEMPTY);
    EXPECT(unlink("dd/dd"), 0);
    EXPECT(unlink("dd"), 0);
}

// Failing calls must not keep inodes: the runner would count them as lost.
static void path_references(void)
{
    EXPECT(mkdir("d"), 0);
    uint64_t inodes = kernel_state().inodes;
    for (int i = 0; i < 200; i++) {
        EXPECT_ERROR(mkdir(""), ENOENT);
        EXPECT_ERROR(link(SELF, ""), ENOENT);
        EXPECT_ERROR(open("", O_CREATE), ENOENT);
        EXPECT_ERROR(open("d/x/y", O_CREATE), ENOENT);
        EXPECT_ERROR(unlink("d/x"), ENOENT);
        EXPECT_ERROR(chdir("d/x"), ENOENT);
        EXPECT_ERROR(unlink("d/.."), EINVAL);
    }
    EXPECT(kernel_state().inodes, inodes);
}

const struct test path_tests[] = {
    {"path-slashes", path_slashes, false},
    {"long-names", long_names, false},
    {"odd-names", odd_names, false},
    {"file-as-directory", file_as_directory, false},
    {"subdirectories", subdirectories, false},
    {"path-references", path_references, false},
    {0},
};
