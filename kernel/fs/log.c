// The log: gathering transactions and committing them.
//
// A block that was changed goes through two stations. It is *gathered* while the transaction is
// open, and *logged* once that is committed, until a checkpoint writes all logged blocks home. The
// log holds a reference to its buffer all the while. A checkpoint comes right after a commit,
// before any operation may begin, so a buffer never holds anything uncommitted then.
//
// log.lock is held for a few instructions only. While `committing` is set no operation is open and
// the committer alone uses what is marked so below.

#include "kernel/fs/log.h"
#include "kernel/abi.h"
#include "kernel/fs/buf.h"
#include "kernel/mm/page.h"
#include "kernel/proc/proc.h"

static struct {
    struct spinlock lock;
    struct wait_queue waiters; // for operations to end, and for a commit to end

    // Set at mount.
    struct block_device *device;
    uint32_t start; // first block of the log
    uint32_t size;  // blocks that we use of it
    uint32_t salt;
    uint32_t largest; // blocks of the largest transaction

    uint64_t sequence; // of the transaction that is being gathered
    uint64_t durable;  // of the last that is on the disk for good
    uint64_t commits;
    uint32_t open;     // operations
    uint32_t reserved; // blocks that they may still ask for, and more: cleared when none is open
    bool committing;
    bool read_only; // the device is, or the log is broken, or shut down
    bool broken;
    uint32_t gathered_count;
    struct buf *gathered[LOG_MAX_COUNT];

    // The committer's.
    uint32_t head; // where the next transaction goes, in blocks from `start`
    uint32_t logged_count;
    struct buf **logged;            // room for `size`
    struct block_request *requests; // likewise
    struct block_segment *segments;
    struct log_header *header; // a page
} log = {.lock = SPINLOCK("log")};

uint64_t log_sequence(void)
{
    spin_lock(&log.lock);
    uint64_t sequence = log.sequence;
    spin_unlock(&log.lock);
    return sequence;
}

uint64_t log_commits(void)
{
    return log.commits;
}

unsigned log_pinned(void)
{
    spin_lock(&log.lock);
    unsigned pinned = log.logged_count;
    for (unsigned i = 0; i < log.gathered_count; i++)
        pinned += !log.gathered[i]->logged;
    spin_unlock(&log.lock);
    return pinned;
}

uint32_t log_largest(void)
{
    return log.largest;
}

// ---- writing ----

static struct block_list write_list(void)
{
    return (struct block_list){.device = log.device,
                               .op = BLOCK_WRITE,
                               .requests = log.requests,
                               .segments = log.segments};
}

// Sends all writes with one kick, waits for all of them, and only then flushes: a flush that is
// sent along with writes promises nothing about them (VirtIO 1.2, 5.2.6.2).
static int write_and_flush(const struct block_list *list)
{
    int status = block_run(log.device, list->requests, list->count);
    return status < 0 ? status : block_flush(log.device);
}

// Writes the gathered blocks to the log, behind the last transaction.
static int write_transaction(void)
{
    struct log_header *header = log.header;
    memset(header, 0, sizeof(*header));
    header->magic = LOG_MAGIC;
    header->count = log.gathered_count;
    header->sequence = log.sequence;
    for (unsigned i = 0; i < log.gathered_count; i++)
        header->block[i] = log.gathered[i]->lru.number;
    uint32_t sum = log_checksum_start(log.salt, header);
    for (unsigned i = 0; i < log.gathered_count; i++)
        sum = fs_checksum(sum, log.gathered[i]->data, BLOCK_SIZE);
    header->checksum = sum;

    struct block_list list = write_list();
    block_list_add(&list, log.start + log.head, header);
    for (unsigned i = 0; i < log.gathered_count; i++)
        block_list_add(&list, log.start + log.head + 1 + i, log.gathered[i]->data);
    return write_and_flush(&list);
}

// The gathered blocks are committed: now they wait to be written home. With log.lock.
static void gathered_to_logged(void)
{
    log.head += 1 + log.gathered_count;
    for (unsigned i = 0; i < log.gathered_count; i++) {
        struct buf *buf = log.gathered[i];
        if (!buf->logged)
            log.logged[log.logged_count++] = buf;
        buf->logged = true;
    }
    log.gathered_count = 0;
    log.durable = log.sequence++;
    log.commits++;
}

// Shell sort by block number, so that neighbours share a request.
static void sort_by_block(struct buf **bufs, unsigned n)
{
    for (unsigned gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (unsigned i = gap; i < n; i++) {
            struct buf *buf = bufs[i];
            unsigned j = i;
            for (; j >= gap && bufs[j - gap]->lru.number > buf->lru.number; j -= gap)
                bufs[j] = bufs[j - gap];
            bufs[j] = buf;
        }
    }
}

// Writes every logged block home and starts again at the log's first block. The log is marked empty
// before anything in it is overwritten: else, after a crash, the first of its transactions could
// still be valid and the rest gone, and recovery would put old contents back.
static int checkpoint(void)
{
    struct block_list list = write_list();
    sort_by_block(log.logged, log.logged_count);
    for (unsigned i = 0; i < log.logged_count; i++)
        block_list_add(&list, log.logged[i]->lru.number, log.logged[i]->data);
    int status = list.count ? write_and_flush(&list) : 0;
    if (status == 0)
        status = log_mark_empty(log.device, log.start, log.sequence, log.header);
    if (status < 0)
        return status;
    for (unsigned i = 0; i < log.logged_count; i++) {
        log.logged[i]->logged = false;
        buf_drop(log.logged[i]);
    }
    log.logged_count = 0;
    log.head = 0;
    return 0;
}

