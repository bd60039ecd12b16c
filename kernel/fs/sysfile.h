// What the files with system calls share: the current process's descriptors, and fetching a path.

#ifndef RINGFENCE_SYSFILE_H
#define RINGFENCE_SYSFILE_H

#include "kernel/proc/proc.h"

struct file;

// Puts the file into the lowest free descriptor; the descriptor takes over the caller's reference.
// -EMFILE.
int descriptor_alloc(struct file *file);
void descriptor_close(int fd);

// Copies a path from user memory; 0, -EFAULT, -ENAMETOOLONG. (sysopen.c)
int fetch_path(char path[MAXPATH], uint64_t user_path);

syscall_fn sys_read, sys_write, sys_close, sys_dup, sys_fstat, sys_lseek, sys_fsync, sys_pipe,
    sys_ioctl, sys_mmap, sys_munmap;
syscall_fn sys_open, sys_mkdir, sys_mknod, sys_link, sys_unlink, sys_chdir;

#endif
