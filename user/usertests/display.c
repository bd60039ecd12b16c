// usertests: /dev/fb0: its calls, and mmap() and munmap() across fork and exit. The tests of fbtest
// check from outside what is on the screen.

#include "user/usertests/usertests.h"

#define NO_MAPPING ((void *)-1)

static int open_display(struct fb_info *info)
{
    int fd = open("/dev/fb0", O_RDWR);
    if (fd < 0) {
        EXPECT(errno, ENODEV);
        skip("no GPU");
    }
    EXPECT(ioctl(fd, FB_GET_INFO, info), 0);
    return fd;
}

static void fb_geometry(void)
{
    struct fb_info info;
    int fd = open_display(&info);
    CHECK(info.width > 0 && info.width <= FB_MAX_WIDTH);
    CHECK(info.height > 0 && info.height <= FB_MAX_HEIGHT);
    CHECK(info.stride >= info.width * 4);
    CHECK(info.buffer_bytes >= info.stride * info.height);
    EXPECT(info.buffer_bytes % PAGE, 0);
    EXPECT_ERROR(read(fd, buffer, 1), EINVAL);
    EXPECT_ERROR(write(fd, buffer, 1), EINVAL);
    EXPECT_ERROR(ioctl(fd, 0x2ff, buffer), ENOTTY);
    EXPECT_ERROR(ioctl(fd, FB_GET_INFO, (void *)KERNEL_ADDRESS), EFAULT);
}

static void fb_mapping(void)
{
    struct fb_info info;
    int fd = open_display(&info);
    size_t length = FB_BUFFERS * (size_t)info.buffer_bytes;
    char *pixels = mmap(length, fd, 0);
    CHECK(pixels != NO_MAPPING);
    // Every page exists and keeps what is written to it.
    for (size_t at = 0; at < length; at += PAGE)
        *(uint64_t *)(void *)(pixels + at) = at * 3;
    for (size_t at = 0; at < length; at += PAGE)
        EXPECT(*(uint64_t *)(void *)(pixels + at), at * 3);
    // A second mapping shows the same memory. The heap does not overlap it.
    char *again = mmap(length, fd, 0);
    CHECK(again != NO_MAPPING && again != pixels);
    EXPECT(*(uint64_t *)(void *)(again + length - PAGE), (length - PAGE) * 3);
    EXPECT(munmap(again, length), 0);
    // System calls can use it.
    int file = MAKE("f");
    EXPECT(write(file, pixels, 5000), 5000);
    EXPECT(lseek(file, 0, SEEK_SET), 0);
    EXPECT(read(file, pixels + PAGE, 5000), 5000);
    EXPECT(memcmp(pixels, pixels + PAGE, 8), 0);
    // The mapping stays when the descriptor is closed.
    EXPECT(close(fd), 0);
    pixels[0] = 1;
    EXPECT(munmap(pixels, length), 0);
    EXPECT_ERROR(munmap(pixels, length), EINVAL);
    int pid = START();
    if (pid == 0) {
        pixels[0] = 1;
        exit(0);
    }
    JOIN(pid, -1);
}

static void fb_mapping_errors(void)
{
    struct fb_info info;
    int fd = open_display(&info);
    size_t length = FB_BUFFERS * (size_t)info.buffer_bytes;
    EXPECT_ERROR((long)mmap(0, fd, 0), EINVAL);
    EXPECT_ERROR((long)mmap(length + 1, fd, 0), EINVAL);
    EXPECT_ERROR((long)mmap(~0ul, fd, 0), EINVAL);
    EXPECT_ERROR((long)mmap(PAGE, fd, PAGE), EINVAL);
    EXPECT_ERROR((long)mmap(PAGE, fd, ~0ul), EINVAL);
    char *pixels = mmap(length, fd, 0);
    EXPECT_ERROR(munmap(pixels + PAGE, length - PAGE), EINVAL);
    EXPECT_ERROR(munmap(pixels, length - PAGE), EINVAL);
    EXPECT_ERROR(munmap(pixels, length + PAGE), EINVAL);
    EXPECT_ERROR(munmap(pixels, 0), EINVAL);
    pixels[length - 1] = 1;
    // A process can have a few mappings; further ones fail.
    int count = 1;
    while (mmap(PAGE, fd, 0) != NO_MAPPING)
        count++;
    EXPECT(errno, ENOMEM);
    CHECK(count >= 2 && count < 100);
    EXPECT(munmap(pixels, length), 0);
    CHECK(mmap(length, fd, 0) != NO_MAPPING);
}

