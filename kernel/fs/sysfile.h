// Between sysfile.c and syspath.c: the current process's descriptors.

#ifndef RINGFENCE_SYSFILE_H
#define RINGFENCE_SYSFILE_H

#include "kernel/proc/proc.h"

struct file;

// Puts the file into the lowest free descriptor; the descriptor takes over the caller's reference. -EMFILE.
int descriptor_alloc(struct file *file);
void descriptor_close(int fd);

syscall_fn sys_read, sys_write, sys_close, sys_dup, sys_fstat, sys_lseek, sys_fsync, sys_pipe, sys_ioctl,
    sys_mmap, sys_munmap;
syscall_fn sys_open, sys_mkdir, sys_mknod, sys_link, sys_unlink, sys_chdir;

#endif
