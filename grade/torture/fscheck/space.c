// Tests full disks, and pages shared with the buffer cache.

#include "fscheck.h"

static char junk[1 << 20];

// ---- full ----

// Writes files until the disk is full. Returns how many.
static unsigned fill_disk(void)
{
    char path[32];
    for (unsigned n = 0;; n++) {
        sprintf(path, "/big%u", n);
        long fd = k_open(path, O_CREATE | O_WRONLY), put = 10000;
        if (fd < 0) {
            EXPECT(fd, -ENOSPC);
            return n;
        }
        for (int i = 0; i < 300 && put == 10000; i++)
            put = k_write(fd, junk, 10000);
        EXPECT(k_close(fd), 0);
        if (put != 10000) {
            CHECK(put > 0 || put == -ENOSPC);
            return n + 1;
        }
    }
}

static void check_nothing_fits(void)
{
    EXPECT(fs_free_blocks(), 0);
    EXPECT(k_mkdir("/nospace"), -ENOSPC);
    long fd = k_open("/empty", O_CREATE | O_RDWR);
    CHECK(fd >= 0 || fd == -ENOSPC);
    if (fd >= 0) {
        EXPECT(k_write(fd, "x", 1), -ENOSPC);
        k_close(fd);
        EXPECT(k_unlink("/empty"), 0);
    }
}

static void use_up_inodes(void)
{
    char path[32];
    unsigned n = 0;
    EXPECT(k_mkdir("/many"), 0);
    for (;; n++) {
        sprintf(path, "/many/f%u", n);
        long fd = k_open(path, O_CREATE | O_RDWR);
        if (fd < 0) {
            EXPECT(fd, -ENOSPC);
            break;
        }
        k_close(fd);
    }
    EXPECT(fs_free_inodes(), 0);
    while (n > 0) {
        sprintf(path, "/many/f%u", --n);
        EXPECT(k_unlink(path), 0);
    }
    EXPECT(k_unlink("/many"), 0);
}

bool test_full(unsigned first_seed, unsigned count)
{
    (void)first_seed, (void)count;
    mount_image();
    uint32_t blocks = fs_free_blocks(), inodes = fs_free_inodes();
    for (int round = 0; round < 2; round++) {
        char path[32];
        unsigned files = fill_disk();
        check_nothing_fits();
        EXPECT(log_sync(log_sequence()), 0);
        check_image("with the disk full");
        while (files > 0) {
            sprintf(path, "/big%u", --files);
            EXPECT(k_unlink(path), 0);
        }
        EXPECT(fs_free_blocks(), blocks);
        EXPECT(fs_free_inodes(), inodes);
    }
    use_up_inodes();
    EXPECT(fs_free_blocks(), blocks);
    EXPECT(fs_free_inodes(), inodes);
    shut_down("after the disk was full");
    return true;
}

// ---- share ----

#define SHARED_PAGES 40

static void check_pages(char *const page[])
{
    for (int i = 0; i < SHARED_PAGES; i++)
        for (unsigned k = 0; k < PAGE_SIZE; k++)
            CHECK(page[i][k] == i);
}

// Writes so much to the log that it no longer holds any older block.
static void cycle_log(void)
{
    for (int i = 0; i < 100; i++) {
        long fd = k_open("/x", O_CREATE | O_RDWR);
        EXPECT(k_write(fd, junk, 10000), 10000);
        EXPECT(k_fsync(fd), 0);
        EXPECT(k_close(fd), 0);
        EXPECT(k_unlink("/x"), 0);
    }
}

static long write_file(const char *path, unsigned megabytes)
{
    long fd = k_open(path, O_CREATE | O_RDWR);
    for (unsigned i = 0; i < megabytes; i++)
        EXPECT(k_write(fd, junk, sizeof(junk)), sizeof(junk));
    return fd;
}

// Shares the SHARED_PAGES pages of a "program" file, then overwrites and unlinks the file, and uses
// its blocks and buffers again: the pages must not change.
bool test_share(unsigned first_seed, unsigned count)
{
    (void)first_seed, (void)count;
    char *page[SHARED_PAGES];
    mount_image();
    long large = write_file("/large", 3), fd = k_open("/program", O_CREATE | O_RDWR);
    for (int i = 0; i < SHARED_PAGES; i++) {
        memset(junk, i, PAGE_SIZE);
        EXPECT(k_write(fd, junk, PAGE_SIZE), PAGE_SIZE);
    }
    cycle_log();
    struct inode *inode = current_proc()->files[fd]->inode;
    EXPECT(inode_lock(inode), 0);
    for (int i = 0; i < SHARED_PAGES; i++)
        EXPECT(inode_share_page(inode, i, (void **)&page[i]), 0);
    inode_unlock(inode);

    for (int i = 0; i < 3; i++) { // larger than the cache
        EXPECT(k_seek(large, 0), 0);
        while (k_read(large, junk, sizeof(junk)) > 0)
            ;
    }
    check_pages(page);
    memset(junk, 0xee, sizeof(junk));
    EXPECT(k_seek(fd, 0), 0);
    EXPECT(k_write(fd, junk, 10 * PAGE_SIZE), 10 * PAGE_SIZE);
    EXPECT(k_write(fd, junk, 100), 100);
    check_pages(page);
    EXPECT(k_close(large), 0);
    EXPECT(k_close(fd), 0);
    EXPECT(k_unlink("/large"), 0);
    EXPECT(k_unlink("/program"), 0);
    EXPECT(k_close(write_file("/other", 6)), 0);
    check_pages(page);
    for (int i = 0; i < SHARED_PAGES; i++) {
        CHECK(page_refs(page[i]) <= 2);
        page_put(page[i]);
    }
    shut_down("after sharing pages");
    return true;
}