// Ends the transaction: waits for the operations in it, writes it, makes room for the next. Called
// with log.lock held and nobody else committing; sleeps. Errors end up in log.broken.
static void commit(bool write_home)
{
    int status = 0;
    log.committing = true;
    while (log.open > 0)
        sleep_on(&log.waiters, &log.lock);

    if (log.gathered_count > 0) {
        spin_unlock(&log.lock);
        status = write_transaction();
        spin_lock(&log.lock);
        if (status == 0)
            gathered_to_logged();
    }
    bool full = log.head + 1 + log.largest > log.size;
    if (status == 0 && (full || (write_home && log.head > 0))) {
        spin_unlock(&log.lock);
        status = checkpoint();
        spin_lock(&log.lock);
    }
    if (status < 0) {
        log.broken = log.read_only = true;
        kprintf("%s: error %d while writing the log; the file system is read-only from here on\n",
                log.device->name, -status);
    }
    log.committing = false;
    wake_all(&log.waiters);
}

// ---- operations ----

int log_begin(uint32_t blocks)
{
    if (blocks > log.largest)
        panic("log_begin: %u blocks, at most %u fit", blocks, log.largest);
    spin_lock(&log.lock);
    for (;;) {
        if (log.read_only) {
            spin_unlock(&log.lock);
            return -EROFS;
        }
        if (log.committing)
            sleep_on(&log.waiters, &log.lock);
        else if (log.gathered_count + log.reserved + blocks > log.largest)
            commit(false);
        else
            break;
    }
    log.open++;
    log.reserved += blocks;
    spin_unlock(&log.lock);
    return 0;
}

void log_end(void)
{
    spin_lock(&log.lock);
    if (log.open == 0)
        panic("log_end without log_begin");
    if (--log.open == 0) {
        log.reserved = 0;
        if (log.committing)
            wake_all(&log.waiters);
    }
    spin_unlock(&log.lock);
}

void log_write(struct buf *buf)
{
    spin_lock(&log.lock);
    if (log.open == 0)
        panic("log_write outside an operation");
    if (buf->transaction != log.sequence) {
        if (log.gathered_count == log.largest)
            panic("log_write: an operation has changed more blocks than it announced");
        buf->transaction = log.sequence;
        buf->slot = log.gathered_count;
        log.gathered[log.gathered_count++] = buf;
        if (!buf->logged)
            buf_hold(buf);
    }
    spin_unlock(&log.lock);
}

void log_forget(uint32_t block)
{
    struct buf *buf = buf_cached(block);
    if (!buf)
        return;
    spin_lock(&log.lock);
    bool drop = false;
    if (buf->transaction == log.sequence) {
        struct buf *last = log.gathered[--log.gathered_count];
        log.gathered[buf->slot] = last;
        last->slot = buf->slot;
        buf->transaction = 0;
        drop = !buf->logged;
    }
    spin_unlock(&log.lock);
    if (drop) {
        buf->valid = false; // the disk's contents are other ones
        buf_drop(buf);
    }
    buf_release(buf);
}

int log_sync(uint64_t sequence)
{
    int status = 0;
    spin_lock(&log.lock);
    while (log.durable < sequence && (log.gathered_count > 0 || sequence < log.sequence)) {
        if (log.broken) {
            status = -EIO;
            break;
        }
        if (log.committing)
            sleep_on(&log.waiters, &log.lock);
        else
            commit(false);
    }
    spin_unlock(&log.lock);
    return status;
}

int log_shutdown(void)
{
    if (!log.device)
        return 0;
    spin_lock(&log.lock);
    while (log.committing)
        sleep_on(&log.waiters, &log.lock);
    if (!log.read_only)
        commit(true);
    log.read_only = true;
    int status = log.broken ? -EIO : 0;
    spin_unlock(&log.lock);
    return status;
}

// ---- mount ----

int log_mount(struct block_device *device, const struct super_block *super, uint64_t sequence)
{
    log.device = device;
    log.start = super->log_start;
    log.salt = super->salt;
    log.sequence = sequence;
    log.durable = sequence - 1;
    log.read_only = device->read_only;
    // Logged blocks stay in the cache, which needs room for others too.
    log.size = min_u64(super->log_blocks, buf_total() / 4 * 3);
    // Two of the largest fit, so that not every commit is followed by a checkpoint.
    log.largest = min_u64(log.size / 2 - 1, LOG_MAX_COUNT);
    log.header = page_alloc();
    log.logged = page_alloc_array(log.size, sizeof(*log.logged));
    log.requests = page_alloc_array(log.size, sizeof(*log.requests));
    log.segments = page_alloc_array(log.size, sizeof(*log.segments));
    if (!log.header || !log.logged || !log.requests || !log.segments)
        return -ENOMEM;
    return 0;
}
