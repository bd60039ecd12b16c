// The log: makes every system call on the file system whole or nothing across a crash.
//
// Operations that run at the same time share one transaction (group commit). They change blocks in
// the buffer cache and hand them to log_write(), which keeps them there. A commit waits until no
// operation is open, then writes header and blocks to the log and flushes: format.h has the layout.
// Blocks go home later, when the log is nearly full.
//
// If a commit cannot be written the file system is read-only from then on, and what is on the disk
// is what the last good commit left.

#ifndef RINGFENCE_LOG_H
#define RINGFENCE_LOG_H

#include "kernel/fs/format.h"
#include "kernel/lib.h"

struct buf;
struct block_device;

// Bytes that one inode_write() may take at most; larger writes are cut into several operations by
// file.c, and finer where the log is small.
#define LOG_MAX_WRITE (256 * BLOCK_SIZE)

// Makes the log ready, after log_recover() and buf_init(). 0 or -ENOMEM.
int log_mount(struct block_device *device, const struct super_block *super, uint64_t sequence);

// Opens an operation that changes at most `blocks` blocks, which is at most log_largest(); sleeps
// while the transaction is full or being committed. Call it before any inode or buffer is locked. A
// process opens one at a time. 0, or -EROFS on a read-only disk or once the log is broken; then
// nothing is open.
int log_begin(uint32_t blocks);
void log_end(void);
uint32_t log_largest(void);

// Inside an operation: the buffer, locked by the caller, has been changed.
void log_write(struct buf *buf);
// Inside an operation: the block has been freed, so this transaction need not carry its contents.
void log_forget(uint32_t block);

// Sequence number of the transaction that is being gathered.
uint64_t log_sequence(void);
// Returns when every transaction up to `sequence` is on the disk for good; 0 or -EIO. Not inside an
// operation.
int log_sync(uint64_t sequence);
// Commits what there is and writes everything home, before power-off; nothing can be changed after
// it. 0 or -EIO.
int log_shutdown(void);
// Body of the kernel thread that commits once a second (fs.c).
void log_thread(void);

// For /dev/kstat.
uint64_t log_commits(void);
unsigned log_pinned(void); // buffers it holds: blocks to be committed or written home

// recover.c: copies the transactions that the log holds home. *sequence becomes the number of the
// next transaction. 0, or a negative E number after a line that says why.
int log_recover(struct block_device *device, const struct super_block *super, uint64_t *sequence);
// Marks the log empty: the next transaction, which will have this number, may overwrite it from the
// start. `header` is scratch, a page. 0 or -E.
int log_mark_empty(struct block_device *device, uint32_t log_start, uint64_t sequence,
                   struct log_header *header);

#endif
