// usertests: every pointer argument of every call, with every kind of bad address. The call must
// fail, change nothing and reveal nothing.

#include "user/usertests/usertests.h"

// Addresses that are never valid in this program. bad_address() adds those that depend on the end
// of the heap.
static const uint64_t bad_addresses[] = {
    0x40000000,              // after the heap of any test here
    0x80000000,              // physical memory begins here
    0x80200000,              // the kernel's physical address
    0x2000000000,            // where mmap() begins; nothing is mapped
    USER_ADDRESS_END - 4096, // the last user page
    USER_ADDRESS_END - 4,    // an access crosses the end
    USER_ADDRESS_END,        // the first address that is not canonical
    0x8000000000,
    0x8000000000000000,
    0xffffffbffffff000, // the last that is not canonical
    0xffffffc000000000, // the kernel's direct map
    KERNEL_ADDRESS,
    0xfffffff000000000, // the kernel's stacks
    0xfffffffffffff000,
    0xfffffffffffffff8, // an access wraps around
    0xffffffffffffffff,
};
#define BAD_COUNT (ARRAY_SIZE(bad_addresses) + 2)

static void *bad_address(unsigned i)
{
    extern char end[];
    if (i < ARRAY_SIZE(bad_addresses))
        return (void *)bad_addresses[i];
    // After the heap's last page, and in the guard page, which follows the program's data.
    uint64_t place = i == ARRAY_SIZE(bad_addresses) ? (uint64_t)sbrk(0) : (uint64_t)end;
    return (void *)((place + PAGE - 1) / PAGE * PAGE);
}

static void bad_read_write(void)
{
    int fds[2];
    int fd = MAKE("f");
    EXPECT(write(fd, "original", 8), 8);
    EXPECT(pipe(fds), 0);
    EXPECT(write(fds[1], "0123456789", 10), 10);
    for (unsigned i = 0; i < BAD_COUNT; i++) {
        void *bad = bad_address(i);
        EXPECT(lseek(fd, 0, SEEK_SET), 0);
        EXPECT_ERROR(read(fd, bad, 8), EFAULT);
        EXPECT(lseek(fd, 0, SEEK_SET), 0);
        EXPECT_ERROR(write(fd, bad, 8192), EFAULT);
        EXPECT_ERROR(write(fds[1], bad, 8), EFAULT);
        EXPECT_ERROR(read(fds[0], bad, 8), EFAULT);
    }
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    EXPECT(read(fd, buffer, 100), 8);
    EXPECT(memcmp(buffer, "original", 8), 0);
    EXPECT(read(fds[0], buffer, 100), 10);
    EXPECT(memcmp(buffer, "0123456789", 10), 0);
}

// After a write that fails, an empty file is still empty and has no block.
static void bad_write_extends(void)
{
    int fd = MAKE("f");
    uint64_t before = kernel_state().fs_free_blocks;
    for (int i = 0; i < 100; i++)
        EXPECT_ERROR(write(fd, (void *)0xffffffffff, 1), EFAULT);
    EXPECT_ERROR(write(fd, (void *)KERNEL_ADDRESS, 20 * PAGE), EFAULT);
    EXPECT(stat_of("f").size, 0);
    EXPECT(close(fd), 0);
    EXPECT(unlink("f"), 0);
    EXPECT(kernel_state().fs_free_blocks, before);
}

// Returned memory is a bad address too.
static void freed_memory(void)
{
    char *heap = sbrk(2 * PAGE);
    sbrk(PAGE - (uint64_t)heap % PAGE);
    char *end = sbrk(0);
    put_file("f", 100, 1);
    int fd = open("f", O_RDWR);
    end[-1] = 1;
    sbrk(-PAGE);
    EXPECT_ERROR(read(fd, end - PAGE, 10), EFAULT);
    EXPECT_ERROR(write(fd, end - PAGE, 10), EFAULT);
    EXPECT_ERROR(write(fd, end - 1, 1), EFAULT);
    EXPECT_FILE("f", 100, 1);
}

