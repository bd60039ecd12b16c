// Paths. A walk holds one lock at a time: it locks a directory, finds the next element there and
// takes a reference to it, and only then lets go of the directory.

#include "kernel/fs/fs.h"
#include "kernel/proc/proc.h"

// Copies the first element of a path to name (NAME_SIZE + 1 bytes), cut if it is longer. Returns
// what follows it and its slashes, or NULL if there is no element.
static const char *next_name(const char *path, char *name)
{
    unsigned n = 0;
    while (*path == '/')
        path++;
    if (*path == 0)
        return NULL;
    for (; *path && *path != '/'; path++)
        if (n < NAME_SIZE)
            name[n++] = *path;
    name[n] = 0;
    while (*path == '/')
        path++;
    return path;
}

// The inode that a locked directory knows by this name. A removed directory has nothing but itself:
// what its ".." named may be something else by now.
static int path_step(struct inode *dir, const char *name, struct inode **out)
{
    uint32_t number;
    if (dir->disk.nlink == 0 && strcmp(name, ".") != 0)
        return -ENOENT;
    int status = dir_lookup(dir, name, &number, NULL);
    if (status < 0)
        return status;
    *out = inode_get(number);
    return *out ? 0 : -ENFILE;
}

// Walks to the end of a path, or (`parent`) to the directory that holds its last element.
static int path_walk(const char *path, bool parent, char *name, struct inode **out)
{
    struct inode *cwd = current_proc()->cwd;
    struct inode *inode = *path == '/' || !cwd ? inode_get(ROOT_INODE) : inode_dup(cwd);
    const char *rest = path;
    if (!inode)
        return -ENFILE;
    while ((rest = next_name(rest, name))) {
        struct inode *next = NULL;
        int status = inode_lock(inode);
        if (status == 0) {
            if (inode->disk.type != T_DIR)
                status = -ENOTDIR;
            else if (!parent || *rest)
                status = path_step(inode, name, &next);
            inode_unlock(inode);
        }
        if (status == 0 && !next) {
            *out = inode;
            return 0;
        }
        inode_put(inode);
        if (status < 0)
            return status;
        inode = next;
    }
    if (parent) {
        inode_put(inode);
        return *path ? -EEXIST : -ENOENT;
    }
    *out = inode;
    return 0;
}

int path_lookup(const char *path, struct inode **out)
{
    char name[NAME_SIZE + 1];
    return path_walk(path, false, name, out);
}

int path_lock_parent(const char *path, char *name, struct inode **out)
{
    int status = path_walk(path, true, name, out);
    if (status == 0 && (status = inode_lock(*out)) < 0)
        inode_put(*out);
    return status;
}
