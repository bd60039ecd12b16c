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
    struct block_segment pages[CHUNK];
    struct block_request requests[CHUNK];
};

// Reads or writes `count` neighbouring blocks, as many in a request as the device takes.
static int transfer_chunk(struct recovery *r, enum block_op op, uint64_t block, unsigned count)
{
    unsigned n;
    for (unsigned i = 0; i < count; i += n) {
        n = min_u64(count - i, r->device->max_segments);
        struct block_request request = {
            .op = op, .block = block + i, .segments = &r->pages[i], .count = n};
        int status = block_do(r->device, &request);
        if (status < 0)
            return status;
    }
    return 0;
}

static int transfer_page(struct block_device *device, enum block_op op, uint64_t block, void *page)
{
    struct block_segment segment = {page, BLOCK_SIZE};
    struct block_request request = {.op = op, .block = block, .segments = &segment, .count = 1};
    return block_do(device, &request);
}

static int recovery_flush(struct block_device *device)
{
    struct block_request request = {.op = BLOCK_FLUSH};
    return block_do(device, &request);
}

int log_mark_empty(struct block_device *device, uint32_t log_start, uint64_t sequence,
                   struct log_header *header)
{
    memset(header, 0, sizeof(*header));
    header->magic = LOG_MAGIC;
    header->sequence = sequence;
    int status = transfer_page(device, BLOCK_WRITE, log_start, header);
    return status < 0 ? status : recovery_flush(device);
}

// Does the log hold a whole transaction at `at` (blocks from the log's start)? Its header is left
// in r->header. 1, 0 or -E.
static int transaction_valid(struct recovery *r, uint32_t at, uint64_t sequence)
{
    const struct super_block *super = r->super;
    struct log_header *header = r->header;
    if (at >= super->log_blocks)
        return 0;
    int status = transfer_page(r->device, BLOCK_READ, super->log_start + at, header);
    if (status < 0)
        return status;
    if (header->magic != LOG_MAGIC || header->count == 0 || header->count > LOG_MAX_COUNT ||
        header->count > super->log_blocks - at - 1 || (sequence && header->sequence != sequence))
        return 0;
    uint32_t sum = log_checksum_start(super->salt, header);
    unsigned n;
    for (uint32_t i = 0; i < header->count; i += n) {
        n = min_u64(header->count - i, CHUNK);
        status = transfer_chunk(r, BLOCK_READ, super->log_start + at + 1 + i, n);
        if (status < 0)
            return status;
        for (unsigned k = 0; k < n; k++)
            sum = fs_checksum(sum, r->pages[k].memory, BLOCK_SIZE);
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
        int status = transfer_chunk(r, BLOCK_READ, r->super->log_start + at + 1 + i, n);
        if (status < 0)
            return status;
        for (unsigned k = 0; k < n; k++)
            r->requests[k] = (struct block_request){.op = BLOCK_WRITE,
                                                    .block = header->block[i + k],
                                                    .segments = &r->pages[k],
                                                    .count = 1,
                                                    .next = k + 1 < n ? &r->requests[k + 1] : NULL};
        block_submit(r->device, r->requests);
        for (unsigned k = 0; k < n; k++) {
            int done = block_wait(r->device, &r->requests[k]);
            if (done < 0)
                status = done;
        }
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
    int status = recovery_flush(r->device);
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
    while (pages < CHUNK && (r->pages[pages].memory = page_alloc())) {
        r->pages[pages].length = BLOCK_SIZE;
        pages++;
    }
    int status = -ENOMEM;
    if (r->header && pages == CHUNK)
        status = recover(r, sequence);
    if (status == -EIO)
        kprintf("%s: the log cannot be read or recovered (error %d)\n", device->name, EIO);
    while (pages > 0)
        page_put(r->pages[--pages].memory);
    if (r->header)
        page_put(r->header);
    page_put(r);
    return status;
}