// A child does not inherit the mapping, and cannot harm the parent's. exit and exec free a mapping;
// if they did not, the runner would count the pages as lost.
static void fb_fork(void)
{
    struct fb_info info;
    int fd = open_display(&info);
    size_t length = FB_BUFFERS * (size_t)info.buffer_bytes;
    volatile char *pixels = mmap(length, fd, 0);
    pixels[5] = 5;
    int pid = START();
    if (pid == 0)
        exit(pixels[5]);
    JOIN(pid, -1);
    pid = START();
    if (pid == 0) {
        EXPECT_ERROR(munmap((void *)pixels, length), EINVAL);
        volatile char *mine = mmap(length, fd, 0);
        mine[6] = 6;
        exit(0);
    }
    JOIN(pid, 0);
    EXPECT(pixels[5], 5);
    EXPECT(pixels[6], 6);
    for (int i = 0; i < 20; i++) {
        pid = START();
        if (pid == 0) {
            mmap(length, fd, 0);
            char *argv[] = {"true", NULL};
            if (i % 2)
                exec("/true", argv);
            exit(0);
        }
        JOIN(pid, 0);
    }
}

// The heap and a mapping never overlap, whichever comes first.
static void fb_and_heap(void)
{
    struct fb_info info;
    int fd = open_display(&info);
    char *pixels = mmap(info.buffer_bytes, fd, 0);
    CHECK(pixels != NO_MAPPING);
    pixels[0] = 1;
    while (sbrk_lazy(HEAP_LIMIT / 2) != (char *)-1)
        ;
    while (sbrk_lazy(MIB) != (char *)-1)
        ;
    CHECK(sbrk(0) <= pixels);
    EXPECT(pixels[0], 1);
    // Without the mapping the heap can grow there, and then a mapping has no room.
    EXPECT(munmap(pixels, info.buffer_bytes), 0);
    CHECK(sbrk_lazy(HEAP_LIMIT / 2) != (char *)-1);
    EXPECT_ERROR((long)mmap(info.buffer_bytes, fd, 0), ENOMEM);
    CHECK(sbrk(-HEAP_LIMIT / 2) != (char *)-1);
    CHECK(mmap(info.buffer_bytes, fd, 0) != NO_MAPPING);
}

static void fb_present(void)
{
    struct fb_info info, after;
    int fd = open_display(&info);
    struct fb_present present = {.buffer = 1};
    EXPECT(ioctl(fd, FB_PRESENT, &present), 0);
    EXPECT(ioctl(fd, FB_WAIT, NULL), 0);
    EXPECT(ioctl(fd, FB_GET_INFO, &after), 0);
    EXPECT(after.presents, info.presents + 1);
    present.flags = FB_ASYNC;
    for (int i = 0; i < 20; i++) {
        present.buffer = i % 2;
        EXPECT(ioctl(fd, FB_PRESENT, &present), 0);
    }
    EXPECT(ioctl(fd, FB_WAIT, NULL), 0);
    EXPECT(ioctl(fd, FB_GET_INFO, &after), 0);
    EXPECT(after.presents, info.presents + 21);
    // As many rectangles as possible, down to single pixels in the corners.
    present.flags = 0;
    present.nrects = FB_MAX_RECTS;
    for (int i = 0; i < FB_MAX_RECTS; i++)
        present.rects[i] =
            (struct fb_rect){i % 2 ? info.width - 1 : 0, i % 4 > 1 ? info.height - 1 : 0, 1, 1};
    EXPECT(ioctl(fd, FB_PRESENT, &present), 0);
    // The device's queue cannot hold two such presents: the second waits for room.
    present.flags = FB_ASYNC;
    for (int i = 0; i < 20; i++) {
        present.buffer = i % 2;
        EXPECT(ioctl(fd, FB_PRESENT, &present), 0);
    }
    EXPECT(ioctl(fd, FB_WAIT, NULL), 0);
    EXPECT(ioctl(fd, FB_GET_INFO, &after), 0);
    EXPECT(after.presents, info.presents + 42);
}

