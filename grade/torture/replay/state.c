// One state of the disk after a crash: the kernel's own code recovers it, then it is checked. It
// runs in a separate process, where the kernel's variables are fresh, and whose exit status is the
// verdict.

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "grade/torture/replay/state.h"
#include "kernel/fs/fs.h"
#include "mkfs/check.h"
#include "shim.h"

#define RECOVERY_EVENTS 20000 // of one recovery, at most
#define RECOVERY_BYTES (64ul << 20)
#define SECOND_CRASHES 3
#define MEMORY_PAGES 2048 // memory of the recovering kernel

void fail(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
    _exit(1);
}

void state_init(void)
{
    memory_init(MEMORY_PAGES);
}

// ---- checking ----

static unsigned problems;

static void problem(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    printf("fsck: ");
    vprintf(format, ap);
    printf("\n");
    va_end(ap);
    problems++;
}

static void no_note(const char *format, ...)
{
    (void)format;
}

unsigned state_judge(const struct scene *scene, uint8_t *data, size_t entry, const char *when)
{
    unsigned transactions = 0;
    struct check check = {.problem = problem, .note = no_note};
    check.image = (struct image){.data = data, .blocks = scene->blocks};
    memcpy(&check.image.super, data + SUPER_BLOCK * BLOCK_SIZE, sizeof(check.image.super));
    if (image_check_super(&check.image, problem)) {
        transactions = image_replay(&check.image, problem);
        check_all(&check);
    }
    if (problems)
        fail("fsck finds problems %s", when);
    judge(scene->history, &check.image, entry, scene->rest);
    check_free(&check);
    return transactions;
}

static void recover(const struct scene *scene, uint8_t *data)
{
    become_process();
    ram_disk_init((char *)data, scene->blocks * BLOCK_SIZE);
    int status = fs_mount(&ram_disk);
    if (status < 0)
        fail("the kernel cannot mount it: error %d", -status);
    status = log_shutdown();
    if (status < 0)
        fail("the kernel cannot shut it down: error %d", -status);
}

static void recover_and_judge(const struct scene *scene, uint8_t *data, size_t entry,
                              const char *when)
{
    recover(scene, data);
    if (state_judge(scene, data, entry, when) > 0)
        fail("the log holds transactions after recovery and a shutdown");
}

// ---- a second crash, during recovery ----

// Builds the disk that a crash before event `moment` of the recovery leaves.
static void crash_recovery(struct record *record, uint8_t *data, uint64_t moment, unsigned *seed)
{
    uint64_t flushed = 0;
    for (uint64_t i = 0; i < moment; i++)
        if (record->event[i].kind == EVENT_FLUSH)
            flushed = i;
    for (uint64_t i = 0; i < moment; i++) {
        const struct event *event = &record->event[i];
        if (event->kind == EVENT_WRITE && (i < flushed || rand_r(seed) % 2))
            memcpy(data + event->value * BLOCK_SIZE, record_data(record, event), BLOCK_SIZE);
    }
}

static void wait_for(pid_t pid)
{
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        fail("after a crash during recovery");
}

static void crash_again(const struct scene *scene, uint8_t *data, size_t entry, unsigned seed)
{
    struct record *record = record_new(RECOVERY_EVENTS, RECOVERY_BYTES);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        ram_disk_record = record;
        recover(scene, data);
        _exit(0);
    }
    wait_for(pid);
    for (int i = 0; i < SECOND_CRASHES; i++) {
        uint64_t moment = rand_r(&seed) % (record->events + 1);
        pid = fork();
        if (pid == 0) {
            crash_recovery(record, data, moment, &seed);
            recover_and_judge(scene, data, entry, "after a crash during recovery");
            _exit(0);
        }
        wait_for(pid);
    }
    record_free(record);
}

void state_check(const struct scene *scene, uint8_t *data, size_t entry, uint64_t serial)
{
    // Sometimes the host's tools read the log too: they must agree with the kernel.
    if (serial % 4 == 0) {
        uint8_t *copy = malloc(scene->blocks * BLOCK_SIZE);
        memcpy(copy, data, scene->blocks * BLOCK_SIZE);
        state_judge(scene, copy, entry, "before recovery");
        free(copy);
    }
    if (serial % 8 == 0)
        crash_again(scene, data, entry, serial);
    recover_and_judge(scene, data, entry, "after recovery");
}
