// The contents of files: reading, with read-ahead, and writing.

#include "kernel/fs/fs.h"
#include "kernel/mm/page.h"
#include "kernel/mm/vm.h"

#define READ_AHEAD 32   // blocks fetched ahead of a sequential reader
#define MAX_PREFETCH 64 // and of a large read, in one go

// ---- reading ----

// Starts fetching what a sequential reader will want after block `index`; `last` is the last block
// that this call wants itself.
static void read_ahead(struct inode *inode, uint64_t index, uint64_t last)
{
    bool sequential = index == inode->next_read || index + 1 == inode->next_read;
    inode->next_read = index + 1;
    if (!sequential || inode->ahead < index)
        inode->ahead = index;
    uint64_t blocks = (inode->disk.size + BLOCK_SIZE - 1) / BLOCK_SIZE;
    uint64_t want = sequential ? max_u64(last + 1, index + 1 + READ_AHEAD) : last + 1;
    want = min_u64(want, min_u64(blocks, index + MAX_PREFETCH));
    // One block alone is read as well by buf_read(); and a few more can wait until they are many.
    if (want < inode->ahead + 2 ||
        (inode->ahead > index && want < blocks && want - inode->ahead < READ_AHEAD / 2))
        return;
    uint32_t list[MAX_PREFETCH], n = 0;
    for (uint64_t i = inode->ahead; i < want; i++)
        if (block_lookup(inode, i, &list[n], NULL) == 0 && list[n])
            n++;
    inode->ahead = want;
    buf_prefetch(list, n);
}

// Copies part of a disk block out; block 0 is a hole.
static int copy_out(uint32_t block, uint64_t within, bool user, uint64_t address, uint64_t n)
{
    if (block == 0) {
        if (user)
            return zero_user(address, n);
        memset((void *)address, 0, n);
        return 0;
    }
    struct buf *buf;
    int status = buf_read(block, &buf);
    if (status < 0)
        return status;
    const char *from = (const char *)buf->data + within;
    if (user)
        status = copy_to_user(address, from, n);
    else
        memcpy((void *)address, from, n);
    buf_release(buf);
    return status;
}

long inode_read(struct inode *inode, bool user, uint64_t address, uint64_t offset, uint64_t n)
{
    if (offset >= inode->disk.size)
        return 0;
    n = min_u64(n, inode->disk.size - offset);
    uint64_t piece;
    for (uint64_t done = 0; done < n; done += piece) {
        uint64_t at = offset + done;
        piece = min_u64(BLOCK_SIZE - at % BLOCK_SIZE, n - done);
        read_ahead(inode, at / BLOCK_SIZE, (offset + n - 1) / BLOCK_SIZE);
        uint32_t block;
        int status = block_lookup(inode, at / BLOCK_SIZE, &block, NULL);
        if (status == 0)
            status = copy_out(block, at % BLOCK_SIZE, user, address + done, piece);
        if (status < 0)
            return done && status != -EFAULT ? (long)done : status;
    }
    return n;
}

int inode_share_page(struct inode *inode, uint64_t index, void **page)
{
    uint32_t block;
    struct buf *buf;
    *page = NULL;
    read_ahead(inode, index, index);
    int status = block_lookup(inode, index, &block, NULL);
    if (status < 0 || block == 0)
        return status;
    if ((status = buf_read(block, &buf)) < 0)
        return status;
    *page = buf->data;
    page_get(*page);
    buf_release(buf);
    return 0;
}

// ---- writing ----

uint32_t inode_write_cost(uint64_t n)
{
    uint32_t blocks = n / BLOCK_SIZE + 2; // it may begin and end within a block
    uint32_t tables = 2 + blocks / POINTERS_PER_BLOCK + 1;
    uint32_t bitmaps = min_u64(fs.bitmap_blocks, blocks + tables);
    return blocks + tables + bitmaps + 1; // and the inode
}

