// Pipes: a ring of bytes in one page, with its bookkeeping at the front.

#include "kernel/fs/file.h"
#include "kernel/mm/vm.h"
#include "kernel/proc/proc.h"

struct pipe {
    struct spinlock lock;      // guards everything here
    struct wait_queue readers; // wait for bytes
    struct wait_queue writers; // wait for room
    bool read_open, write_open;
    uint32_t first; // where the oldest byte lies
    uint32_t count; // bytes in the ring
    char bytes[];
};

#define PIPE_SIZE ((uint32_t)(PAGE_SIZE - sizeof(struct pipe)))

int pipe_alloc(struct file **read_end, struct file **write_end)
{
    struct pipe *pipe = page_alloc();
    *read_end = file_alloc();
    *write_end = file_alloc();
    if (!pipe || !*read_end || !*write_end) {
        int error = pipe ? -ENFILE : -ENOMEM;
        if (pipe)
            page_put(pipe);
        if (*read_end)
            file_close(*read_end);
        if (*write_end)
            file_close(*write_end);
        return error;
    }
    *pipe = (struct pipe){.lock = SPINLOCK("pipe"), .read_open = true, .write_open = true};
    **read_end = (struct file){.kind = FILE_PIPE, .references = 1, .readable = true, .pipe = pipe};
    **write_end = (struct file){.kind = FILE_PIPE, .references = 1, .writable = true, .pipe = pipe};
    return 0;
}

void pipe_close(struct pipe *pipe, bool writable)
{
    spin_lock(&pipe->lock);
    if (writable) {
        pipe->write_open = false;
        wake_all(&pipe->readers);
    } else {
        pipe->read_open = false;
        wake_all(&pipe->writers);
    }
    bool unused = !pipe->read_open && !pipe->write_open;
    spin_unlock(&pipe->lock);
    if (unused)
        page_put(pipe);
}

// The stretch of the ring from `at` on that does not wrap, at most n bytes. User copies never
// sleep, so they may happen under the lock.
static uint32_t stretch(uint32_t at, uint64_t n)
{
    return min_u64(n, PIPE_SIZE - at);
}

// Moves what there is room for, at most n bytes. Returns how many, or -EFAULT if not even the first
// could be read.
static long pipe_fill(struct pipe *pipe, uint64_t user_src, uint64_t n)
{
    n = min_u64(n, PIPE_SIZE - pipe->count);
    uint64_t done = 0;
    while (done < n) {
        uint32_t at = (pipe->first + pipe->count) % PIPE_SIZE;
        uint32_t piece = stretch(at, n - done);
        if (copy_from_user(pipe->bytes + at, user_src + done, piece) < 0)
            return done ? (long)done : -EFAULT;
        pipe->count += piece;
        done += piece;
    }
    return done;
}

static long pipe_drain(struct pipe *pipe, uint64_t user_dst, uint64_t n)
{
    n = min_u64(n, pipe->count);
    uint64_t done = 0;
    while (done < n) {
        uint32_t piece = stretch(pipe->first, n - done);
        if (copy_to_user(user_dst + done, pipe->bytes + pipe->first, piece) < 0)
            return done ? (long)done : -EFAULT;
        pipe->first = (pipe->first + piece) % PIPE_SIZE;
        pipe->count -= piece;
        done += piece;
    }
    return done;
}

long pipe_write(struct pipe *pipe, uint64_t user_src, uint64_t n)
{
    uint64_t done = 0;
    long status = 0;
    spin_lock(&pipe->lock);
    while (done < n && status == 0) {
        if (!pipe->read_open) {
            status = -EPIPE;
        } else if (proc_killed()) {
            status = -EINTR;
        } else if (pipe->count == PIPE_SIZE) {
            wake_all_here(&pipe->readers);
            sleep_on(&pipe->writers, &pipe->lock);
        } else {
            long put = pipe_fill(pipe, user_src + done, n - done);
            if (put < 0)
                status = put;
            else
                done += put;
        }
    }
    // A writer often reads the answer next: then it would be a waste to wake another hart for the
    // reader.
    wake_all_here(&pipe->readers);
    spin_unlock(&pipe->lock);
    return status == -EFAULT && done ? (long)done : status ? status : (long)done;
}

long pipe_read(struct pipe *pipe, uint64_t user_dst, uint64_t n)
{
    spin_lock(&pipe->lock);
    while (pipe->count == 0 && pipe->write_open) {
        if (proc_killed()) {
            spin_unlock(&pipe->lock);
            return -EINTR;
        }
        sleep_on(&pipe->readers, &pipe->lock);
    }
    long got = pipe_drain(pipe, user_dst, n);
    wake_all(&pipe->writers);
    spin_unlock(&pipe->lock);
    return got;
}
