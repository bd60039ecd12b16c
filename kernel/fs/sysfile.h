// What the files with system calls share: descriptors of the current process, and paths.

#ifndef RINGFENCE_SYSFILE_H
#define RINGFENCE_SYSFILE_H

#include "kernel/proc/proc.h"

struct file;

// Stores the file in the lowest free descriptor, which takes over your reference. Returns the
// descriptor, or -EMFILE.
int descriptor_alloc(struct file *file);
void descriptor_close(int fd);

// sysopen.c: copies a path from user memory. Returns 0, -EFAULT or -ENAMETOOLONG.
int fetch_path(char path[MAXPATH], uint64_t user_path);

syscall_fn sys_read, sys_write, sys_close, sys_dup, sys_fstat, sys_lseek, sys_fsync, sys_pipe,
    sys_ioctl, sys_mmap, sys_munmap;
syscall_fn sys_open, sys_mkdir, sys_mknod, sys_link, sys_unlink, sys_chdir;

#endif
