// Open files: what a file descriptor stands for, with its offset. The system calls on files are in
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
    uint32_t references; // guarded by the table's lock
    bool readable, writable, append;
    bool sought; // its offset may lie behind the file's end: lseek() has been called; as `offset`
    struct pipe *pipe;   // FILE_PIPE
    struct inode *inode; // FILE_INODE, FILE_DEVICE
    uint64_t
        offset; // guarded by the inode's lock; of a device: by nothing, whoever comes last wins
    int16_t major, minor; // FILE_DEVICE
    struct file *next_free;
};

// One reference, kind FILE_FREE, everything else 0; NULL if the table is full (ENFILE).
struct file *file_alloc(void);
struct file *file_dup(struct file *file);
void file_close(struct file *file); // may sleep; not inside a log operation
long file_read(struct file *file, uint64_t user_dst, uint64_t n);
long file_write(struct file *file, uint64_t user_src, uint64_t n);
int file_stat(struct file *file, uint64_t user_stat);
long file_seek(struct file *file, int64_t offset, int whence); // the new offset; -ESPIPE, -EINVAL
int file_sync(struct file *file); // 0, -EIO; -EINVAL for a pipe or a device
unsigned file_count(void);        // entries in use

// pipe.c: 0, or -ENFILE, -ENOMEM.
int pipe_alloc(struct file **read_end, struct file **write_end);
void pipe_close(struct pipe *pipe, bool writable);
long pipe_read(struct pipe *pipe, uint64_t user_dst, uint64_t n);  // -EINTR when killed
long pipe_write(struct pipe *pipe, uint64_t user_src, uint64_t n); // -EPIPE without readers

#endif
