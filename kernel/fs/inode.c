// The table of inodes in memory: a hash table, and a list of the unreferenced ones from cold to
// hot.
//
// An inode whose last link and last reference are gone becomes an orphan: its one remaining
// reference belongs to a list, and inode_reap() frees it in an operation of its own. After a crash,
// fs_mount() finds it by nlink 0 and does the same.
//
// Lock order: an inode's mutex, then inode_cache.lock, which is never held across a sleep.

#include "kernel/fs/fs.h"

#define HASH_SIZE 256 // a power of two

static struct lru_entry *inode_hash[HASH_SIZE];
static struct {
    struct spinlock lock;
    struct lru lru; // of struct inode, by inode number
    struct inode *orphans;
    unsigned taken; // entries of inodes[] that have ever been used
    struct inode inodes[MAX_CACHED_INODES];
} inode_cache = {.lock = SPINLOCK("inodes"), .lru = {.hash = inode_hash, .hash_size = HASH_SIZE}};

unsigned inode_count(void)
{
    return inode_cache.taken - inode_cache.lru.idle;
}

// An entry for another inode, or NULL. With inode_cache.lock.
static struct inode *pick_place(void)
{
    if (!inode_cache.lru.coldest && inode_cache.taken < MAX_CACHED_INODES) {
        struct inode *fresh = &inode_cache.inodes[inode_cache.taken++];
        mutex_init(&fresh->lock, "inode");
        lru_add(&inode_cache.lru, &fresh->lru);
    }
    return (struct inode *)inode_cache.lru.coldest;
}

// ---- references ----

struct inode *inode_get(uint32_t number)
{
    spin_lock(&inode_cache.lock);
    struct inode *inode = lru_find(&inode_cache.lru, number);
    if (inode) {
        lru_get(&inode_cache.lru, &inode->lru);
    } else if ((inode = pick_place())) {
        lru_take(&inode_cache.lru, &inode->lru, number);
        inode->valid = false;
    }
    spin_unlock(&inode_cache.lock);
    return inode;
}

struct inode *inode_dup(struct inode *inode)
{
    spin_lock(&inode_cache.lock);
    lru_get(&inode_cache.lru, &inode->lru);
    spin_unlock(&inode_cache.lock);
    return inode;
}

void inode_put(struct inode *inode)
{
    spin_lock(&inode_cache.lock);
    if (inode->lru.references == 1 && inode->valid && inode->disk.nlink == 0) {
        inode->orphan_next = inode_cache.orphans; // which takes over the reference
        inode_cache.orphans = inode;
    } else {
        lru_put(&inode_cache.lru, &inode->lru, inode->valid);
    }
    spin_unlock(&inode_cache.lock);
}

void inode_adopt_orphan(uint32_t number)
{
    struct inode *inode = inode_get(number);
    if (!inode)
        return; // the next mount will find it
    spin_lock(&inode_cache.lock);
    inode->orphan_next = inode_cache.orphans;
    inode_cache.orphans = inode;
    spin_unlock(&inode_cache.lock);
}

// Drops the last reference and forgets the inode.
static void forget(struct inode *inode)
{
    spin_lock(&inode_cache.lock);
    inode->valid = false;
    if (lru_put(&inode_cache.lru, &inode->lru, false))
        lru_forget(&inode_cache.lru, &inode->lru);
    spin_unlock(&inode_cache.lock);
}

static struct inode *next_orphan(void)
{
    spin_lock(&inode_cache.lock);
    struct inode *inode = inode_cache.orphans;
    if (inode)
        inode_cache.orphans = inode->orphan_next;
    spin_unlock(&inode_cache.lock);
    return inode;
}

void inode_reap(void)
{
    struct inode *inode;
    while ((inode = next_orphan())) {
        uint32_t number = inode->lru.number;
        bool freed = false;
        // On a read-only file system it is only forgotten; the next mount that may write frees it.
        if (log_begin(inode_truncate_cost()) == 0) {
            if (inode_lock(inode) == 0) {
                inode_truncate(inode);
                inode->disk = (struct disk_inode){.type = 0};
                freed = inode_update(inode) == 0;
                inode_unlock(inode);
            }
            forget(inode);
            if (freed)
                inode_number_free(number);
            log_end();
        } else {
            forget(inode);
        }
    }
}

// ---- contents ----

static int table_block(uint32_t number, struct buf **buf)
{
    return buf_read(fs.super.inode_start + number / INODES_PER_BLOCK, buf);
}

static bool disk_inode_valid(const struct disk_inode *disk)
{
    return disk->type >= T_DIR && disk->type <= T_DEVICE && disk->nlink >= 0 &&
           disk->size <= MAX_FILE_BLOCKS * BLOCK_SIZE;
}

// Prepares what is kept about an inode beside its contents.
static void start_using(struct inode *inode)
{
    inode->valid = true;
    inode->next_read = inode->ahead = inode->free_entry = 0;
    // Who knows what changed it before it was dropped from the table: a change may still be
    // uncommitted.
    inode->changed_in = log_sequence();
}

int inode_lock(struct inode *inode)
{
    // A corrupt directory may name itself.
    if (mutex_held(&inode->lock))
        return -EIO;
    mutex_lock(&inode->lock);
    if (inode->valid)
        return 0;
    struct buf *buf;
    int status = table_block(inode->lru.number, &buf);
    if (status == 0) {
        const struct disk_inode *disk = buf->data;
        inode->disk = disk[inode->lru.number % INODES_PER_BLOCK];
        buf_release(buf);
        if (disk_inode_valid(&inode->disk))
            start_using(inode);
        else
            status = -EIO;
    }
    if (status < 0)
        mutex_unlock(&inode->lock);
    return status;
}

void inode_unlock(struct inode *inode)
{
    mutex_unlock(&inode->lock);
}

int inode_update(struct inode *inode)
{
    struct buf *buf;
    int status = table_block(inode->lru.number, &buf);
    if (status < 0)
        return status;
    struct disk_inode *disk = buf->data;
    disk[inode->lru.number % INODES_PER_BLOCK] = inode->disk;
    inode->changed_in = log_sequence();
    log_write(buf);
    buf_release(buf);
    return 0;
}

int inode_alloc(int16_t type, struct inode **out)
{
    uint32_t number = inode_number_alloc();
    if (number == 0)
        return -ENOSPC;
    struct inode *inode = inode_get(number);
    if (!inode) {
        inode_number_free(number);
        return -ENFILE;
    }
    mutex_lock(&inode->lock);
    inode->disk = (struct disk_inode){.type = type};
    start_using(inode);
    int status = inode_update(inode);
    if (status < 0) {
        mutex_unlock(&inode->lock);
        forget(inode);
        inode_number_free(number);
        return status;
    }
    *out = inode;
    return 0;
}

void inode_stat(struct inode *inode, struct stat *stat)
{
    *stat = (struct stat){.dev = 1,
                          .ino = inode->lru.number,
                          .type = inode->disk.type,
                          .nlink = inode->disk.nlink,
                          .size = inode->disk.size};
}
