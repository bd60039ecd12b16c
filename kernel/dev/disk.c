// /dev/disk0: the disk itself, past the file system and its cache (abi.h), for measuring and for
// experiments.

#include "kernel/dev/device.h"
#include "kernel/fs/block.h"
#include "kernel/mm/vm.h"
#include "kernel/proc/lock.h"

#define MAX_PAGES 1024 // of one call, over all entries
#define MAX_REQUESTS 64

// The call that is being served; one at a time.
static struct mutex disk_mutex = {.guard = {.name = "disk"}};
static struct disk_readv call;
static struct block_request requests[MAX_REQUESTS];
static struct block_segment segments[MAX_PAGES];

static struct block_device *disk(void)
{
    return block_find("disk0");
}

static long disk_get_info(struct block_device *device, uint64_t user_info)
{
    struct disk_info info = {
        .blocks = device->blocks,
        .fs_blocks = device->mounted_blocks,
        .read_only = device->read_only,
        .max_batch = DISK_MAX_BATCH,
    };
    return copy_to_user(user_info, &info, sizeof(info));
}

// Copies the call in and checks all but the user addresses: 0, -EFAULT, -EINVAL.
static int fetch_call(const struct block_device *device, uint64_t user_call, uint32_t max_entries)
{
    uint64_t total = 0;
    if (copy_from_user(&call, user_call, sizeof(call)) < 0)
        return -EFAULT;
    if (call.count == 0 || call.count > max_entries)
        return -EINVAL;
    for (uint32_t i = 0; i < call.count; i++) {
        uint64_t block = call.entry[i].block, blocks = call.entry[i].blocks;
        if (blocks == 0 || blocks > MAX_PAGES || block >= device->blocks ||
            blocks > device->blocks - block || call.entry[i].buffer % PAGE_SIZE != 0)
            return -EINVAL;
        total += blocks;
    }
    return total <= MAX_PAGES ? 0 : -EINVAL;
}

// Fills segments[from...] with the pages of an entry; their number, or -EFAULT.
static long list_user_pages(uint32_t entry, unsigned from, enum block_op op)
{
    for (uint64_t i = 0; i < call.entry[entry].blocks; i++) {
        void *page = user_page(call.entry[entry].buffer + i * PAGE_SIZE, op == BLOCK_READ);
        if (!page)
            return -EFAULT;
        segments[from + i] = (struct block_segment){page, PAGE_SIZE};
    }
    return call.entry[entry].blocks;
}

// Sends requests[0] to requests[n - 1] with one kick and waits for all of them. 0, or an error.
static int run_requests(struct block_device *device, unsigned n)
{
    for (unsigned i = 0; i + 1 < n; i++)
        requests[i].next = &requests[i + 1];
    return block_run(device, requests, n);
}

// Does what `call` says. An entry becomes one request, or more if it has more pages than the device
// takes at once; only when those fill requests[] does a second kick follow.
static int disk_transfer(struct block_device *device, enum block_op op)
{
    unsigned n = 0, from = 0;
    for (uint32_t entry = 0; entry < call.count; entry++) {
        long count = list_user_pages(entry, from, op);
        if (count < 0)
            return -EFAULT;
        from += count;
    }
    from = 0;
    for (uint32_t entry = 0; entry < call.count; entry++) {
        for (uint64_t at = 0, count; at < call.entry[entry].blocks; at += count, from += count) {
            count = min_u64(call.entry[entry].blocks - at, device->max_segments);
            if (n == MAX_REQUESTS) {
                int error = run_requests(device, n);
                if (error)
                    return error;
                n = 0;
            }
            requests[n++] = (struct block_request){
                .op = op,
                .block = call.entry[entry].block + at,
                .segments = &segments[from],
                .count = count,
            };
        }
    }
    return run_requests(device, n);
}

static int read_blocks(struct block_device *device, uint64_t user_call)
{
    int error = fetch_call(device, user_call, DISK_MAX_BATCH);
    return error ? error : disk_transfer(device, BLOCK_READ);
}

// Writes only where no mounted file system can be hurt.
static int write_blocks(struct block_device *device, uint64_t user_call)
{
    int error = fetch_call(device, user_call, 1);
    if (error)
        return error;
    if (call.entry[0].block < device->mounted_blocks)
        return -EBUSY;
    return disk_transfer(device, BLOCK_WRITE);
}

static int disk_open(int minor)
{
    (void)minor;
    return disk() ? 0 : -ENODEV;
}

static long disk_ioctl(int minor, uint64_t request, uint64_t user_argument)
{
    struct block_device *device = disk();
    long result = -ENOTTY;
    (void)minor;
    if (!device)
        return -ENODEV;
    mutex_lock(&disk_mutex);
    if (request == DISK_GET_INFO)
        result = disk_get_info(device, user_argument);
    else if (request == DISK_READV)
        result = read_blocks(device, user_argument);
    else if (request == DISK_WRITE)
        result = write_blocks(device, user_argument);
    else if (request == DISK_FLUSH)
        result = block_flush(device);
    mutex_unlock(&disk_mutex);
    return result;
}

const struct device disk_device = {.open = disk_open, .ioctl = disk_ioctl};
