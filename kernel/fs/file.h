// Open files: a descriptor refers to one, and processes may share it. The system calls are in
// sysfile.c.

#ifndef RINGFENCE_FILE_H
#define RINGFENCE_FILE_H

#include "kernel/abi.h"
#include "kernel/lib.h"
#include "kernel/proc/lock.h"

#define MAX_OPEN_FILES 1024

struct inode;
struct pipe;

enum file_kind { FILE_FREE, FILE_PIPE, FILE_INODE, FILE_DEVICE };

struct file {
    enum file_kind kind;
    uint32_t references; // guarded by file_table.lock (file.c)
    bool readable, writable, append;
    struct pipe *pipe;   // FILE_PIPE
    struct inode *inode; // FILE_INODE, FILE_DEVICE
    // Guarded by the inode's mutex. A device's offset has no lock: the last to store it wins.
    uint64_t offset;
    bool sought;          // lseek() was called: a write behind the end of the file leaves a hole
    int16_t major, minor; // FILE_DEVICE
    struct file *next_free;
};

// A new open file: one reference, kind FILE_FREE, everything else 0. NULL if the table is full
// (ENFILE).
struct file *file_alloc(void);
struct file *file_dup(struct file *file); // one more reference
void file_close(struct file *file);       // one less; may sleep; not inside a log operation
// Both may sleep. They return how many bytes, or a negative E number.
long file_read(struct file *file, uint64_t user_dst, uint64_t n);
long file_write(struct file *file, uint64_t user_src, uint64_t n);
int file_stat(struct file *file, uint64_t user_stat);
long file_seek(struct file *file, int64_t offset, int whence); // the new offset; -ESPIPE, -EINVAL
int file_sync(struct file *file); // 0, -EIO; -EINVAL for a pipe or a device
unsigned file_count(void);        // open files

// pipe.c: makes a pipe and two open files. Returns 0, -ENFILE or -ENOMEM.
int pipe_alloc(struct file **read_end, struct file **write_end);
void pipe_close(struct pipe *pipe, bool writable); // the last reference to one end is gone
// Both may sleep. They return how many bytes, -EFAULT, or -EINTR if the process is killed.
long pipe_read(struct pipe *pipe, uint64_t user_dst, uint64_t n);  // 0 without writers
long pipe_write(struct pipe *pipe, uint64_t user_src, uint64_t n); // -EPIPE without readers

#endif
