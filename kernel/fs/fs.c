// Mounting, and the thread that commits the log once a second.

#include "kernel/fs/fs.h"
#include "kernel/mm/page.h"
#include "kernel/proc/proc.h"

#define BITS_PER_BLOCK (BLOCK_SIZE * 8)
#define SCAN_BATCH 32

struct file_system fs;

// ---- the super block ----

// Do the areas lie one behind the other, each as large as it must be?
static bool areas_valid(const struct super_block *super)
{
    uint64_t inode_blocks = (super->inodes + INODES_PER_BLOCK - 1) / INODES_PER_BLOCK;
    uint64_t bitmap_blocks = ((uint64_t)super->size + BITS_PER_BLOCK - 1) / BITS_PER_BLOCK;
    return super->inodes > ROOT_INODE && super->inodes <= MAX_INODES + 1 &&
           super->log_blocks >= LOG_MIN_BLOCKS && super->log_start > SUPER_BLOCK &&
           (uint64_t)super->log_start + super->log_blocks <= super->inode_start &&
           super->inode_start + inode_blocks <= super->bitmap_start &&
           super->bitmap_start + bitmap_blocks <= super->data_start &&
           super->data_start < super->size;
}

// build/disk.img is made by the first "make" that does not find it.
#define MAKE_ANEW "; delete the image, and \"make\" makes it anew\n"

static int check_super(const struct block_device *device, const struct super_block *super)
{
    const char *name = device->name;
    if (super->magic != FS_MAGIC) {
        kprintf("%s: not a Ringfence disk (no magic number); build/host/mkfs makes one\n", name);
    } else if (super->version != FS_VERSION) {
        kprintf("%s: the file system has version %u, this kernel knows version %u" MAKE_ANEW, name,
                super->version, FS_VERSION);
    } else if (super->checksum != fs_checksum(0, super, offsetof(struct super_block, checksum))) {
        kprintf("%s: the super block is corrupt (wrong checksum)" MAKE_ANEW, name);
    } else if (super->size > device->blocks) {
        kprintf(
            "%s: the file system has %u blocks but the disk only %lu; is the image cut short?\n",
            name, super->size, (unsigned long)device->blocks);
    } else if (!areas_valid(super)) {
        kprintf("%s: the super block is corrupt (areas overlap)" MAKE_ANEW, name);
    } else {
        return 0;
    }
    return -EINVAL;
}

static int read_super(struct block_device *device, struct super_block *super)
{
    void *page = page_alloc();
    if (!page)
        return -ENOMEM;
    int status = 0;
    if (SUPER_BLOCK < device->blocks)
        status = block_transfer(device, BLOCK_READ, SUPER_BLOCK, page);
    else
        memset(page, 0, sizeof(*super));
    memcpy(super, page, sizeof(*super));
    page_put(page);
    if (status < 0) {
        kprintf("%s: cannot read the super block (error %d)\n", device->name, -status);
        return status;
    }
    return check_super(device, super);
}

// ---- the inode table ----

// Starts reading the next part of the inode table.
static void prefetch_table(uint32_t first, uint32_t end)
{
    uint32_t list[SCAN_BATCH], n = min_u64(end - first, SCAN_BATCH);
    for (uint32_t i = 0; i < n; i++)
        list[i] = first + i;
    buf_prefetch(list, n);
}

// Calls found() for each inode of the disk that is in use; it must not want the inode's buffer.
// Reads every block even after an error, so that no read-ahead is left behind. 0 or -EIO.
static int for_each_inode(void (*found)(uint32_t number, const struct disk_inode *disk))
{
    int status = 0;
    uint32_t start = fs.super.inode_start;
    uint32_t end = start + (fs.super.inodes + INODES_PER_BLOCK - 1) / INODES_PER_BLOCK;
    for (uint32_t block = start; block < end; block++) {
        struct buf *buf;
        if ((block - start) % SCAN_BATCH == 0)
            prefetch_table(block, end);
        if (buf_read(block, &buf) < 0) {
            status = -EIO;
            continue;
        }
        const struct disk_inode *table = buf->data;
        uint32_t first = (block - start) * INODES_PER_BLOCK;
        for (uint32_t i = 0; i < INODES_PER_BLOCK && first + i < fs.super.inodes; i++)
            if (table[i].type != 0 && first + i != 0)
                found(first + i, &table[i]);
        buf_release(buf);
    }
    return status;
}

static void count_inode(uint32_t number, const struct disk_inode *disk)
{
    (void)disk;
    alloc_inode_used(number);
}

// An inode without links belonged to a file that was open but unlinked when the machine stopped.
static void find_orphan(uint32_t number, const struct disk_inode *disk)
{
    if (disk->nlink == 0)
        inode_adopt_orphan(number);
}

// ---- mount ----

// *problem says what went wrong, unless that has been printed already.
static int mount_volume(struct block_device *device, const char **problem)
{
    uint64_t sequence;
    fs.bitmap_blocks = (fs.super.size + BITS_PER_BLOCK - 1ull) / BITS_PER_BLOCK;
    int status = log_recover(device, &fs.super, &sequence);
    if (status < 0)
        return status;
    *problem = "no memory for the buffer cache";
    if ((status = buf_init(device)) < 0)
        return status;
    *problem = "the bitmap or the inode table cannot be read";
    if ((status = alloc_mount()) < 0 || (status = for_each_inode(count_inode)) < 0)
        return status;
    *problem = "no memory for the log";
    if ((status = log_mount(device, &fs.super, sequence)) < 0)
        return status;
    // open() with O_CREATE and O_TRUNC is the operation that may touch most.
    *problem = "the log is too small for a disk of this size; make it anew with mkfs -l";
    if (log_largest() < CREATE_COST + inode_truncate_cost())
        return -EINVAL;
    fs.device = device;
    device->mounted_blocks = fs.super.size;
    for_each_inode(find_orphan);
    inode_reap();
    return 0;
}

int fs_mount(struct block_device *device)
{
    const char *problem = NULL;
    int status = read_super(device, &fs.super);
    if (status < 0)
        return status;
    status = mount_volume(device, &problem);
    if (status < 0 && problem)
        kprintf("%s: cannot mount: %s (error %d)\n", device->name, problem, -status);
    return status;
}

// ---- the log's thread ----

void log_thread(void)
{
    static struct spinlock log_thread_lock = SPINLOCK("log thread");
    static struct wait_queue nobody;
    for (;;) {
        spin_lock(&log_thread_lock);
        sleep_on_until(&nobody, &log_thread_lock, time_now() + timebase);
        spin_unlock(&log_thread_lock);
        inode_reap();
        // Errors have been reported on the console and make the file system read-only.
        log_sync(log_sequence());
    }
}
