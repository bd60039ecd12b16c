// /dev/kstat: what the kernel counts about itself, one struct kstat.

#include "kernel/dev/device.h"
#include "kernel/fs/buf.h"
#include "kernel/fs/file.h"
#include "kernel/fs/fs.h"
#include "kernel/mm/vm.h"
#include "kernel/proc/proc.h"

static long kstat_read(int minor, uint64_t user_dst, uint64_t n, uint64_t offset)
{
    (void)minor;
    struct kstat stat = {.memory_pages = page_total(),
                         .free_pages = page_free_count(),
                         .processes = proc_count(),
                         .open_files = file_count(),
                         .inodes = inode_count(),
                         .buffers_pinned = log_pinned(),
                         .buffers_held = buf_total() - buf_idle(),
                         .harts = harts_online,
                         .log_commits = log_commits(),
                         .fs_free_blocks = fs_free_blocks(),
                         .fs_free_inodes = fs_free_inodes(),
                         .root_is_disk = fs.device && fs.device->persistent};
    for (unsigned i = 0; i < hart_count; i++) {
        stat.context_switches += harts[i].switches;
        stat.system_calls += harts[i].system_calls;
    }
    if (offset >= sizeof(stat))
        return 0;
    n = min_u64(n, sizeof(stat) - offset);
    int status = copy_to_user(user_dst, (const char *)&stat + offset, n);
    return status < 0 ? status : (long)n;
}

const struct device kstat_device = {.read = kstat_read};
