// usertests: all devices except the display: mknod, what each device reads and writes, and calls
// that some kinds of file do not support.

#include "kernel/fs/format.h"
#include "user/usertests/usertests.h"

static void mknod_works(void)
{
    EXPECT(mknod("null", DEV_NULL, 0), 0);
    struct stat st = stat_of("null");
    EXPECT(st.type, T_DEVICE);
    EXPECT(st.size, 0);
    EXPECT(st.nlink, 1);
    int fd = open("null", O_RDWR | O_CREATE | O_TRUNC);
    EXPECT(write(fd, "abc", 3), 3);
    EXPECT(read(fd, buffer, 3), 0);
    EXPECT(link("null", "other"), 0);
    EXPECT(stat_of("other").type, T_DEVICE);
    EXPECT(unlink("null"), 0);
    // An open device also works after its name is gone.
    EXPECT(unlink("other"), 0);
    EXPECT(write(fd, "abc", 3), 3);
}

static void mknod_errors(void)
{
    put_file("f", 1, 1);
    EXPECT_ERROR(mknod("f", DEV_NULL, 0), EEXIST);
    EXPECT_ERROR(mknod(".", DEV_NULL, 0), EEXIST);
    EXPECT_ERROR(mknod("missing/x", DEV_NULL, 0), ENOENT);
    EXPECT_ERROR(mknod("f/x", DEV_NULL, 0), ENOTDIR);
    EXPECT_ERROR(mknod("", DEV_NULL, 0), ENOENT);
    // mknod works for a device that does not exist; open() does not.
    static const short majors[] = {0, DEV_MAX, 99, -1, 0x7fff, -0x7fff - 1};
    for (unsigned i = 0; i < ARRAY_SIZE(majors); i++) {
        EXPECT(mknod("odd", majors[i], 0), 0);
        EXPECT_ERROR(open("odd", O_RDWR), ENODEV);
        EXPECT_ERROR(open("odd", O_RDWR | O_CREATE), ENODEV);
        EXPECT(unlink("odd"), 0);
    }
}

static void not_a_device(void)
{
    int fds[2], files[4];
    EXPECT(pipe(fds), 0);
    files[0] = MAKE("f");
    files[1] = fds[0];
    files[2] = open(".", O_RDONLY);
    files[3] = fds[1];
    for (int i = 0; i < 4; i++) {
        EXPECT_ERROR(ioctl(files[i], CONSOLE_GET_PENDING, buffer), ENOTTY);
        EXPECT_ERROR(ioctl(files[i], FB_GET_INFO, buffer), ENOTTY);
        EXPECT_ERROR(ioctl(files[i], 0, NULL), ENOTTY);
        EXPECT_ERROR(syscall(SYS_mmap, PAGE, files[i], 0), ENODEV);
    }
    // No device supports every call.
    int null = open("/dev/null", O_RDWR), console = open("/dev/console", O_RDWR);
    EXPECT_ERROR(ioctl(null, CONSOLE_GET_PENDING, buffer), ENOTTY);
    EXPECT_ERROR(ioctl(console, FB_GET_INFO, buffer), ENOTTY);
    EXPECT_ERROR(ioctl(console, DISK_GET_INFO, buffer), ENOTTY);
    EXPECT_ERROR(syscall(SYS_mmap, PAGE, null, 0), ENODEV);
    EXPECT_ERROR(syscall(SYS_mmap, PAGE, console, 0), ENODEV);
    EXPECT_ERROR(munmap((void *)0x2000000000, PAGE), EINVAL);
    EXPECT_ERROR(munmap(NULL, 0), EINVAL);
    EXPECT_ERROR(munmap((void *)KERNEL_ADDRESS, PAGE), EINVAL);
    EXPECT_ERROR(munmap(sbrk(PAGE), PAGE), EINVAL);
}

static void device_modes(void)
{
    int reader = open("/dev/null", O_RDONLY), writer = open("/dev/null", O_WRONLY);
    EXPECT_ERROR(write(reader, "x", 1), EBADF);
    EXPECT_ERROR(read(writer, buffer, 1), EBADF);
    int kstat = open("/dev/kstat", O_RDWR);
    EXPECT_ERROR(write(kstat, "x", 1), EINVAL);
    EXPECT_ERROR(fsync(kstat), EINVAL);
}

