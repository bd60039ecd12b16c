// workload: changes the file system from several processes at once, for the crash tests. workload.h
// describes the calls, and how a test knows which calls have returned.

#include "user/lib/user.h"
#include "user/workload/workload.h"

static int disk;         // /dev/disk0
static uint64_t mark_at; // the block of this process's mark
static int held = -1;
static struct mark *mark; // at the beginning of a page
static char contents[WORKLOAD_MAX_WRITE + 8];

static void path_of(char *path, size_t size, struct place place)
{
    unsigned process = mark->process, directory = place.directory;
    if (directory == WORKLOAD_DIRECTORIES)
        snprintf(path, size, "/p%u/n%u", process, place.name);
    else
        snprintf(path, size, "/p%u/d%u/n%u", process, directory, place.name);
}

static void directory_of(char *path, size_t size, struct place place)
{
    unsigned process = mark->process, directory = place.directory;
    if (directory == WORKLOAD_DIRECTORIES)
        snprintf(path, size, "/p%u", process);
    else
        snprintf(path, size, "/p%u/d%u", process, directory);
}

static long reason(long result)
{
    return result < 0 ? -errno : result;
}

static long write_to(const struct call *call, int fd)
{
    workload_fill(call, contents);
    if (call->kind == CALL_WRITE && lseek(fd, call->offset, SEEK_SET) < 0)
        return -errno;
    return reason(write(fd, contents, call->length));
}

// Opens the file, does what the call says, and closes the file.
static long with_file(const struct call *call, const char *path, int flags)
{
    long result = 0;
    int fd = open(path, flags);
    if (fd < 0)
        return -errno;
    if (call->kind == CALL_WRITE || call->kind == CALL_APPEND)
        result = write_to(call, fd);
    else if (call->kind == CALL_FSYNC || call->kind == CALL_SYNC)
        result = reason(fsync(fd));
    close(fd);
    return result;
}

static long hold(const char *path)
{
    if (held >= 0)
        close(held);
    held = open(path, O_RDONLY);
    return held < 0 ? -errno : 0;
}

static long perform(const struct call *call)
{
    char path[MAXPATH], to[MAXPATH], directory[MAXPATH];
    path_of(path, sizeof(path), call->place);
    path_of(to, sizeof(to), call->to);
    directory_of(directory, sizeof(directory), call->place);
    switch (call->kind) {
    case CALL_MKDIR:
        return reason(mkdir(directory));
    case CALL_RMDIR:
        return reason(unlink(directory));
    case CALL_CREATE:
        return with_file(call, path, O_CREATE | O_RDWR);
    case CALL_WRITE:
        return with_file(call, path, O_RDWR);
    case CALL_APPEND:
        return with_file(call, path, O_WRONLY | O_APPEND);
    case CALL_TRUNCATE:
        return with_file(call, path, O_WRONLY | O_TRUNC);
    case CALL_LINK:
        return reason(link(path, to));
    case CALL_UNLINK:
        return reason(unlink(path));
    case CALL_HOLD:
        return hold(path);
    case CALL_FSYNC:
        return with_file(call, path, O_RDONLY);
    case CALL_SYNC:
        return with_file(call, "/", O_RDONLY);
    }
    return -EINVAL;
}

static void write_mark(long result)
{
    struct disk_readv request = {.count = 1, .entry[0] = {mark_at, (uint64_t)mark, 1}};
    mark->calls++;
    mark->result = result;
    if (ioctl(disk, DISK_WRITE, &request) < 0)
        die("the disk has no room for marks after the file system");
}

static void work(uint64_t seed, unsigned process, uint32_t calls, uint32_t max_write, uint32_t rate)
{
    static char memory[2 * 4096];
    struct workload work;
    struct call call;
    struct disk_info info;
    disk = open("/dev/disk0", O_RDWR);
    if (disk < 0 || ioctl(disk, DISK_GET_INFO, &info) < 0)
        die("/dev/disk0");
    mark = (struct mark *)(((uint64_t)memory + 4095) & ~4095ul);
    *mark = (struct mark){.magic = MARK_MAGIC, .process = process};
    mark_at = info.fs_blocks + process;
    workload_start(&work, seed, process, max_write, rate);
    for (uint32_t i = 0; i < calls; i++) {
        workload_next(&work, &call);
        write_mark(perform(&call));
    }
    exit(0);
}

int main(int argc, char *argv[])
{
    uint64_t number[5]; // seed, processes, calls, largest write, sync rate
    for (int i = 0; i < 5; i++)
        if (argc != 6 || !parse_number(argv[i + 1], &number[i]))
            usage("workload SEED PROCESSES CALLS MAX-WRITE SYNC-RATE");
    if (number[1] == 0 || number[1] > WORKLOAD_PROCESSES || number[3] == 0 ||
        number[3] > WORKLOAD_MAX_WRITE)
        usage("workload: too many processes, or the largest write is too large");
    int status, failed = 0;
    for (unsigned process = 0; process < number[1]; process++) {
        int pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0)
            work(number[0], process, number[2], number[3], number[4]);
    }
    while (wait(&status) >= 0)
        failed |= status;
    return failed != 0;
}
