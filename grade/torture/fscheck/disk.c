// A RAM disk. It serves a read or a flush at once. It serves a write only when somebody waits for
// that or another request: a flush sent before a write is complete does not cover it (VirtIO 1.2,
// 5.2.6.2). If ram_disk_async is set, a separate thread serves all requests in any order instead.

#include "shim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_QUEUED 65536
#define FLUSH_MICROSECONDS 100 // long enough for other threads to run

struct record *ram_disk_record;
bool ram_disk_async;
int (*ram_disk_fail)(enum block_op op, uint64_t block);

static char *disk_memory;
static struct spinlock disk_lock = SPINLOCK("ram disk");
static struct wait_queue finished, work;
static struct block_request *queue[MAX_QUEUED];
static unsigned queued;
static struct block_request *unserved; // writes, newest first

// ---- the record ----

static size_t record_size(uint64_t max_events, uint64_t max_bytes)
{
    return sizeof(struct record) + max_events * sizeof(struct event) + max_bytes;
}

struct record *record_new(uint64_t max_events, uint64_t max_bytes)
{
    struct record *record = mmap(NULL, record_size(max_events, max_bytes), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    record->max_events = max_events;
    record->max_bytes = max_bytes;
    return record;
}

void record_free(struct record *record)
{
    munmap(record, record_size(record->max_events, record->max_bytes));
}

void *record_data(struct record *record, const struct event *event)
{
    return (char *)&record->event[record->max_events] + event->data;
}

void record_event(enum event_kind kind, uint64_t value, const void *data)
{
    struct record *record = ram_disk_record;
    if (!record)
        return;
    if (record->events == record->max_events || record->bytes + BLOCK_SIZE > record->max_bytes)
        panic("the record is full");
    struct event *event = &record->event[record->events++];
    *event = (struct event){.kind = kind, .value = value, .data = record->bytes};
    if (data) {
        memcpy(record_data(record, event), data, BLOCK_SIZE);
        record->bytes += BLOCK_SIZE;
    }
}

// ---- serving ----

static void transfer(enum block_op op, uint64_t block, const struct block_segment *segment)
{
    if (block >= ram_disk.blocks || segment->length != BLOCK_SIZE)
        panic("request for block %lu, %u bytes", (unsigned long)block, segment->length);
    char *at = disk_memory + block * BLOCK_SIZE;
    if (op == BLOCK_READ) {
        memcpy(segment->memory, at, BLOCK_SIZE);
    } else {
        memcpy(at, segment->memory, BLOCK_SIZE);
        record_event(EVENT_WRITE, block, at);
    }
}

static int serve(const struct block_request *request)
{
    int error = ram_disk_fail ? ram_disk_fail(request->op, request->block) : 0;
    if (error)
        return error;
    if (request->op == BLOCK_FLUSH) {
        record_event(EVENT_FLUSH, 0, NULL);
        if (ram_disk_async)
            usleep(FLUSH_MICROSECONDS);
        return 0;
    }
    if (request->op == BLOCK_WRITE && ram_disk.read_only)
        return -EROFS;
    if (request->count == 0 || request->count > ram_disk.max_segments)
        panic("request of %u segments", request->count);
    for (unsigned i = 0; i < request->count; i++)
        transfer(request->op, request->block + i, &request->segments[i]);
    return 0;
}

static void finish(struct block_request *request)
{
    int status = serve(request);
    void (*done)(struct block_request *) = request->done;
    spin_lock(&disk_lock);
    request->status = status; // from here on the request belongs to its owner again
    if (!done)
        wake_all(&finished);
    spin_unlock(&disk_lock);
    if (done)
        done(request);
}

static void *disk_thread(void *unused)
{
    unsigned seed = 1;
    for (;;) {
        spin_lock(&disk_lock);
        while (queued == 0)
            sleep_on(&work, &disk_lock);
        unsigned i = rand_r(&seed) % queued;
        struct block_request *request = queue[i];
        queue[i] = queue[--queued];
        spin_unlock(&disk_lock);
        finish(request);
    }
    return unused;
}

static void enqueue(struct block_request *request)
{
    spin_lock(&disk_lock);
    if (queued == MAX_QUEUED)
        panic("the disk's queue is full");
    queue[queued++] = request;
    wake_all(&work);
    spin_unlock(&disk_lock);
}

static void disk_submit(struct block_device *device, struct block_request *chain)
{
    (void)device;
    for (struct block_request *next; chain; chain = next) {
        next = chain->next;
        chain->status = BLOCK_PENDING;
        if (ram_disk_async) {
            enqueue(chain);
        } else if (chain->op == BLOCK_WRITE) {
            chain->next = unserved;
            unserved = chain;
        } else {
            finish(chain);
        }
    }
}

static int disk_wait(struct block_device *device, struct block_request *request)
{
    (void)device;
    while (unserved) {
        struct block_request *write = unserved;
        unserved = write->next;
        finish(write);
    }
    spin_lock(&disk_lock);
    while (request->status == BLOCK_PENDING)
        sleep_on(&finished, &disk_lock);
    spin_unlock(&disk_lock);
    return request->status;
}

struct block_device ram_disk = {.name = "disk",
                                .max_segments = 30,
                                .persistent = true,
                                .submit = disk_submit,
                                .wait = disk_wait};

int block_do(struct block_device *device, struct block_request *request)
{
    request->done = NULL;
    request->next = NULL;
    block_submit(device, request);
    return block_wait(device, request);
}

void ram_disk_init(char *memory, uint64_t bytes)
{
    disk_memory = memory;
    ram_disk.blocks = bytes / BLOCK_SIZE;
    pthread_t thread;
    if (ram_disk_async && pthread_create(&thread, NULL, disk_thread, NULL))
        panic("cannot start the disk's thread");
}