uint64_t inode_write_limit(void)
{
    uint32_t fixed = inode_write_cost(0) + fs.bitmap_blocks;
    uint64_t room = log_largest() > fixed ? log_largest() - fixed : 1;
    return min_u64(LOG_MAX_WRITE, max_u64(room / 2, 1) * BLOCK_SIZE);
}

// How many of the n bytes the process's memory can be read for. Asked before anything is changed: then
// the copy cannot fail.
static uint64_t user_readable(uint64_t address, uint64_t n)
{
    char byte;
    for (uint64_t at = 0; at < n; at += PAGE_SIZE - (address + at) % PAGE_SIZE)
        if (copy_from_user(&byte, address + at, 1) < 0)
            return at;
    return n;
}

// A new block for the file's block `index`, which has none: in *out its buffer, locked, the
// contents undefined.
static int block_add(struct inode *inode, uint64_t index, uint32_t needed, struct buf **out)
{
    uint32_t block, goal = 0;
    int status = blocks_reserve(needed);
    if (status < 0)
        return status;
    if (index > 0 && index <= DIRECT_BLOCKS && inode->disk.direct[index - 1])
        goal = inode->disk.direct[index - 1] + 1;
    if ((status = block_alloc(goal, &block)) == 0) {
        needed--;
        if ((status = buf_fresh(block, out)) == 0) {
            if ((status = block_link(inode, index, block, &needed)) == 0)
                return 0;
            buf_release(*out);
        }
        blocks_free(&block, 1);
    }
    blocks_unreserve(needed);
    return status;
}

// The locked buffer that `n` bytes of the file's block `index` are to be written to.
static int block_for_write(struct inode *inode, uint64_t index, uint64_t n, struct buf **out)
{
    uint32_t block, missing;
    int status = block_lookup(inode, index, &block, &missing);
    if (status < 0)
        return status;
    if (block == 0) {
        status = block_add(inode, index, missing, out);
        if (status == 0 && n < BLOCK_SIZE)
            memset((*out)->data, 0, BLOCK_SIZE);
        return status;
    }
    if (n == BLOCK_SIZE)
        return buf_fresh(block, out);
    status = buf_read(block, out);
    if (status == 0 && (status = buf_private(*out)) < 0)
        buf_release(*out);
    return status;
}

// Writes piece by piece; returns how many bytes, *status tells why it stopped early.
static uint64_t write_pieces(struct inode *inode, bool user, uint64_t address, uint64_t offset,
                             uint64_t n, int *status)
{
    uint64_t done, piece;
    for (done = 0; done < n; done += piece) {
        uint64_t at = offset + done;
        struct buf *buf;
        piece = min_u64(BLOCK_SIZE - at % BLOCK_SIZE, n - done);
        if ((*status = block_for_write(inode, at / BLOCK_SIZE, piece, &buf)) < 0)
            break;
        char *to = (char *)buf->data + at % BLOCK_SIZE;
        if (user)
            *status = copy_from_user(to, address + done, piece);
        else
            memcpy(to, (const void *)(address + done), piece);
        log_write(buf);
        buf_release(buf);
        if (*status < 0)
            break;
    }
    return done;
}

long inode_write(struct inode *inode, bool user, uint64_t address, uint64_t offset, uint64_t n)
{
    // As in xv6, a buffer that ends where nothing can be read is written up to there, and the call fails.
    uint64_t good = user ? user_readable(address, n) : n;
    if (good == 0 && n > 0)
        return -EFAULT;
    struct disk_inode before = inode->disk;
    int status = 0;
    uint64_t done = write_pieces(inode, user, address, offset, good, &status);
    if (done > 0 && offset + done > inode->disk.size)
        inode->disk.size = offset + done;
    inode->changed_in = log_sequence();
    if (memcmp(&before, &inode->disk, sizeof(before)) != 0) {
        int updated = inode_update(inode);
        if (updated < 0)
            return updated;
    }
    if (done == good && good < n)
        return -EFAULT;
    return done > 0 ? (long)done : status;
}
