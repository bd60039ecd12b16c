// Many processes at once: each follows a model in its own directory, and all of them fight over the
// names in one shared directory. Also for the thread sanitizer.

#include "fscheck.h"

#define PROCESSES 6
#define SHARED_NAMES 6

static unsigned steps, first;

// Works in a directory that other processes may be removing.
static void visit(const char *directory)
{
    if (k_chdir(directory) < 0)
        return;
    long fd = k_open("x", O_CREATE | O_RDWR);
    if (fd >= 0)
        k_close(fd);
    k_unlink("x");
    k_unlink("../s1");
    k_chdir(random_below(2) ? ".." : "/");
    EXPECT(k_chdir("/"), 0);
}

static void use_file(const char *path, int flags)
{
    char buffer[9000] = {0};
    long fd = k_open(path, flags);
    if (fd < 0)
        return;
    if (flags & O_CREATE)
        k_write(fd, buffer, random_below(sizeof(buffer)));
    else
        k_read(fd, buffer, sizeof(buffer));
    k_close(fd);
}

static void quarrel(void)
{
    char a[40], b[40];
    sprintf(a, "/shared/s%u", random_below(SHARED_NAMES));
    sprintf(b, "/shared/s%u", random_below(SHARED_NAMES));
    switch (random_below(6)) {
    case 0:
        use_file(a, O_CREATE | O_RDWR);
        break;
    case 1:
        use_file(a, O_RDONLY);
        break;
    case 2:
        k_unlink(a);
        break;
    case 3:
        k_link(a, b);
        break;
    case 4:
        k_mkdir(a);
        break;
    case 5:
        visit(a);
        break;
    }
}

static void *process(void *argument)
{
    unsigned id = (unsigned)(uintptr_t)argument;
    char directory[32];
    become_process();
    current_proc()->cwd = inode_get(ROOT_INODE);
    seed = first * 100 + id;
    sprintf(directory, "/t%u", id);
    EXPECT(k_mkdir(directory), 0);
    sprintf(directory, "/t%u/", id);
    model_start(directory);
    for (unsigned i = 0; i < steps; i++) {
        if (random_below(3))
            model_step();
        else
            quarrel();
    }
    model_finish();
    EXPECT(k_unlink(directory), 0);
    inode_put(current_proc()->cwd);
    return NULL;
}

static void *committer(void *unused)
{
    become_process();
    timebase /= 100; // commits come every 10 ms
    log_thread();
    return unused;
}

bool test_stress(unsigned first_seed, unsigned count)
{
    pthread_t thread[PROCESSES], log;
    ram_disk_async = true;
    mount_image();
    uint32_t blocks = fs_free_blocks(), inodes = fs_free_inodes();
    first = first_seed;
    steps = count;
    EXPECT(k_mkdir("/shared"), 0);
    CHECK(pthread_create(&log, NULL, committer, NULL) == 0);
    for (uintptr_t i = 0; i < PROCESSES; i++)
        CHECK(pthread_create(&thread[i], NULL, process, (void *)i) == 0);
    for (unsigned i = 0; i < PROCESSES; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < SHARED_NAMES; i++) {
        char path[40];
        sprintf(path, "/shared/s%u", i);
        k_unlink(path);
    }
    EXPECT(k_unlink("/shared"), 0);
    EXPECT(fs_free_blocks(), blocks);
    EXPECT(fs_free_inodes(), inodes);
    EXPECT(file_count(), 0);
    EXPECT(inode_count(), 1);
    shut_down("after the processes");
    return true;
}