static void bad_devices(void)
{
    int kstat = open("/dev/kstat", O_RDONLY), console = open("/dev/console", O_RDWR);
    CHECK(kstat >= 0 && console >= 0);
    for (unsigned i = 0; i < BAD_COUNT; i++) {
        EXPECT_ERROR(read(kstat, bad_address(i), sizeof(struct kstat)), EFAULT);
        EXPECT_ERROR(write(console, bad_address(i), 8), EFAULT);
        EXPECT_ERROR(ioctl(console, CONSOLE_GET_PENDING, bad_address(i)), EFAULT);
        EXPECT_ERROR(ioctl(console, CONSOLE_SET_RAW, bad_address(i)), EFAULT);
        EXPECT_ERROR(ioctl(console, CONSOLE_SET_FOREGROUND, bad_address(i)), EFAULT);
    }
    EXPECT(read(kstat, buffer, sizeof(struct kstat)), sizeof(struct kstat));
}

static void bad_paths(void)
{
    struct stat st;
    close(MAKE("f"));
    char *argv[] = {"x", NULL};
    for (unsigned i = 0; i < BAD_COUNT; i++) {
        char *bad = bad_address(i);
        EXPECT_ERROR(open(bad, O_RDONLY), EFAULT);
        EXPECT_ERROR(open(bad, O_CREATE | O_RDWR), EFAULT);
        EXPECT_ERROR(exec(bad, argv), EFAULT);
        EXPECT_ERROR(unlink(bad), EFAULT);
        EXPECT_ERROR(link(bad, "new"), EFAULT);
        EXPECT_ERROR(link("f", bad), EFAULT);
        EXPECT_ERROR(mkdir(bad), EFAULT);
        EXPECT_ERROR(mknod(bad, DEV_NULL, 0), EFAULT);
        EXPECT_ERROR(chdir(bad), EFAULT);
    }
    EXPECT(count_entries("."), 1);
    EXPECT(stat("f", &st), 0);
    EXPECT(st.nlink, 1);
}

static void bad_argv(void)
{
    for (unsigned i = 0; i < BAD_COUNT; i++) {
        char *bad = bad_address(i);
        char *argv[] = {"x", bad, NULL};
        EXPECT_ERROR(exec("/true", argv), EFAULT);
        EXPECT_ERROR(exec("/true", (char **)bad), EFAULT);
    }
    // Repeat the call many times: it must free what it took.
    char *argv[] = {"x", "y", (char *)KERNEL_ADDRESS, NULL};
    for (int i = 0; i < 2000; i++)
        EXPECT_ERROR(exec("/true", argv), EFAULT);
}

static void bad_results(void)
{
    int fd = MAKE("f");
    struct kstat before = kernel_state();
    for (unsigned i = 0; i < BAD_COUNT; i++) {
        EXPECT_ERROR(fstat(fd, bad_address(i)), EFAULT);
        EXPECT_ERROR(pipe(bad_address(i)), EFAULT);
    }
    EXPECT(kernel_state().open_files, before.open_files);
    // Each of these pipe() calls has freed its descriptors.
    EXPECT(dup(fd), fd + 1);
    for (unsigned i = 0; i < BAD_COUNT; i++) {
        int pid = START();
        if (pid == 0)
            exit(7);
        EXPECT_ERROR(wait(bad_address(i)), EFAULT);
        JOIN(pid, 7);
    }
}

// A call may read code and constants, but must not write to them.
static void read_only_results(void)
{
    static const char constant[4096] = "constant";
    char *text = (char *)(uint64_t)&read_only_results;
    int fds[2], fd = MAKE("f");
    EXPECT(write(fd, constant, 100), 100);
    EXPECT(write(fd, text, 100), 100);
    EXPECT(pipe(fds), 0);
    EXPECT(write(fds[1], "12345678", 8), 8);
    char *const places[] = {text, (char *)constant, (char *)0, (char *)8};
    uint32_t first;
    memcpy(&first, text, 4);
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        EXPECT(lseek(fd, 0, SEEK_SET), 0);
        EXPECT_ERROR(read(fd, places[i], 8), EFAULT);
        EXPECT_ERROR(read(fds[0], places[i], 8), EFAULT);
        EXPECT_ERROR(fstat(fd, (struct stat *)places[i]), EFAULT);
        EXPECT_ERROR(pipe((int *)places[i]), EFAULT);
        int pid = START();
        if (pid == 0)
            exit(1);
        // Address 0 means that the caller does not want the status.
        if (places[i]) {
            EXPECT_ERROR(wait((int *)places[i]), EFAULT);
        }
        JOIN(pid, 1);
    }
    EXPECT(memcmp(text, &first, 4), 0);
    EXPECT(strcmp(constant, "constant"), 0);
}

