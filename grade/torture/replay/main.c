// replay: tries every state that a crash may leave on a disk whose writes QEMU has recorded.
//
//   replay [OPTIONS] BASE LOG SEED PROCESSES MAX-WRITE SYNC-RATE
//
// BASE is the disk before the guest ran `workload SEED PROCESSES CALLS MAX-WRITE SYNC-RATE` on it
// (user/workload/workload.h). LOG is what blklogwrites recorded during the run. The states are, block by
// block: each prefix of the log; if at most -x blocks were written between two flushes, every
// subset of these blocks; and -n subsets of other stretches, some with torn sectors. (A disk may
// perform its writes in any order, but that gives no other states: of two writes to one block, the
// later one stays.) replay recovers and judges each state (state.h). It prints one line for each
// lost state, and a summary:
//
//   states 8213 lost 0 entries 911 flushes 122 calls 640 refused 0
//
// Options:
//   -n SUBSETS, -x BLOCKS    see above
//   -r SEED                  of the random choices
//   -j JOBS                  processes at the same time
//   -o SERIAL                try only that state
//   -o SERIAL -s FILE        only save that state, unrecovered, to FILE
//   -o SERIAL -i FILE        judge the image in FILE instead of that state
//   -i FILE                  judge FILE as the disk at the log's end; prints no summary
//   -e                       calls may have failed with EIO or EROFS because the disk failed; then
//                            they have done nothing
//
// The exit status is 0 if nothing was lost, 1 if something was, 2 for an invalid command line.

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "grade/torture/replay/state.h"

#define CHILD_SECONDS 300
#define SECTOR 512
#define MAX_JOBS 16
#define SHOWN 8 // how many lost states it describes

static struct {
    unsigned subsets, exhaustive, jobs;
    uint64_t seed;
    int64_t only; // -1: try all states
    bool errors;
    const char *save, *judge;
} option = {.subsets = 1000, .exhaustive = 4, .jobs = 2, .seed = 1, .only = -1};

static struct scene scene;
static uint8_t *disk; // what is durable at the current point of the walk
static size_t disk_bytes;
static uint64_t serial, lost;

// ---- the stretch between two flushes ----

struct unit { // a written block
    uint64_t block;
    const uint8_t *data;
    size_t entry;
};

static struct {
    struct unit *units;
    size_t count, room;
    size_t end; // the entry of the flush that ends the stretch, or the log's end
} stretch;

static void add_unit(struct unit unit)
{
    if (stretch.count == stretch.room) {
        stretch.room = stretch.room ? 2 * stretch.room : 1024;
        stretch.units = realloc(stretch.units, stretch.room * sizeof(unit));
    }
    stretch.units[stretch.count++] = unit;
}

// Takes the entries from `from` up to the next flush. Skips marks, which are outside the file
// system.
static void take_stretch(const struct write_log *log, size_t from)
{
    stretch.count = 0;
    for (stretch.end = from; stretch.end < log->count; stretch.end++) {
        const struct entry *entry = &log->entries[stretch.end];
        if (!entry->data)
            return;
        for (uint64_t i = 0; i < entry->blocks; i++)
            if (entry->block + i < scene.blocks)
                add_unit(
                    (struct unit){entry->block + i, entry->data + i * BLOCK_SIZE, stretch.end});
    }
}

static void apply(const struct unit *unit)
{
    memcpy(disk + unit->block * BLOCK_SIZE, unit->data, BLOCK_SIZE);
}

static void apply_torn(const struct unit *unit, unsigned *seed)
{
    for (unsigned at = 0; at < BLOCK_SIZE; at += SECTOR)
        if (rand_r(seed) % 2)
            memcpy(disk + unit->block * BLOCK_SIZE + at, unit->data + at, SECTOR);
}

// ---- which blocks of the stretch survive ----

enum loss {
    KEEP_ALL,
    KEEP_MASK,
    LOSE_HALF,
    LOSE_FEW,
    LOSE_MANY,
    LOSE_FIRST,
    LOSE_ONE,
    TEAR,
    LOSSES
};

