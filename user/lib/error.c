// Error numbers in words, and the usual ways for a program to report an error.

#include "user/lib/user.h"

static const struct {
    int error;
    const char *text;
} messages[] = {
    {0, "no error"},
    {EPERM, "operation not permitted"},
    {ENOENT, "no such file or directory"},
    {ESRCH, "no such process"},
    {EINTR, "interrupted"},
    {EIO, "input/output error"},
    {E2BIG, "too many or too long arguments"},
    {ENOEXEC, "not a program for this machine"},
    {EBADF, "file not open, or not open for this"},
    {ECHILD, "no children"},
    {EAGAIN, "no more processes"},
    {ENOMEM, "out of memory"},
    {EFAULT, "bad address"},
    {EBUSY, "in use"},
    {EEXIST, "exists already"},
    {EXDEV, "not on the same device"},
    {ENODEV, "no such device"},
    {ENOTDIR, "not a directory"},
    {EISDIR, "is a directory"},
    {EINVAL, "invalid argument"},
    {ENFILE, "too many open files in the system"},
    {EMFILE, "too many open files"},
    {ENOTTY, "the device does not support this"},
    {EFBIG, "file too large"},
    {ENOSPC, "no space left on the disk"},
    {ESPIPE, "this file has no position"},
    {EROFS, "read-only file system"},
    {EMLINK, "too many links"},
    {EPIPE, "the pipe has no reader"},
    {ENAMETOOLONG, "path too long"},
    {ENOSYS, "no such system call"},
    {ENOTEMPTY, "directory not empty"},
    {ETIMEDOUT, "timed out"},
};

const char *strerror(int error)
{
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
        if (messages[i].error == error)
            return messages[i].text;
    return "unknown error";
}

void perror(const char *what)
{
    const char *reason = strerror(errno);
    fprintf(2, "%s: %s: %s\n", program_name, what, reason);
}

void die(const char *what)
{
    perror(what);
    exit(1);
}

void usage(const char *text)
{
    fprintf(2, "usage: %s\n", text);
    exit(2);
}