static void fb_present_errors(void)
{
    struct fb_info info;
    int fd = open_display(&info);
    const uint32_t w = info.width, h = info.height;
    const struct fb_rect bad[] = {
        {0, 0, 0, 1},          {0, 0, 1, 0},          {w, 0, 1, 1},          {0, h, 1, 1},
        {0, 0, w + 1, 1},      {0, 0, 1, h + 1},      {w - 1, 0, 2, 1},      {0, h - 1, 1, 2},
        {0xffffffff, 0, 2, 1}, {0, 0xffffffff, 1, 2}, {1, 0, 0xffffffff, 1}, {0, 1, 1, 0xffffffff},
    };
    struct fb_present present = {.nrects = 1};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        present.rects[0] = bad[i];
        EXPECT_ERROR(ioctl(fd, FB_PRESENT, &present), EINVAL);
    }
    present = (struct fb_present){.buffer = FB_BUFFERS};
    EXPECT_ERROR(ioctl(fd, FB_PRESENT, &present), EINVAL);
    present = (struct fb_present){.nrects = FB_MAX_RECTS + 1};
    EXPECT_ERROR(ioctl(fd, FB_PRESENT, &present), EINVAL);
    present.nrects = 0xffffffff;
    EXPECT_ERROR(ioctl(fd, FB_PRESENT, &present), EINVAL);
    present = (struct fb_present){.flags = 0x80};
    EXPECT_ERROR(ioctl(fd, FB_PRESENT, &present), EINVAL);
    EXPECT_ERROR(ioctl(fd, FB_PRESENT, (void *)KERNEL_ADDRESS), EFAULT);
    EXPECT_ERROR(ioctl(fd, FB_SET_MODE, (void *)KERNEL_ADDRESS), EFAULT);
    static const struct fb_mode modes[] = {
        {0, 480}, {640, 0}, {FB_MAX_WIDTH + 1, 480}, {640, FB_MAX_HEIGHT + 1}, {~0u, ~0u},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
        EXPECT_ERROR(ioctl(fd, FB_SET_MODE, (void *)&modes[i]), EINVAL);
    struct fb_info after;
    EXPECT(ioctl(fd, FB_GET_INFO, &after), 0);
    EXPECT(after.width, info.width);
    EXPECT(after.presents, info.presents);
}

// Changes to other sizes and back. An older mapping stays valid memory.
static void fb_modes(void)
{
    static const struct fb_mode modes[] = {{320, 200}, {801, 599}, {16, 16}, {640, 480}};
    struct fb_info first, info;
    int fd = open_display(&first);
    uint32_t *old = mmap(first.buffer_bytes, fd, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
        EXPECT(ioctl(fd, FB_SET_MODE, (void *)&modes[i]), 0);
        EXPECT(ioctl(fd, FB_GET_INFO, &info), 0);
        EXPECT(info.width, modes[i].width);
        EXPECT(info.height, modes[i].height);
        CHECK(info.buffer_bytes >= info.stride * info.height);
        uint32_t *pixels = mmap(FB_BUFFERS * (size_t)info.buffer_bytes, fd, 0);
        CHECK(pixels != NO_MAPPING);
        pixels[0] = pixels[FB_BUFFERS * info.buffer_bytes / 4 - 1] = 0xff0000;
        old[first.buffer_bytes / 4 - 1] = i;
        struct fb_present present = {.buffer = 0};
        EXPECT(ioctl(fd, FB_PRESENT, &present), 0);
        EXPECT(munmap(pixels, FB_BUFFERS * (size_t)info.buffer_bytes), 0);
    }
    // A device may reject a size that is too small for it. Nothing changes then.
    struct fb_mode tiny = {1, 1};
    if (ioctl(fd, FB_SET_MODE, &tiny) < 0) {
        EXPECT(errno, EINVAL);
        EXPECT(ioctl(fd, FB_GET_INFO, &info), 0);
        EXPECT(info.width, 640);
        struct fb_present present = {.buffer = 0};
        EXPECT(ioctl(fd, FB_PRESENT, &present), 0);
    }
    struct fb_mode mode = {first.width, first.height};
    EXPECT(ioctl(fd, FB_SET_MODE, &mode), 0);
    EXPECT(old[first.buffer_bytes / 4 - 1], ARRAY_SIZE(modes) - 1);
}

// Several processes present at the same time. One of them sometimes changes the mode.
static void fb_race(void)
{
    struct fb_info info;
    int fd = open_display(&info);
    for (int i = 0; i < 4; i++) {
        if (START() != 0)
            continue;
        struct fb_present present = {.buffer = i % 2, .flags = i / 2 ? FB_ASYNC : 0};
        struct fb_mode mode = {info.width, info.height};
        for (int round = 0; round < 30; round++) {
            EXPECT(ioctl(fd, FB_PRESENT, &present), 0);
            if (i == 0 && round % 10 == 0)
                EXPECT(ioctl(fd, FB_SET_MODE, &mode), 0);
            if (i == 3)
                EXPECT(ioctl(fd, FB_WAIT, NULL), 0);
        }
        exit(0);
    }
    JOIN_ALL(4);
}

const struct test display_tests[] = {
    {"fb-geometry", fb_geometry, false},
    {"fb-mapping", fb_mapping, false},
    {"fb-mapping-errors", fb_mapping_errors, false},
    {"fb-fork", fb_fork, false},
    {"fb-and-heap", fb_and_heap, false},
    {"fb-present", fb_present, false},
    {"fb-present-errors", fb_present_errors, false},
    {"fb-modes", fb_modes, false},
    {"fb-race", fb_race, false},
    {0},
};
