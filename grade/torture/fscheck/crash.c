// Crashes. One process runs a workload. Meanwhile the RAM disk records every write and flush, and
// the process records after each system call what the whole tree looks like. Then, for many
// moments, this test builds the disk that a power failure at that moment may leave: everything
// flushed, and any part of the writes since then. It mounts that disk. The tree must be the one
// after some system call: everything durable must be there, and no call may be there by half.

#include <sys/mman.h>

#include "fscheck.h"

#define OPERATIONS 600
#define ROUNDS 6
#define SECTOR 512

// What the crash does to the writes since the last flush.
enum loss { LOST_NOTHING, LOST_ALL, LOST_HALF, LOST_SECTORS, LOST_FEW, LOST_FIRST, LOSS_KINDS };

// Shared between the processes.
static struct shared {
    uint64_t hash[OPERATIONS + 1]; // hash of the tree after each operation
    uint64_t done;                 // operations so far
    uint64_t low, high;            // this trial: allowed range of the last operation
    uint64_t found;                // hash of the tree in this trial
    bool ask_fsck;
} * shared;

static void run_workload(void *unused)
{
    (void)unused;
    mount_image();
    workload_start();
    shared->hash[0] = tree_hash();
    for (unsigned i = 1; i <= OPERATIONS; i++) {
        bool durable = workload_step();
        shared->hash[i] = tree_hash();
        shared->done = i;
        record_event(EVENT_OPERATION, i, NULL);
        if (durable)
            record_event(EVENT_SYNCED, i, NULL);
    }
    if (random_below(2)) {
        EXPECT(log_shutdown(), 0);
        record_event(EVENT_SYNCED, OPERATIONS, NULL);
    }
}

// ---- the disk after a crash ----

static void apply(struct record *record, const struct event *event, bool torn)
{
    const char *from = record_data(record, event);
    char *to = image + event->value * BLOCK_SIZE;
    for (unsigned at = 0; at < BLOCK_SIZE; at += SECTOR)
        if (!torn || random_below(2))
            memcpy(to + at, from + at, SECTOR);
}

static void apply_unflushed(struct record *record, const struct event *event, enum loss loss,
                            unsigned *skip)
{
    if (loss == LOST_FIRST && *skip > 0)
        --*skip;
    else if (loss == LOST_NOTHING || loss == LOST_FIRST || (loss == LOST_HALF && random_below(2)) ||
             (loss == LOST_FEW && random_below(16)))
        apply(record, event, false);
    else if (loss == LOST_SECTORS && random_below(4))
        apply(record, event, true);
}

// Builds the image that a crash before event `moment` leaves.
static void crash_at(struct record *record, const char *before, uint64_t moment, enum loss loss)
{
    uint64_t flushed = 0;
    unsigned skip = 1 + random_below(6);
    memcpy(image, before, image_bytes);
    for (uint64_t i = 0; i < moment; i++)
        if (record->event[i].kind == EVENT_FLUSH)
            flushed = i;
    for (uint64_t i = 0; i < moment; i++) {
        const struct event *event = &record->event[i];
        if (event->kind != EVENT_WRITE)
            continue;
        if (i < flushed)
            apply(record, event, false);
        else
            apply_unflushed(record, event, loss, &skip);
    }
}

// Sets which operations' trees are allowed after the crash.
static void set_bounds(const struct record *record, uint64_t moment)
{
    shared->low = shared->high = 0;
    for (uint64_t i = 0; i < moment; i++) {
        if (record->event[i].kind == EVENT_SYNCED)
            shared->low = record->event[i].value;
        if (record->event[i].kind == EVENT_OPERATION)
            shared->high = record->event[i].value;
    }
    // The operation in progress may have been committed.
    shared->high = min_u64(shared->high + 1, shared->done);
}

// ---- mounting it ----

static void check_no_orphans(void)
{
    const struct disk_inode *inodes =
        (const void *)(image + (uint64_t)fs.super.inode_start * BLOCK_SIZE);
    for (uint32_t i = 1; i < fs.super.inodes; i++)
        CHECK(inodes[i].type == 0 || inodes[i].nlink > 0);
}

