// The log makes every system call on the file system atomic: after a crash, the disk has all of its
// changes or none.
//
// Operations that run at the same time share one transaction (group commit). They change blocks in
// the buffer cache and pass them to log_write(), which keeps them in the cache. A commit waits
// until no operation is open. Then it writes a header and the blocks to the log, and flushes the
// disk (format.h has the layout). The blocks are written to their home places later, when the log
// is nearly full.
//
// If a commit cannot be written, the file system becomes read-only. The disk then has what the last
// good commit wrote.

#ifndef RINGFENCE_LOG_H
#define RINGFENCE_LOG_H

#include "kernel/fs/format.h"
#include "kernel/lib.h"

struct buf;
struct block_device;

// The most bytes that one inode_write() takes. file.c cuts a larger write into several operations,
// and into smaller ones if the log is small.
#define LOG_MAX_WRITE (256 * BLOCK_SIZE)

// Prepares the log. Call log_recover() and buf_init() first. Returns 0 or -ENOMEM.
int log_mount(struct block_device *device, const struct super_block *super, uint64_t sequence);

// Opens an operation that changes at most `blocks` blocks; log_largest() is the limit. Sleeps while
// the transaction is full or being committed, so call it before you lock an inode or a buffer. Open
// only one at a time. Returns 0; or -EROFS, and nothing is open, if the disk is read-only or the
// log is broken.
int log_begin(uint32_t blocks);
void log_end(void);
uint32_t log_largest(void);

// Call it inside an operation after you have changed a buffer that you hold locked.
void log_write(struct buf *buf);
// Call it inside an operation when you free a block: the transaction need not contain it any more.
void log_forget(uint32_t block);

// The sequence number of the transaction that operations add to now.
uint64_t log_sequence(void);
// Returns when every transaction up to `sequence` is safely on the disk: 0, or -EIO. Sleeps. Do not
// call it inside an operation.
int log_sync(uint64_t sequence);
// Before power-off: commits, and writes all blocks home. Afterwards the file system is read-only.
// Returns 0 or -EIO. Sleeps.
int log_shutdown(void);
// fs.c: the body of the kernel thread that commits once a second.
void log_thread(void);

// For /dev/kstat.
uint64_t log_commits(void);
unsigned log_pinned(void); // buffers that wait to be committed or written home

// recover.c: copies the transactions in the log to their home places, and stores the number of the
// next transaction in *sequence. Returns 0, or a negative E number after it has printed why.
int log_recover(struct block_device *device, const struct super_block *super, uint64_t *sequence);
// Marks the log empty: the next transaction may overwrite it from the start, and will have the
// number `sequence`. `header` is a page that the function may overwrite. Returns 0 or a negative E
// number.
int log_mark_empty(struct block_device *device, uint32_t log_start, uint64_t sequence,
                   struct log_header *header);

#endif
