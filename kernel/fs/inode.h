// Inodes, directories and paths.
//
// Put an operation that changes the disk between log_begin() and log_end() (log.h). Functions
// return 0 or a count, or a negative E number. Those that read from the disk may sleep.

#ifndef RINGFENCE_INODE_H
#define RINGFENCE_INODE_H

#include "kernel/abi.h"
#include "kernel/fs/format.h"
#include "kernel/fs/lru.h"
#include "kernel/lib.h"
#include "kernel/proc/lock.h"

#define MAX_CACHED_INODES 512

// An inode in memory. Without references it stays until its place is needed (lru.h).
struct inode {
    // Guarded by inode_cache.lock (inode.c).
    struct lru_entry lru;      // lru.number is the inode's number
    struct inode *orphan_next; // in the list of those to be freed

    struct mutex lock;
    // Guarded by `lock`. inode_lock() takes it, and reads the inode from the disk the first time.
    bool valid; // `disk` has been read
    struct disk_inode disk;
    uint64_t next_read;  // the block that a sequential reader would read next
    uint64_t ahead;      // the blocks before this one have been read ahead
    uint64_t free_entry; // in a directory: no entry before this offset is free
    uint64_t changed_in; // the last transaction that changed it: fsync() waits for it
};

struct block_device;

// Mounts the file system on `device` as the root. Checks the super block, recovers the log, and
// frees the files that were unlinked but open at a crash. Returns 0, or a negative E number after
// it has printed what is wrong and what to do. If it fails, you may call it again with another
// device.
int fs_mount(struct block_device *device);

struct inode *inode_get(uint32_t number); // with a reference; NULL if the cache is full (ENFILE)
struct inode *inode_dup(struct inode *inode); // one more reference
// Drops a reference. Never sleeps. If it was the last and the inode has no links, inode_reap()
// frees the inode.
void inode_put(struct inode *inode);
// Frees the inodes that no name and no open file leads to. Sleeps. Do not call it inside an
// operation or with an inode locked.
void inode_reap(void);
// Both, with the same rules as inode_reap().
static inline void inode_put_outside(struct inode *inode)
{
    inode_put(inode);
    inode_reap();
}
// Locks the inode. Returns 0; or -EIO or -ENOMEM, and it is not locked. -EIO also if you hold it.
int inode_lock(struct inode *inode);
void inode_unlock(struct inode *inode);
static inline void inode_unlock_put(struct inode *inode)
{
    inode_unlock(inode);
    inode_put(inode);
}

// Lock the inode before you call these. `address` belongs to the current process if `user` is set,
// else to the kernel.
//
// Returns how many bytes were read, fewer than n at the end of the file; or -EIO, -ENOMEM, -EFAULT.
long inode_read(struct inode *inode, bool user, uint64_t address, uint64_t offset, uint64_t n);
// Writes at most inode_write_limit() bytes (fs.h), and extends the file. Inside an operation.
// Returns how many bytes were written, fewer than n if the disk is full. If none were: -ENOSPC,
// -EFBIG, -EIO or -ENOMEM. If part of the buffer cannot be read, writes what comes before that part
// and returns -EFAULT.
long inode_write(struct inode *inode, bool user, uint64_t address, uint64_t offset, uint64_t n);
void inode_stat(struct inode *inode, struct stat *stat);
int inode_truncate(struct inode *inode); // inside an operation; 0 or -EIO

// Shares the buffer cache's page of the file's block `index`: *page, or NULL for a hole. exec()
// maps it read-only. Drop the reference with page_put(). Before the cache changes a shared page, it
// takes a copy. Returns 0, -EIO or -ENOMEM.
int inode_share_page(struct inode *inode, uint64_t index, void **page);

// Looks up a path, from the current directory or the root. Returns 0 and a reference in *out, or
// -ENOENT, -ENOTDIR, -EIO, -ENFILE, -ENOMEM. Hold no inode locked.
int path_lookup(const char *path, struct inode **out);

#endif
