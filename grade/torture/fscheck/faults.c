// Devices that fail and images that are corrupt: system calls may fail, but the kernel must not.

#include "fscheck.h"

#define STEPS 1500

// Makes files on the disk. The cache of the next "machine" is empty.
static void make_tree(void *argument)
{
    seed = *(unsigned *)argument;
    mount_image();
    workload_start();
    for (int i = 0; i < 400; i++)
        workload_step();
    EXPECT(log_shutdown(), 0);
}

// ---- errors ----

static unsigned error_rate, error_operations, error_seed;

static int fail_sometimes(enum block_op op, uint64_t block)
{
    (void)block;
    if (!(error_operations >> op & 1))
        return 0;
    return rand_r(&error_seed) % error_rate == 0 ? -EIO : 0;
}

static void run_with_errors(void *argument)
{
    seed = error_seed = *(unsigned *)argument;
    mount_image();
    workload_start();
    error_rate = 1 + random_below(60);
    error_operations = 1 + random_below(7); // one bit for each enum block_op
    ram_disk_fail = fail_sometimes;
    if (random_below(3) == 0)
        memory_fail_one_in(20);
    for (int i = 0; i < STEPS; i++)
        workload_step();
    // Whatever failed: while no call is in progress, only the log may hold buffers.
    memory_fail_one_in(0);
    log_shutdown();
    unsigned held = buf_total() - buf_idle();
    if (held != log_pinned())
        panic("%u buffers are held, but the log holds only %u", held, log_pinned());
}

// Power off and on again, with a device that works.
static void mount_and_check(void *unused)
{
    (void)unused;
    mount_image();
    tree_hash();
    shut_down("after errors of the device");
}

bool test_errors(unsigned first_seed, unsigned count)
{
    char *before = copy_image();
    blocks_may_be_lost = true; // if a table is unreadable when its file is removed (map.c)
    for (unsigned s = first_seed; s < first_seed + count; s++) {
        memcpy(image, before, image_bytes);
        if (!in_child(make_tree, &s) || !in_child(run_with_errors, &s) ||
            !in_child(mount_and_check, NULL)) {
            fprintf(stderr, "with seed %u\n", s);
            return false;
        }
    }
    return true;
}

// ---- corrupt ----

// Changes one 32-bit word, most often in an important place: inodes, tables or directories. `good`
// is the original super block.
static void corrupt_word(const struct super_block *good)
{
    struct super_block *super = (void *)(image + SUPER_BLOCK * BLOCK_SIZE);
    uint64_t block = random_below(4) == 0   ? random_below(good->data_start)
                     : random_below(2) == 0 ? good->inode_start + random_below(3)
                                            : good->data_start + random_below(60);
    if (block == SUPER_BLOCK && random_below(30))
        return;
    uint32_t *words = (uint32_t *)(image + block * BLOCK_SIZE);
    words[random_below(random_below(2) ? POINTERS_PER_BLOCK : 64)] =
        random_below(3) == 0   ? (uint32_t)rand_r(&seed)
        : random_below(2) == 0 ? good->data_start + random_below(100)
                               : random_below(64);
    if (random_below(50) == 0)
        super->checksum = fs_checksum(0, super, offsetof(struct super_block, checksum));
}

static void run_corrupt(void *argument)
{
    seed = *(unsigned *)argument;
    struct super_block good;
    memcpy(&good, image + SUPER_BLOCK * BLOCK_SIZE, sizeof(good));
    for (unsigned n = 1 + random_below(40); n > 0; n--)
        corrupt_word(&good);
    become_process();
    ram_disk_init(image, image_bytes);
    if (fs_mount(&ram_disk) < 0 || !(current_proc()->cwd = inode_get(ROOT_INODE)))
        return;
    workload_start();
    for (int i = 0; i < STEPS; i++)
        workload_step();
    log_shutdown();
}

bool test_corrupt(unsigned first_seed, unsigned count)
{
    if (!in_child(make_tree, &first_seed))
        return false;
    char *before = copy_image();
    for (unsigned s = first_seed; s < first_seed + count; s++) {
        memcpy(image, before, image_bytes);
        if (!in_child(run_corrupt, &s)) {
            fprintf(stderr, "with seed %u\n", s);
            return false;
        }
    }
    return true;
}