struct choice {
    enum loss loss;
    size_t written; // blocks of the stretch written when the machine stopped
    uint64_t mask;  // for KEEP_MASK
};

static void apply_choice(const struct choice *choice, unsigned *seed)
{
    size_t n = choice->written;
    size_t one = n ? rand_r(seed) % n : 0, first = n ? 1 + rand_r(seed) % n : 0;
    for (size_t i = 0; i < n; i++) {
        const struct unit *unit = &stretch.units[i];
        unsigned dice = rand_r(seed);
        bool keep =
            choice->loss == KEEP_ALL || (choice->loss == KEEP_MASK && choice->mask >> i & 1) ||
            (choice->loss == LOSE_HALF && dice % 2) || (choice->loss == LOSE_FEW && dice % 16) ||
            (choice->loss == LOSE_MANY && dice % 8 == 0) ||
            (choice->loss == LOSE_FIRST && i >= first) || (choice->loss == LOSE_ONE && i != one);
        if (keep)
            apply(unit);
        else if (choice->loss == TEAR && dice % 4)
            apply_torn(unit, seed);
    }
}

// ---- a state, in a separate process ----

static void write_file(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(disk, disk_bytes, 1, file) != 1 || fclose(file))
        fail("%s cannot be written", path);
}

static void read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fread(disk, disk_bytes, 1, file) != 1)
        fail("%s cannot be read", path);
    fclose(file);
}

static void run_state(const struct choice *choice, uint64_t number)
{
    // When the machine stopped, every entry before the next block was complete.
    size_t n = choice->written;
    size_t entry = n < stretch.count ? stretch.units[n].entry : stretch.end;
    unsigned seed = option.seed * 2654435761u + number;
    alarm(CHILD_SECONDS);
    apply_choice(choice, &seed);
    if (option.save)
        return write_file(option.save);
    if (option.judge) {
        read_file(option.judge);
        state_judge(&scene, disk, entry, "on the booted kernel's disk");
        return;
    }
    state_check(&scene, disk, entry, number);
}

static struct job {
    pid_t pid; // 0: this slot is free
    int output;
    uint64_t serial;
    size_t from; // entry where the state's stretch ends
    struct choice choice;
} jobs[MAX_JOBS];

