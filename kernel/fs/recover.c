// Recovery: what a crash left in the log is copied home at mount. format.h tells what is valid.
//
// Copying twice does no harm, so a crash during recovery is just another crash. Nothing here uses
// the buffer cache.

#include "kernel/abi.h"
#include "kernel/fs/block.h"
#include "kernel/fs/log.h"
#include "kernel/mm/page.h"

#define CHUNK 32                    // blocks copied at a time
#define SEQUENCE_LIMIT (1ull << 62) // no log lives that long: a larger number is garbage

struct recovery {
    struct block_device *device;
    const struct super_block *super;
    struct log_header *header;
    void *page[CHUNK];
    struct block_segment segments[CHUNK];
    struct block_request requests[CHUNK];
};

static struct block_list chunk_list(struct recovery *r, enum block_op op)
{
    return (struct block_list){
        .device = r->device, .op = op, .requests = r->requests, .segments = r->segments};
}

// Reads `count` blocks, `block` and those behind it, into r->page[].
static int read_chunk(struct recovery *r, uint64_t block, unsigned count)
{
    struct block_list list = chunk_list(r, BLOCK_READ);
    for (unsigned i = 0; i < count; i++)
        block_list_add(&list, block + i, r->page[i]);
    return block_run(r->device, r->requests, list.count);
}

// Writes r->page[i] to blocks[i].
static int write_chunk(struct recovery *r, const uint32_t *blocks, unsigned count)
{
    struct block_list list = chunk_list(r, BLOCK_WRITE);
    for (unsigned i = 0; i < count; i++)
        block_list_add(&list, blocks[i], r->page[i]);
    return block_run(r->device, r->requests, list.count);
}

int log_mark_empty(struct block_device *device, uint32_t log_start, uint64_t sequence,
                   struct log_header *header)
{
    memset(header, 0, sizeof(*header));
    header->magic = LOG_MAGIC;
    header->sequence = sequence;
    int status = block_transfer(device, BLOCK_WRITE, log_start, header);
    return status < 0 ? status : block_flush(device);
}

// Does the log hold a whole transaction at `at` (blocks from the log's start)? Its header is left
// in r->header. 1, 0 or -E.
static int transaction_valid(struct recovery *r, uint32_t at, uint64_t sequence)
{
    const struct super_block *super = r->super;
    struct log_header *header = r->header;
    if (at >= super->log_blocks)
        return 0;
    int status = block_transfer(r->device, BLOCK_READ, super->log_start + at, header);
    if (status < 0)
        return status;
    if (header->magic != LOG_MAGIC || header->count == 0 || header->count > LOG_MAX_COUNT ||
        header->count > super->log_blocks - at - 1 || (sequence && header->sequence != sequence))
        return 0;
    uint32_t sum = log_checksum_start(super->salt, header);
    unsigned n;
    for (uint32_t i = 0; i < header->count; i += n) {
        n = min_u64(header->count - i, CHUNK);
        status = read_chunk(r, super->log_start + at + 1 + i, n);
        if (status < 0)
            return status;
        for (unsigned k = 0; k < n; k++)
            sum = fs_checksum(sum, r->page[k], BLOCK_SIZE);
    }
    return sum == header->checksum;
}

// May the log hold new contents for this block?
static bool home_valid(const struct super_block *super, uint32_t block)
{
    bool in_log = block >= super->log_start && block - super->log_start < super->log_blocks;
    return block > SUPER_BLOCK && block < super->size && !in_log;
}

// Writes the blocks of the transaction whose header is in r->header to where they belong.
static int copy_home(struct recovery *r, uint32_t at)
{
    struct log_header *header = r->header;
    unsigned n;
    for (uint32_t i = 0; i < header->count; i++) {
        if (!home_valid(r->super, header->block[i])) {
            kprintf("%s: the log names block %u, which it cannot hold; run fsck on the image\n",
                    r->device->name, header->block[i]);
            return -EIO;
        }
    }
    for (uint32_t i = 0; i < header->count; i += n) {
        n = min_u64(header->count - i, CHUNK);
        int status = read_chunk(r, r->super->log_start + at + 1 + i, n);
        if (status == 0)
            status = write_chunk(r, &header->block[i], n);
        if (status < 0)
            return status;
    }
    return 0;
}

// Copies all valid transactions home. Returns how many, or -E; *next is a sequence number never
// used before.
static int replay(struct recovery *r, uint64_t *next)
{
    int count = 0, status;
    uint32_t at = 0;
    uint64_t sequence = 0;
    *next = 1;
    while ((status = transaction_valid(r, at, sequence)) > 0) {
        if (r->device->read_only) {
            kprintf("%s: was not shut down, and cannot be repaired because it is read-only; start "
                    "once with a writable disk\n",
                    r->device->name);
            return -EROFS;
        }
        status = copy_home(r, at);
        if (status < 0)
            return status;
        count++;
        sequence = r->header->sequence + 1;
        at += 1 + r->header->count;
    }
    if (status < 0)
        return status;
    // A transaction that was torn by the crash has the number that comes next now; leave that one
    // out.
    if (count > 0)
        *next = sequence + 1;
    else if (r->header->magic == LOG_MAGIC && r->header->sequence < SEQUENCE_LIMIT)
        *next = r->header->sequence + 1;
    return count;
}

static int recover(struct recovery *r, uint64_t *sequence)
{
    int count = replay(r, sequence);
    if (count <= 0)
        return count;
    int status = block_flush(r->device);
    if (status == 0)
        status = log_mark_empty(r->device, r->super->log_start, *sequence, r->header);
    if (status == 0)
        kprintf("%s: recovered %d transaction%s from the log\n", r->device->name, count,
                count == 1 ? "" : "s");
    return status;
}

int log_recover(struct block_device *device, const struct super_block *super, uint64_t *sequence)
{
    // Too large for a kernel stack that others are on.
    struct recovery *r = page_alloc_zeroed();
    _Static_assert(sizeof(*r) <= PAGE_SIZE, "recovery state is a page");
    if (!r)
        return -ENOMEM;
    r->device = device;
    r->super = super;
    r->header = page_alloc();
    unsigned pages = 0;
    while (pages < CHUNK && (r->page[pages] = page_alloc()))
        pages++;
    int status = -ENOMEM;
    if (r->header && pages == CHUNK)
        status = recover(r, sequence);
    if (status == -EIO)
        kprintf("%s: the log cannot be read or recovered (error %d)\n", device->name, EIO);
    while (pages > 0)
        page_put(r->page[--pages]);
    if (r->header)
        page_put(r->header);
    page_put(r);
    return status;
}
