// What replaces the rest of the kernel under the file system: threads that play processes, memory
// that can run out, and a RAM disk that keeps a record and can fail.

#ifndef FSCHECK_SHIM_H
#define FSCHECK_SHIM_H

#include "kernel/fs/block.h"
#include "kernel/proc/proc.h"

// ---- locks.c ----

void become_process(void); // gives the calling thread a struct proc

// ---- memory.c ----

void memory_init(uint64_t pages);
void memory_fail_one_in(unsigned n); // page_alloc() fails every n-th time; 0: never

// ---- disk.c ----

// What has reached the disk, in order. It is in shared memory, so that a parent process can read
// what its child did before the "crash".
enum event_kind { EVENT_WRITE, EVENT_FLUSH, EVENT_OPERATION, EVENT_SYNCED };

struct event {
    enum event_kind kind;
    uint64_t value; // block number of a write; number of an operation
    uint64_t data;  // offset of a write's contents, counted from the end of `event`
};

struct record {
    uint64_t events, bytes; // used so far
    uint64_t max_events, max_bytes;
    struct event event[];
};

struct record *record_new(uint64_t max_events, uint64_t max_bytes);
void record_free(struct record *record);
void *record_data(struct record *record, const struct event *event);
// Adds an event to ram_disk_record, if there is one.
void record_event(enum event_kind kind, uint64_t value, const void *data);

extern struct block_device ram_disk;
extern struct record *ram_disk_record; // NULL: keep no record
extern bool ram_disk_async;            // a thread completes requests, in any order
extern int (*ram_disk_fail)(enum block_op op, uint64_t block); // an error or 0

void ram_disk_init(char *memory, uint64_t bytes);

#endif