static void describe(const struct job *job)
{
    char text[2000];
    ssize_t n = pread(job->output, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = 0;
    printf("LOST state %lu: %zu blocks written before entry %zu, loss %d\n%s\n", job->serial,
           job->choice.written, job->from, job->choice.loss, text);
    fflush(stdout);
}

static void finish(struct job *job, int status)
{
    if (status != 0 && lost++ < SHOWN)
        describe(job);
    close(job->output);
    job->pid = 0;
}

// Waits for one job to end. Returns whether there was one.
static bool wait_for_one(void)
{
    int status;
    pid_t pid = wait(&status);
    for (unsigned i = 0; pid > 0 && i < option.jobs; i++)
        if (jobs[i].pid == pid)
            finish(&jobs[i], status);
    return pid > 0;
}

static struct job *free_job(void)
{
    for (;;) {
        for (unsigned i = 0; i < option.jobs; i++)
            if (jobs[i].pid == 0)
                return &jobs[i];
        wait_for_one();
    }
}

static void try_state(struct choice choice)
{
    uint64_t number = serial++;
    if (option.only >= 0 && (uint64_t)option.only != number)
        return;
    struct job *job = free_job();
    *job = (struct job){.serial = number, .from = stretch.end, .choice = choice};
    job->output = memfd_create("output", MFD_CLOEXEC);
    job->pid = fork();
    if (job->pid < 0 || job->output < 0)
        fail("cannot start a process for a state");
    if (job->pid == 0) {
        dup2(job->output, 1);
        dup2(job->output, 2);
        run_state(&choice, number);
        fflush(stdout);
        _exit(0);
    }
}

// ---- the walk through the log ----

static void every_prefix(void)
{
    for (size_t n = 0; n <= stretch.count; n++)
        try_state((struct choice){.loss = KEEP_ALL, .written = n});
}

static void every_subset(void)
{
    if (stretch.count == 0 || stretch.count > option.exhaustive)
        return;
    // The full set is also a prefix, tried already.
    for (uint64_t mask = 0; mask < (1ull << stretch.count) - 1; mask++)
        try_state((struct choice){.loss = KEEP_MASK, .written = stretch.count, .mask = mask});
}

static void some_subsets(unsigned n, unsigned *seed)
{
    for (unsigned i = 0; i < n; i++) {
        struct choice choice = {.loss = LOSE_HALF + rand_r(seed) % (LOSSES - LOSE_HALF)};
        // Right before the flush, a crash can lose the most.
        choice.written = rand_r(seed) % 2 ? stretch.count : rand_r(seed) % (stretch.count + 1);
        try_state(choice);
    }
}

static size_t walk(const struct write_log *log, size_t flushes)
{
    unsigned seed = option.seed;
    size_t seen = 0, done = 0;
    for (size_t at = 0; at <= log->count; at = stretch.end + 1) {
        take_stretch(log, at);
        every_prefix();
        every_subset();
        // Spreads the subsets evenly over the stretches.
        size_t due = (uint64_t)option.subsets * ++seen / (flushes + 1);
        some_subsets(due - done, &seed);
        done = due;
        for (size_t i = 0; i < stretch.count; i++)
            apply(&stretch.units[i]);
    }
    while (wait_for_one())
        ;
    return seen;
}

// ---- setting up ----

static void open_base(const char *path)
{
    struct image image;
    const char *error = image_open(&image, path);
    if (error)
        fail("%s: %s", path, error);
    disk = image.data;
    disk_bytes = image.blocks * BLOCK_SIZE;
    scene.blocks = image.super.size;
    scene.rest = rest_hash(&image);
}

static void usage(void)
{
    fprintf(stderr, "usage: replay [OPTIONS] BASE LOG SEED PROCESSES MAX-WRITE SYNC-RATE; "
                    "see the head of main.c\n");
    exit(2);
}

static char **parse(int argc, char **argv)
{
    int letter;
    while ((letter = getopt(argc, argv, "n:x:r:j:o:s:i:e")) != -1) {
        switch (letter) {
        case 'n':
            option.subsets = strtoul(optarg, NULL, 0);
            break;
        case 'x':
            option.exhaustive = strtoul(optarg, NULL, 0);
            break;
        case 'r':
            option.seed = strtoull(optarg, NULL, 0);
            break;
        case 'j':
            option.jobs = strtoul(optarg, NULL, 0);
            break;
        case 'o':
            option.only = strtoll(optarg, NULL, 0);
            break;
        case 's':
            option.save = optarg;
            break;
        case 'i':
            option.judge = optarg;
            break;
        case 'e':
            option.errors = true;
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 6 || option.jobs == 0 || option.jobs > MAX_JOBS || option.exhaustive > 20)
        usage();
    return argv + optind;
}

int main(int argc, char **argv)
{
    char **word = parse(argc, argv);
    struct write_log log;
    struct history history;
    open_base(word[0]);
    log_open(&log, word[1]);
    history_make(&history, &log, scene.blocks, strtoull(word[2], NULL, 0),
                 strtoul(word[3], NULL, 0), strtoul(word[4], NULL, 0), strtoul(word[5], NULL, 0),
                 option.errors);
    scene.history = &history;
    if (option.judge && option.only < 0) {
        read_file(option.judge);
        state_judge(&scene, disk, log.count, "on this disk");
        return 0;
    }
    state_init();

    size_t flushes = 0, calls = 0;
    for (size_t i = 0; i < log.count; i++)
        flushes += !log.entries[i].data;
    for (unsigned p = 0; p < history.processes; p++)
        calls += history.process[p].count;
    walk(&log, flushes);
    printf("states %lu lost %lu entries %zu flushes %zu calls %zu refused %u\n", serial, lost,
           log.count, flushes, calls, history.refused);
    return lost > 0;
}
