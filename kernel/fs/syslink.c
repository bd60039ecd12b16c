// The system calls on names: link, unlink, chdir. Each change is one log operation.

#include "kernel/fs/fs.h"
#include "kernel/fs/sysfile.h"

// Gives `inode`, which is not a directory, one more name in a locked directory.
static int link_in(struct inode *dir, const char *name, struct inode *inode)
{
    uint32_t number;
    if (dir->disk.nlink == 0)
        return -ENOENT;
    int status = dir_lookup(dir, name, &number, NULL);
    if (status != -ENOENT)
        return status == 0 ? -EEXIST : status;
    if ((status = inode_lock(inode)) < 0)
        return status;
    if (inode->disk.nlink == 0)
        status = -ENOENT;
    else if (inode->disk.nlink == INT16_MAX)
        status = -EMLINK;
    else
        status = dir_add(dir, name, inode->lru.number);
    if (status == 0) {
        inode->disk.nlink++;
        status = inode_update(inode);
    }
    inode_unlock(inode);
    return status;
}

static int link_path(struct inode *inode, const char *path)
{
    char name[NAME_SIZE + 1];
    struct inode *dir;
    int status = inode_lock(inode);
    if (status < 0)
        return status;
    bool is_dir = inode->disk.type == T_DIR;
    inode_unlock(inode);
    if (is_dir)
        return -EPERM;
    if ((status = path_lock_parent(path, name, &dir)) < 0)
        return status;
    status = link_in(dir, name, inode);
    inode_unlock_put(dir);
    return status;
}

long sys_link(const uint64_t args[6])
{
    char from[MAXPATH], to[MAXPATH];
    struct inode *inode;
    int status = fetch_path(from, args[0]);
    if (status < 0 || (status = fetch_path(to, args[1])) < 0 || (status = log_begin(LINK_COST)) < 0)
        return status;
    status = path_lookup(from, &inode);
    if (status == 0) {
        status = link_path(inode, to);
        inode_put(inode);
    }
    log_end();
    inode_reap();
    return status;
}

// Takes the entry at `offset` away from a locked directory; both inodes locked.
static int unlink_entry(struct inode *dir, uint64_t offset, struct inode *inode)
{
    bool is_dir = inode->disk.type == T_DIR;
    if (inode->disk.nlink < 1)
        return -EIO;
    int empty = is_dir ? dir_empty(inode) : 1;
    if (empty <= 0)
        return empty < 0 ? empty : -ENOTEMPTY;
    int status = dir_remove(dir, offset);
    if (status < 0)
        return status;
    inode->disk.nlink--;
    status = inode_update(inode);
    if (is_dir && dir->disk.nlink > 0) {
        dir->disk.nlink--; // its ".." is gone
        int updated = inode_update(dir);
        status = updated < 0 ? updated : status;
    }
    return status;
}

static int unlink_in(struct inode *dir, const char *name)
{
    uint32_t number;
    uint64_t offset;
    if (name_is_dot(name))
        return -EINVAL;
    int status = dir_lookup(dir, name, &number, &offset);
    if (status < 0)
        return status;
    if (number == ROOT_INODE)
        return -EIO; // only a corrupt disk names it so
    struct inode *inode = inode_get(number);
    if (!inode)
        return -ENFILE;
    if ((status = inode_lock(inode)) == 0) {
        status = unlink_entry(dir, offset, inode);
        inode_unlock(inode);
    }
    inode_put(inode);
    return status;
}

long sys_unlink(const uint64_t args[6])
{
    char path[MAXPATH], name[NAME_SIZE + 1];
    struct inode *dir;
    int status = fetch_path(path, args[0]);
    if (status < 0 || (status = log_begin(UNLINK_COST)) < 0)
        return status;
    if ((status = path_lock_parent(path, name, &dir)) == 0) {
        status = unlink_in(dir, name);
        inode_unlock_put(dir);
    }
    log_end();
    inode_reap();
    return status;
}

long sys_chdir(const uint64_t args[6])
{
    char path[MAXPATH];
    struct inode *inode;
    int status = fetch_path(path, args[0]);
    if (status < 0 || (status = path_lookup(path, &inode)) < 0)
        return status;
    if ((status = inode_lock(inode)) == 0) {
        status = inode->disk.type == T_DIR ? 0 : -ENOTDIR;
        inode_unlock(inode);
    }
    struct inode *unused = inode;
    if (status == 0) {
        unused = current_proc()->cwd;
        current_proc()->cwd = inode;
    }
    inode_put_outside(unused);
    return status;
}
