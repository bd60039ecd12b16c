// Inodes, directories and paths.
//
// An operation that changes the disk stands between log_begin() and log_end() (log.h). Functions
// return 0 or a count, or a negative E number.

#ifndef RINGFENCE_INODE_H
#define RINGFENCE_INODE_H

#include "kernel/abi.h"
#include "kernel/fs/format.h"
#include "kernel/fs/lru.h"
#include "kernel/lib.h"
#include "kernel/proc/lock.h"

#define MAX_CACHED_INODES 512

// An inode in memory. One that nobody references stays until its place is wanted.
struct inode {
    // Guarded by the table's lock (inode.c).
    struct lru_entry lru;      // lru.number is the inode's number
    struct inode *orphan_next; // in the list of those to be freed

    struct mutex lock;
    // Guarded by `lock`, which inode_lock() takes; it also reads the inode from the disk the first
    // time.
    bool valid; // `disk` has been read
    struct disk_inode disk;
    uint64_t next_read;  // block that a sequential reader would want next
    uint64_t ahead;      // blocks before this one have been fetched ahead
    uint64_t free_entry; // of a directory: no entry before this offset is free
    uint64_t changed_in; // sequence of the last transaction that changed it (fsync)
};

struct block_device;

// Mounts the file system on `device` as the root: checks the super block, recovers the log, frees
// what a crash left unlinked but open. 0, or a negative E number after printing one line that says
// what is wrong and what to do. May be called again, with another device, after it has failed.
int fs_mount(struct block_device *device);

struct inode *inode_get(uint32_t number);     // a reference; NULL if the table is full (ENFILE)
struct inode *inode_dup(struct inode *inode); // one more
// Drops a reference; never sleeps. The last one of an inode without links leaves it to
// inode_reap().
void inode_put(struct inode *inode);
// Frees the inodes that nobody can reach any more. Sleeps; not inside an operation, no inode
// locked.
void inode_reap(void);
static inline void inode_put_outside(struct inode *inode)
{
    inode_put(inode);
    inode_reap();
}
int inode_lock(struct inode *inode); // 0, or -EIO: then it is not locked
void inode_unlock(struct inode *inode);
static inline void inode_unlock_put(struct inode *inode)
{
    inode_unlock(inode);
    inode_put(inode);
}

// These want the inode locked. `user` says whether `address` is the current process's or the
// kernel's.
long inode_read(struct inode *inode, bool user, uint64_t address, uint64_t offset, uint64_t n);
// At most inode_write_limit() bytes (fs.h); extends the file. Inside a log operation. Less than n
// if the disk fills up; -ENOSPC, -EFBIG, -EIO, -ENOMEM if nothing was written; -EFAULT if the
// buffer cannot be read to its end: what comes before that is written.
long inode_write(struct inode *inode, bool user, uint64_t address, uint64_t offset, uint64_t n);
void inode_stat(struct inode *inode, struct stat *stat);
int inode_truncate(struct inode *inode); // inside a log operation; 0 or -EIO

// The page that holds block `index` of the file, shared with the buffer cache, with a reference
// that the caller gives back with page_put(). For exec(): mapped read-only, never copied. The cache
// copies a page that others hold before it changes it. *page is NULL for a hole. 0, -EIO, -ENOMEM.
int inode_share_page(struct inode *inode, uint64_t index, void **page);

// Look up a path, from the current directory or the root: 0 and a reference in *out, or -ENOENT,
// -ENOTDIR, -EIO, -ENFILE. No inode locked.
int path_lookup(const char *path, struct inode **out);

#endif