static void kstat_works(void)
{
    struct kstat a = kernel_state();
    CHECK(a.memory_pages > 1000);
    CHECK(a.free_pages > 0 && a.free_pages < a.memory_pages);
    CHECK(a.harts >= 1 && a.harts <= 8);
    CHECK(a.processes >= 3);
    CHECK(a.open_files >= 1);
    CHECK(a.fs_free_blocks > 0);
    // Now there is one more of each.
    int fd = MAKE("f");
    EXPECT(write(fd, "x", 1), 1);
    int pid = START();
    if (pid == 0) {
        nanosleep(30 * 1000 * MS);
        exit(0);
    }
    struct kstat b = kernel_state();
    EXPECT(b.processes, a.processes + 1);
    EXPECT(b.open_files, a.open_files + 1);
    EXPECT(b.inodes, a.inodes + 1);
    EXPECT(b.fs_free_inodes, a.fs_free_inodes - 1);
    CHECK(b.fs_free_blocks < a.fs_free_blocks);
    CHECK(b.free_pages < a.free_pages);
    EXPECT(kill(pid), 0);
    JOIN(pid, -1);
    CHECK(kernel_state().context_switches > a.context_switches);
    // A program can read it in pieces, and it has an end.
    fd = open("/dev/kstat", O_RDONLY);
    EXPECT(read(fd, buffer, 8), 8);
    EXPECT(*(uint64_t *)(void *)buffer, a.memory_pages);
    EXPECT(read(fd, buffer, BUFFER_SIZE), sizeof(struct kstat) - 8);
    EXPECT(read(fd, buffer, 1), 0);
}

static void vqstat_works(void)
{
    static struct vqstat queues[32];
    int fd = open("/dev/vqstat", O_RDONLY);
    int n = read(fd, queues, sizeof(queues));
    CHECK(n >= 0 && n % sizeof(struct vqstat) == 0);
    for (unsigned i = 0; i < n / sizeof(struct vqstat); i++) {
        CHECK(queues[i].name[0] != 0);
        CHECK(queues[i].size > 0 && queues[i].in_flight <= queues[i].size);
        CHECK(queues[i].completions <= queues[i].adds);
        CHECK(queues[i].spins <= queues[i].polls);
        EXPECT(queues[i].errors, 0);
    }
    EXPECT(read(fd, queues, sizeof(queues)), 0);
    // A buffer smaller than one structure gets nothing.
    fd = open("/dev/vqstat", O_RDONLY);
    EXPECT(read(fd, queues, sizeof(struct vqstat) - 1), 0);
}

static void random_works(void)
{
    int fd = open("/dev/random", O_RDONLY);
    if (fd < 0) {
        EXPECT(errno, ENODEV);
        skip("no random number device");
    }
    // 64 random bytes do not have two equal halves, or one byte that never changes.
    EXPECT(read(fd, buffer, 64), 64);
    CHECK(memcmp(buffer, buffer + 32, 32) != 0);
    bool varies = false;
    for (int i = 1; i < 64; i++)
        varies = varies || buffer[i] != buffer[0];
    CHECK(varies);
    EXPECT(read(fd, buffer, 1), 1);
    EXPECT(read(fd, buffer, 2 * PAGE + 1), 2 * PAGE + 1);
    EXPECT(read(fd, buffer, 0), 0);
    EXPECT_ERROR(read(fd, (void *)KERNEL_ADDRESS, 10), EFAULT);
}

static void console_works(void)
{
    uint32_t value = 77;
    int fd = open("/dev/console", O_RDWR);
    EXPECT(write(fd, "", 0), 0);
    EXPECT(read(fd, buffer, 0), 0);
    EXPECT(ioctl(fd, CONSOLE_GET_PENDING, &value), 0);
    CHECK(value != 77);
    EXPECT_ERROR(ioctl(fd, 0x1ff, &value), ENOTTY);
    EXPECT_ERROR(ioctl(fd, 0, NULL), ENOTTY);
    EXPECT_ERROR(fsync(fd), EINVAL);
}

// ---- /dev/disk0 ----

static char disk_pages[3 * 4096] __attribute__((aligned(4096)));

static int open_disk(void)
{
    int fd = open("/dev/disk0", O_RDWR);
    if (fd < 0) {
        EXPECT(errno, ENODEV);
        skip("no disk");
    }
    return fd;
}

