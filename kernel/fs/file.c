// Open files: the system's table of them, and reading and writing whatever they stand for.

#include "kernel/fs/file.h"
#include "kernel/dev/device.h"
#include "kernel/fs/fs.h"
#include "kernel/mm/vm.h"

static struct {
    struct spinlock lock;
    struct file *free; // closed ones, to be used again
    unsigned taken;    // entries that have ever been used
    unsigned in_use;
    struct file files[MAX_OPEN_FILES];
} file_table = {.lock = SPINLOCK("files")};

unsigned file_count(void)
{
    return file_table.in_use;
}

struct file *file_alloc(void)
{
    spin_lock(&file_table.lock);
    struct file *file = file_table.free;
    if (file)
        file_table.free = file->next_free;
    else if (file_table.taken < MAX_OPEN_FILES)
        file = &file_table.files[file_table.taken++];
    if (file) {
        *file = (struct file){.references = 1};
        file_table.in_use++;
    }
    spin_unlock(&file_table.lock);
    return file;
}

struct file *file_dup(struct file *file)
{
    spin_lock(&file_table.lock);
    file->references++;
    spin_unlock(&file_table.lock);
    return file;
}

void file_close(struct file *file)
{
    spin_lock(&file_table.lock);
    bool last = --file->references == 0;
    struct file old = *file;
    if (last) {
        file->kind = FILE_FREE;
        file->next_free = file_table.free;
        file_table.free = file;
        file_table.in_use--;
    }
    spin_unlock(&file_table.lock);
    if (!last)
        return;
    if (old.kind == FILE_PIPE)
        pipe_close(old.pipe, old.writable);
    if (old.inode)
        inode_put_outside(old.inode);
}

// ---- reading and writing ----

static long device_read(struct file *file, uint64_t user_dst, uint64_t n)
{
    const struct device *device = devices[file->major];
    long got = device->read ? device->read(file->minor, user_dst, n, file->offset) : -EINVAL;
    if (got > 0)
        file->offset += got;
    return got;
}

static long device_write(struct file *file, uint64_t user_src, uint64_t n)
{
    const struct device *device = devices[file->major];
    long put = device->write ? device->write(file->minor, user_src, n, file->offset) : -EINVAL;
    if (put > 0)
        file->offset += put;
    return put;
}

long file_read(struct file *file, uint64_t user_dst, uint64_t n)
{
    if (!file->readable)
        return -EBADF;
    if (file->kind == FILE_PIPE)
        return pipe_read(file->pipe, user_dst, n);
    if (file->kind == FILE_DEVICE)
        return device_read(file, user_dst, n);
    int status = inode_lock(file->inode);
    if (status < 0)
        return status;
    long got = inode_read(file->inode, true, user_dst, file->offset, n);
    if (got > 0)
        file->offset += got;
    inode_unlock(file->inode);
    return got;
}

// One operation's worth of a write; at most inode_write_limit() bytes.
static long write_piece(struct file *file, uint64_t user_src, uint64_t n)
{
    long put = log_begin(inode_write_cost(n));
    if (put < 0)
        return put;
    put = inode_lock(file->inode);
    if (put == 0) {
        uint64_t offset = file->append ? file->inode->disk.size : file->offset;
        // A program of xv6, which has no lseek(), can be behind the end only because the file was truncated, and
        // knows that such a write fails. After an lseek() it leaves a hole.
        if (offset > file->inode->disk.size && !file->sought)
            put = -EINVAL;
        else
            put = inode_write(file->inode, true, user_src, offset, n);
        if (put >= 0)
            file->offset = offset + put;
        inode_unlock(file->inode);
    }
    log_end();
    return put;
}

// A long write is several operations, each of them whole after a crash; they end at the ends of
// blocks.
static long inode_file_write(struct file *file, uint64_t user_src, uint64_t n)
{
    uint64_t limit = inode_write_limit(), done = 0;
    while (done < n) {
        uint64_t piece = min_u64(n - done, limit - file->offset % BLOCK_SIZE);
        long put = write_piece(file, user_src + done, piece);
        if (put < 0)
            return done && put != -EFAULT ? (long)done : put;
        done += put;
        if ((uint64_t)put < piece)
            break;
    }
    return done;
}

long file_write(struct file *file, uint64_t user_src, uint64_t n)
{
    if (!file->writable)
        return -EBADF;
    if (file->kind == FILE_PIPE)
        return pipe_write(file->pipe, user_src, n);
    if (file->kind == FILE_DEVICE)
        return device_write(file, user_src, n);
    return inode_file_write(file, user_src, n);
}

int file_stat(struct file *file, uint64_t user_stat)
{
    struct stat stat;
    if (!file->inode)
        return -EBADF;
    int status = inode_lock(file->inode);
    if (status < 0)
        return status;
    inode_stat(file->inode, &stat);
    inode_unlock(file->inode);
    return copy_to_user(user_stat, &stat, sizeof(stat));
}

long file_seek(struct file *file, int64_t offset, int whence)
{
    if (!file->inode)
        return -ESPIPE;
    int status = inode_lock(file->inode);
    if (status < 0)
        return status;
    int64_t base = whence == SEEK_CUR   ? file->offset
                   : whence == SEEK_END ? file->inode->disk.size
                                        : 0;
    int64_t to;
    bool valid = whence >= SEEK_SET && whence <= SEEK_END &&
                 !__builtin_add_overflow(base, offset, &to) && to >= 0;
    if (valid) {
        file->offset = to;
        file->sought = true;
    }
    inode_unlock(file->inode);
    return valid ? to : -EINVAL;
}

int file_sync(struct file *file)
{
    if (file->kind != FILE_INODE)
        return -EINVAL;
    int status = inode_lock(file->inode);
    if (status < 0)
        return status;
    // A directory stands for everything: the program sync has no other way to ask.
    bool all = file->inode->disk.type == T_DIR;
    uint64_t sequence = all ? log_sequence() : file->inode->changed_in;
    inode_unlock(file->inode);
    return log_sync(sequence);
}
