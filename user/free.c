// free: prints what the kernel has in use, from /dev/kstat.

#include "user/lib/user.h"

int main(void)
{
    struct kstat k;
    int fd = open("/dev/kstat", O_RDONLY);
    if (fd < 0 || read(fd, &k, sizeof(k)) != sizeof(k))
        die("/dev/kstat");
    printf("memory      %8lu KiB, %lu KiB used, %lu KiB free\n", k.memory_pages * 4,
           (k.memory_pages - k.free_pages) * 4, k.free_pages * 4);
    printf("root        %s, %lu KiB and %lu inodes free\n",
           k.root_is_disk ? "virtio disk" : "initrd", k.fs_free_blocks * 4, k.fs_free_inodes);
    printf("processes   %8lu\n", k.processes);
    printf("open files  %8lu, inodes in memory %lu\n", k.open_files, k.inodes);
    printf("buffers     %8lu in use, %lu of them wait for the log, %lu commits since boot\n",
           k.buffers_held, k.buffers_pinned, k.log_commits);
    printf("harts       %8lu, %lu context switches since boot\n", k.harts, k.context_switches);
    return 0;
}