static void disk_reads(void)
{
    static struct disk_readv call;
    struct disk_info info;
    int fd = open_disk();
    EXPECT(ioctl(fd, DISK_GET_INFO, &info), 0);
    CHECK(info.blocks > 10);
    CHECK(info.fs_blocks <= info.blocks);
    EXPECT(info.max_batch, DISK_MAX_BATCH);
    call.count = 2;
    call.entry[0].block = 1;
    call.entry[0].buffer = (uint64_t)disk_pages;
    call.entry[0].blocks = 1;
    call.entry[1].block = 1;
    call.entry[1].buffer = (uint64_t)disk_pages + PAGE;
    call.entry[1].blocks = 2;
    memset(disk_pages, 0x55, sizeof(disk_pages));
    EXPECT(ioctl(fd, DISK_READV, &call), 0);
    EXPECT(memcmp(disk_pages, disk_pages + PAGE, PAGE), 0);
    struct super_block super;
    memcpy(&super, disk_pages, sizeof(super));
    if (kernel_state().root_is_disk) {
        EXPECT(super.magic, FS_MAGIC);
        EXPECT(super.size, info.fs_blocks);
    }
    EXPECT(ioctl(fd, DISK_FLUSH, NULL), 0);
}

static void disk_errors(void)
{
    static struct disk_readv call, good;
    struct disk_info info;
    int fd = open_disk();
    EXPECT_ERROR(read(fd, buffer, 1), EINVAL);
    EXPECT_ERROR(write(fd, buffer, 1), EINVAL);
    EXPECT_ERROR(ioctl(fd, 0x3ff, buffer), ENOTTY);
    EXPECT_ERROR(ioctl(fd, DISK_GET_INFO, (void *)KERNEL_ADDRESS), EFAULT);
    EXPECT_ERROR(ioctl(fd, DISK_READV, (void *)KERNEL_ADDRESS), EFAULT);
    EXPECT(ioctl(fd, DISK_GET_INFO, &info), 0);
    good.count = 1;
    good.entry[0].block = 1;
    good.entry[0].buffer = (uint64_t)disk_pages;
    good.entry[0].blocks = 1;
    const struct {
        uint32_t count;
        uint64_t block, buffer, blocks;
        int error;
    } bad[] = {
        {0, 1, (uint64_t)disk_pages, 1, EINVAL},
        {DISK_MAX_BATCH + 1, 1, (uint64_t)disk_pages, 1, EINVAL},
        {0xffffffff, 1, (uint64_t)disk_pages, 1, EINVAL},
        {1, info.blocks, (uint64_t)disk_pages, 1, EINVAL},
        {1, info.blocks - 1, (uint64_t)disk_pages, 2, EINVAL},
        {1, ~0ul, (uint64_t)disk_pages, 1, EINVAL},
        {1, ~0ul, (uint64_t)disk_pages, 2, EINVAL},
        {1, 1, (uint64_t)disk_pages, 0, EINVAL},
        {1, 1, (uint64_t)disk_pages, 1025, EINVAL},
        {1, 1, (uint64_t)disk_pages, ~0ul, EINVAL},
        {1, 1, (uint64_t)disk_pages + 8, 1, EINVAL},
        {1, 1, 0x40000000, 1, EFAULT},
        {1, 1, KERNEL_ADDRESS & ~0xffful, 1, EFAULT},
        {1, 1, ~0xffful, 1, EFAULT},
        {1, 1, 0, 1, EFAULT}, // the program's code
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        call = good;
        call.count = bad[i].count;
        call.entry[0].block = bad[i].block;
        call.entry[0].buffer = bad[i].buffer;
        call.entry[0].blocks = bad[i].blocks;
        if (ioctl(fd, DISK_READV, &call) != -1 || errno != bad[i].error)
            FAIL("bad request %u: errno is %d, expected %d", i, errno, bad[i].error);
    }
    // DISK_WRITE cannot change the mounted file system.
    if (info.fs_blocks > 0) {
        EXPECT_ERROR(ioctl(fd, DISK_WRITE, &good), EBUSY);
        good.entry[0].block = info.fs_blocks - 1;
        EXPECT_ERROR(ioctl(fd, DISK_WRITE, &good), EBUSY);
    }
    good.count = 2;
    EXPECT_ERROR(ioctl(fd, DISK_WRITE, &good), EINVAL);
}

const struct test device_tests[] = {
    {"mknod", mknod_works, false},
    {"mknod-errors", mknod_errors, false},
    {"not-a-device", not_a_device, false},
    {"device-modes", device_modes, false},
    {"kstat", kstat_works, false},
    {"vqstat", vqstat_works, false},
    {"random", random_works, false},
    {"console", console_works, false},
    {"disk-read", disk_reads, false},
    {"disk-errors", disk_errors, false},
    {0},
};
