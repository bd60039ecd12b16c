// The system calls on open files. Those that take a path are in sysopen.c and syslink.c.

#include "kernel/fs/sysfile.h"
#include "kernel/dev/device.h"
#include "kernel/fs/file.h"
#include "kernel/proc/proc.h"

// The open file behind a descriptor, or NULL (EBADF).
static struct file *file_at(uint64_t argument)
{
    int fd = (int)argument;
    return fd >= 0 && fd < NOFILE ? current_proc()->files[fd] : NULL;
}

int descriptor_alloc(struct file *file)
{
    struct proc *proc = current_proc();
    for (int fd = 0; fd < NOFILE; fd++) {
        if (!proc->files[fd]) {
            proc->files[fd] = file;
            return fd;
        }
    }
    return -EMFILE;
}

void descriptor_close(int fd)
{
    struct file *file = current_proc()->files[fd];
    current_proc()->files[fd] = NULL;
    file_close(file);
}

long sys_read(const uint64_t args[6])
{
    struct file *file = file_at(args[0]);
    int n = (int)args[2]; // as xv6 passes it
    if (!file)
        return -EBADF;
    return n < 0 ? -EINVAL : file_read(file, args[1], n);
}

long sys_write(const uint64_t args[6])
{
    struct file *file = file_at(args[0]);
    int n = (int)args[2];
    if (!file)
        return -EBADF;
    return n < 0 ? -EINVAL : file_write(file, args[1], n);
}

long sys_close(const uint64_t args[6])
{
    if (!file_at(args[0]))
        return -EBADF;
    descriptor_close((int)args[0]);
    return 0;
}

long sys_dup(const uint64_t args[6])
{
    struct file *file = file_at(args[0]);
    if (!file)
        return -EBADF;
    int fd = descriptor_alloc(file);
    if (fd >= 0)
        file_dup(file);
    return fd;
}

long sys_fstat(const uint64_t args[6])
{
    struct file *file = file_at(args[0]);
    return file ? file_stat(file, args[1]) : -EBADF;
}

long sys_lseek(const uint64_t args[6])
{
    struct file *file = file_at(args[0]);
    return file ? file_seek(file, (int64_t)args[1], (int)args[2]) : -EBADF;
}

long sys_fsync(const uint64_t args[6])
{
    struct file *file = file_at(args[0]);
    return file ? file_sync(file) : -EBADF;
}

long sys_pipe(const uint64_t args[6])
{
    struct file *ends[2];
    int status = pipe_alloc(&ends[0], &ends[1]);
    if (status < 0)
        return status;
    int fds[2];
    fds[0] = descriptor_alloc(ends[0]);
    fds[1] = fds[0] < 0 ? -EMFILE : descriptor_alloc(ends[1]);
    status = fds[1] < 0 ? -EMFILE : copy_to_user(args[0], fds, sizeof(fds));
    if (status == 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            descriptor_close(fds[i]);
        else
            file_close(ends[i]);
    }
    return status;
}

// ---- devices ----

static const struct device *device_at(const struct file *file)
{
    return file->kind == FILE_DEVICE ? devices[file->major] : NULL;
}

long sys_ioctl(const uint64_t args[6])
{
    struct file *file = file_at(args[0]);
    if (!file)
        return -EBADF;
    const struct device *device = device_at(file);
    return device && device->ioctl ? device->ioctl(file->minor, args[1], args[2]) : -ENOTTY;
}

long sys_mmap(const uint64_t args[6])
{
    struct file *file = file_at(args[1]);
    if (!file)
        return -EBADF;
    const struct device *device = device_at(file);
    return device && device->mmap ? device->mmap(file->minor, args[0], args[2]) : -ENODEV;
}

long sys_munmap(const uint64_t args[6])
{
    return vm_unmap_device(&current_proc()->space, args[0], args[1]);
}