static void mount_and_compare(void *unused)
{
    (void)unused;
    mount_image();
    uint64_t hash = tree_hash(), operation = shared->low;
    while (operation <= shared->high && shared->hash[operation] != hash)
        operation++;
    if (operation > shared->high)
        panic("the tree is that after none of the operations %lu to %lu", shared->low,
              shared->high);
    shared->found = hash;
    EXPECT(log_shutdown(), 0);
    check_no_orphans();
    if (shared->ask_fsck)
        check_image("after recovery");
}

// Mounts the image in a child, which crashes several times more while it recovers. The result must
// stay the same.
static bool mount_and_crash_again(void)
{
    char *crashed = copy_image();
    struct record *record = ram_disk_record = record_new(20000, 64 << 20);
    bool good = in_child(mount_and_compare, NULL);
    uint64_t found = shared->found;
    ram_disk_record = NULL;
    for (int i = 0; good && i < 3; i++) {
        crash_at(record, crashed, random_below(record->events + 1), random_below(LOSS_KINDS));
        good = in_child(mount_and_compare, NULL) && shared->found == found;
    }
    record_free(record);
    free(crashed);
    return good;
}

static uint64_t random_moment(const struct record *record)
{
    uint64_t moment = random_below(record->events + 1);
    // Often the last moment before a flush, when a crash can lose the most.
    if (random_below(2))
        while (moment < record->events && record->event[moment].kind != EVENT_FLUSH)
            moment++;
    return moment;
}

static bool trials(struct record *record, const char *before, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t moment = random_moment(record);
        enum loss loss = random_below(LOSS_KINDS);
        crash_at(record, before, moment, loss);
        set_bounds(record, moment);
        shared->ask_fsck = i % 4 == 0;
        if (shared->ask_fsck)
            check_image("after the crash");
        bool good = i % 3 == 0 ? mount_and_crash_again() : in_child(mount_and_compare, NULL);
        if (!good) {
            fprintf(stderr, "crash %u, before event %lu, loss %d\n", i, moment, loss);
            return false;
        }
    }
    return true;
}

static bool crash_round(unsigned round_seed, unsigned count)
{
    char *before = copy_image();
    seed = round_seed;
    workload_max_write = (const int[]){300, 9000, 40000}[round_seed % 3];
    workload_sync_rate = 1 + round_seed % 2;
    struct record *record = ram_disk_record = record_new(100000, 200 << 20);
    bool good = in_child(run_workload, NULL);
    ram_disk_record = NULL;
    good = good && trials(record, before, count);
    if (!good)
        fprintf(stderr, "in the round with seed %u\n", round_seed);
    // The next round begins with a crashed disk and everything in its log.
    crash_at(record, before, random_below(record->events + 1), random_below(LOSS_KINDS));
    record_free(record);
    free(before);
    return good;
}

static void share_results(void)
{
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

bool test_crash(unsigned first_seed, unsigned count)
{
    share_results();
    for (unsigned round = 0; round < ROUNDS; round++)
        if (!crash_round(first_seed * ROUNDS + round, count / ROUNDS))
            return false;
    return true;
}

// ---- old transactions ----

// Each "life" of the machine makes commits of the same size, so that their places in the log match,
// and then loses power. If the kernel took an old commit for a new one, an older value would come
// back.
static const int commits[] = {9, 6, 3, 30, 7, 5, 1, 1, 8};

static void live_once(void *argument)
{
    int life = *(int *)argument, value[2];
    mount_image();
    long fd = k_open("/f", O_CREATE | O_RDWR);
    CHECK(fd >= 0);
    if (life > 0) {
        EXPECT(k_read(fd, value, sizeof(value)), sizeof(value));
        EXPECT(value[0], life - 1);
        EXPECT(value[1], commits[life - 1] - 1);
    }
    value[0] = life;
    for (value[1] = 0; value[1] < commits[life]; value[1]++) {
        EXPECT(k_seek(fd, 0), 0);
        EXPECT(k_write(fd, value, sizeof(value)), sizeof(value));
        EXPECT(k_fsync(fd), 0);
    }
}

bool test_stale(unsigned first_seed, unsigned count)
{
    (void)first_seed, (void)count;
    for (int life = 0; life < (int)ARRAY_SIZE(commits); life++)
        if (!in_child(live_once, &life))
            return false;
    return true;
}
