// The system calls that make and open files: open, mkdir, mknod. Each change is one log operation,
// so a crash leaves all of it or nothing.

#include "kernel/dev/device.h"
#include "kernel/fs/file.h"
#include "kernel/fs/fs.h"
#include "kernel/fs/sysfile.h"

int fetch_path(char path[MAXPATH], uint64_t user_path)
{
    long n = copy_string_from_user(path, user_path, MAXPATH);
    return n < 0 ? n : 0;
}

// ---- making ----

struct kind {
    int16_t type, major, minor;
};

// Fills in a new inode and gives it its name. Both inodes locked.
static int new_entry(struct inode *dir, const char *name, struct inode *inode, struct kind kind)
{
    inode->disk.nlink = 1;
    inode->disk.major = kind.major;
    inode->disk.minor = kind.minor;
    int status = inode_update(inode);
    if (status == 0 && kind.type == T_DIR) {
        status = dir_init(inode, dir->lru.number);
        if (status == 0) {
            dir->disk.nlink++; // the new ".."
            status = inode_update(dir);
            if (status < 0)
                dir->disk.nlink--;
        }
    }
    if (status < 0)
        return status;
    status = dir_add(dir, name, inode->lru.number);
    if (status < 0 && kind.type == T_DIR) {
        dir->disk.nlink--;
        inode_update(dir);
    }
    return status;
}

// Makes `name` in a locked directory, or finds what is there if that is wanted. A reference in
// *out.
static int create_in(struct inode *dir, const char *name, struct kind kind, bool may_exist,
                     struct inode **out)
{
    uint32_t number;
    struct inode *inode;
    if (dir->disk.nlink == 0)
        return -ENOENT; // removed, but still someone's current directory
    int status = dir_lookup(dir, name, &number, NULL);
    if (status == 0) {
        if (!may_exist)
            return -EEXIST;
        *out = inode_get(number);
        return *out ? 0 : -ENFILE;
    }
    if (status != -ENOENT)
        return status;
    if (kind.type == T_DIR && dir->disk.nlink == INT16_MAX)
        return -EMLINK;
    if ((status = inode_alloc(kind.type, &inode)) < 0)
        return status;
    status = new_entry(dir, name, inode, kind);
    if (status < 0) {
        inode->disk.nlink = 0;
        inode_update(inode);
    }
    if (status < 0) {
        inode_unlock_put(inode);
        return status;
    }
    inode_unlock(inode);
    *out = inode;
    return 0;
}

// Inside an operation of CREATE_COST.
static int create_path(const char *path, struct kind kind, bool may_exist, struct inode **out)
{
    char name[NAME_SIZE + 1];
    struct inode *dir;
    int status = path_lock_parent(path, name, &dir);
    if (status < 0)
        return status;
    status = create_in(dir, name, kind, may_exist, out);
    inode_unlock_put(dir);
    return status;
}

static long make_node(uint64_t user_path, struct kind kind)
{
    char path[MAXPATH];
    struct inode *inode;
    int status = fetch_path(path, user_path);
    if (status < 0 || (status = log_begin(CREATE_COST)) < 0)
        return status;
    status = create_path(path, kind, false, &inode);
    if (status == 0)
        inode_put(inode);
    log_end();
    inode_reap();
    return status;
}

long sys_mkdir(const uint64_t args[6])
{
    return make_node(args[0], (struct kind){.type = T_DIR});
}

long sys_mknod(const uint64_t args[6])
{
    return make_node(args[0], (struct kind){T_DEVICE, (int16_t)args[1], (int16_t)args[2]});
}

// ---- opening ----

// May the locked inode be opened so? Truncates it if asked to.
static int open_inode(struct inode *inode, int flags, bool writable_fs)
{
    if (inode->disk.type == T_DIR && flags != O_RDONLY)
        return -EISDIR;
    if (inode->disk.type != T_FILE || !(flags & O_TRUNC))
        return 0;
    return writable_fs ? inode_truncate(inode) : -EROFS;
}

// Finds or makes the inode that open() is about. A reference in *out.
static int open_path(const char *path, int flags, struct inode **out)
{
    bool change = flags & (O_CREATE | O_TRUNC);
    int status = change ? log_begin(CREATE_COST + inode_truncate_cost()) : 0;
    if (status < 0 && status != -EROFS)
        return status;
    // On a read-only file system whatever exists can still be opened.
    bool writable_fs = status == 0;
    if (flags & O_CREATE && writable_fs)
        status = create_path(path, (struct kind){.type = T_FILE}, true, out);
    else
        status = path_lookup(path, out);
    if (status == -ENOENT && !writable_fs)
        status = -EROFS;
    if (status == 0) {
        if ((status = inode_lock(*out)) == 0) {
            status = open_inode(*out, flags, writable_fs);
            inode_unlock(*out);
        }
        if (status < 0)
            inode_put(*out);
    }
    if (change && writable_fs)
        log_end();
    return status;
}

static int open_device(const struct inode *inode)
{
    int major = inode->disk.major;
    if (major < 0 || major >= DEV_MAX || !devices[major])
        return -ENODEV;
    return devices[major]->open ? devices[major]->open(inode->disk.minor) : 0;
}

static int open_file(struct file *file, const char *path, int flags)
{
    struct inode *inode;
    int status = open_path(path, flags, &inode);
    if (status < 0)
        return status;
    // An inode in use never changes its type or its device number.
    bool device = inode->disk.type == T_DEVICE;
    if (device && (status = open_device(inode)) < 0) {
        inode_put(inode);
        return status;
    }
    file->kind = device ? FILE_DEVICE : FILE_INODE;
    file->major = inode->disk.major;
    file->minor = inode->disk.minor;
    file->readable = !(flags & O_WRONLY);
    file->writable = flags & (O_WRONLY | O_RDWR);
    file->append = flags & O_APPEND;
    file->inode = inode;
    return 0;
}

long sys_open(const uint64_t args[6])
{
    char path[MAXPATH];
    int status = fetch_path(path, args[0]);
    if (status < 0)
        return status;
    // The descriptor comes first, so that a file is not made and then not opened.
    struct file *file = file_alloc();
    if (!file)
        return -ENFILE;
    int fd = descriptor_alloc(file);
    if (fd < 0) {
        file_close(file);
        return fd;
    }
    status = open_file(file, path, (int)args[1]);
    if (status < 0)
        descriptor_close(fd);
    inode_reap();
    return status < 0 ? status : fd;
}
