// Shared by the parts of replay: the write log, the calls that processes made, what these should
// leave, and what an image holds.

#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mkfs/image.h"
#include "user/workload/workload.h"

void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

// ---- log.c: the record of QEMU's blklogwrites ----

// A completed write of whole blocks, or (if data is NULL) a completed flush.
struct entry {
    uint64_t block, blocks;
    const uint8_t *data;
};

struct write_log {
    struct entry *entries; // in order of completion
    size_t count;
};

void log_open(struct write_log *log, const char *path);

// ---- calls.c: what the processes did, and what this should leave ----

// A call of a process. It had returned when the log had `returned` entries; the last of these is
// the call's mark. Call 0 stands for the time before the first call, and returned before all
// others.
struct done {
    struct call call;
    int64_t result;
    size_t returned;
    uint64_t tree; // hash of the process's directory after this call
    unsigned kept; // how many of the process's calls are durable once this one has returned
};

struct process {
    struct done *done; // done[0 ... count]
    unsigned count;
};

struct history {
    struct process process[WORKLOAD_PROCESSES];
    unsigned processes;
    unsigned refused; // calls that failed because the disk was full or (`errors`) failed
};

// Reads the marks from the log, repeats every call in a model, and compares each result with the
// mark's. `first_mark` is the block of the first process's mark. `errors`: calls may have failed
// because the disk failed.
void history_make(struct history *history, const struct write_log *log, uint64_t first_mark,
                  uint64_t seed, unsigned processes, uint32_t max_write, uint32_t sync_rate,
                  bool errors);
// How many of the process's calls had returned by this entry of the log.
unsigned history_returned(const struct process *process, size_t entry);

// ---- tree.c: hashes ----

// A process's directory, from the model or from an image.
struct tree_file {
    bool exists;
    uint8_t
        first; // the lowest number of a place that names the same file: directory * NAMES + name
    uint16_t links;
    uint64_t contents; // hash
};

struct tree {
    bool exists, directory[WORKLOAD_DIRECTORIES];
    struct tree_file file[WORKLOAD_DIRECTORIES + 1][WORKLOAD_NAMES];
};

uint64_t tree_hash(const struct tree *tree);
// Hash of `size` bytes of contents. They may come in pieces, all except the last a multiple of 8
// bytes.
uint64_t hash_start(uint64_t size);
uint64_t hash_more(uint64_t hash, const void *data, size_t bytes);
// Reads a process's directory from an image whose log has been applied. Calls fail() if no call can
// have made what it finds.
void tree_read(struct tree *tree, const struct image *image, unsigned process);
// Hash of everything in the root directory that belongs to no process.
uint64_t rest_hash(const struct image *image);

// ---- judge.c ----

// Calls fail() unless a crash after the log's first `entry` entries can leave this image, whose log
// has been applied: each call is whole or absent. If a call is absent, it is not durable, and all
// later calls are absent too.
void judge(const struct history *history, const struct image *image, size_t entry,
           uint64_t expected_rest);

#endif