// A buffer that begins in the heap and continues after it. A call may do the valid part first, but
// then it must return how much it did.
static void straddling(void)
{
    char *heap = sbrk(2 * PAGE);
    sbrk(PAGE - (uint64_t)heap % PAGE);
    char *end = sbrk(0);
    int fd = MAKE("f");
    memset(end - 100, 'a', 100);
    long n = write(fd, end - 100, 200);
    CHECK(n == -1 || n == 100);
    n = lseek(fd, 0, SEEK_END);
    CHECK(n == 0 || n == 100);
    put_file("g", 300, 1);
    fd = open("g", O_RDONLY);
    n = read(fd, end - 100, 200);
    CHECK(n == -1 || n == 100);
    int fds[2];
    EXPECT(pipe(fds), 0);
    n = write(fds[1], end - 100, 200);
    CHECK(n == -1 || n == 100);
    EXPECT_ERROR(fstat(fd, (struct stat *)(end - 8)), EFAULT);
    EXPECT_ERROR(pipe((int *)(end - 4)), EFAULT);
    // Only half of a pointer to an argument is readable.
    EXPECT_ERROR(exec("/true", (char **)(end - 4)), EFAULT);
}

// Strings at the very end of the heap. If the last byte is zero, the string is valid, else it is
// not.
static void strings_at_end(void)
{
    char *heap = sbrk(2 * PAGE);
    sbrk(PAGE - (uint64_t)heap % PAGE);
    char *end = sbrk(0);
    strcpy(end - 5, "name");
    EXPECT(close(open(end - 5, O_CREATE | O_RDWR)), 0);
    EXPECT(unlink(end - 5), 0);
    end[-1] = 'x';
    EXPECT_ERROR(open(end - 5, O_CREATE | O_RDWR), EFAULT);
    EXPECT_ERROR(chdir(end - 1), EFAULT);
    // A string that crosses a page boundary.
    strcpy(end - PAGE - 3, "crossing");
    EXPECT(close(open(end - PAGE - 3, O_CREATE | O_RDWR)), 0);
    CHECK(exists("crossing"));
}

// A path has at most 127 bytes and a zero. One byte more must fail, and must not overrun a buffer
// on the kernel's stack.
static void long_strings(void)
{
    static char path[3 * 4096];
    memset(path, '/', sizeof(path));
    path[MAXPATH - 1] = 0;
    EXPECT(close(open(path, O_RDONLY)), 0);
    path[MAXPATH - 1] = '/';
    path[MAXPATH] = 0;
    char *argv[] = {"x", NULL};
    for (int i = 0; i < 2; i++) {
        EXPECT_ERROR(open(path, O_RDONLY), ENAMETOOLONG);
        EXPECT_ERROR(open(path, O_CREATE), ENAMETOOLONG);
        EXPECT_ERROR(mkdir(path), ENAMETOOLONG);
        EXPECT_ERROR(mknod(path, DEV_NULL, 0), ENAMETOOLONG);
        EXPECT_ERROR(unlink(path), ENAMETOOLONG);
        EXPECT_ERROR(link(path, "x"), ENAMETOOLONG);
        EXPECT_ERROR(link(SELF, path), ENAMETOOLONG);
        EXPECT_ERROR(chdir(path), ENAMETOOLONG);
        EXPECT_ERROR(exec(path, argv), ENAMETOOLONG);
        // The second time, whole pages of it.
        path[MAXPATH] = '/';
        path[sizeof(path) - 1] = 0;
    }
}

const struct test pointer_tests[] = {
    {"bad-read-write", bad_read_write, false},
    {"bad-devices", bad_devices, false},
    {"bad-write-extends", bad_write_extends, false},
    {"freed-memory", freed_memory, false},
    {"bad-paths", bad_paths, false},
    {"bad-argv", bad_argv, false},
    {"bad-results", bad_results, false},
    {"bad-read-only", read_only_results, false},
    {"straddling", straddling, false},
    {"strings-at-end", strings_at_end, false},
    {"long-strings", long_strings, false},
    {0},
};
