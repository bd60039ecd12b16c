// What the parts of replay share: the write log, the calls that were made, what they should have
// left, and what an image holds.

#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mkfs/image.h"
#include "user/workload/workload.h"

void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

// ---- log.c: what QEMU's blklogwrites has recorded ----

// A write of whole blocks that was completed, or (data is NULL) a flush that was.
struct entry {
    uint64_t block, blocks;
    const uint8_t *data;
};

struct write_log {
    struct entry *entries; // in the order in which they were completed
    size_t count;
};

void log_open(struct write_log *log, const char *path);

// ---- calls.c: what the processes did, and what that should have left ----

// A call of a process. It had returned when the first `returned` entries of the log were there: the
// last of them is its mark. Before the first call there is a call 0, which returned before all.
struct done {
    struct call call;
    int64_t result;
    size_t returned;
    uint64_t tree; // hash of the process's directory after it
    unsigned kept; // so many calls of the process are durable once this one has returned
};

struct process {
    struct done *done; // done[0 ... count]
    unsigned count;
};

struct history {
    struct process process[WORKLOAD_PROCESSES];
    unsigned processes;
    unsigned refused; // calls that failed because the disk was full, or (`errors`) failed
};

// Takes the marks from the log, makes every call in a model, and compares each result with the
// mark's. `first_mark` is the block of the first process's mark. `errors`: a call may have failed
// because the disk did.
void history_make(struct history *history, const struct write_log *log, uint64_t first_mark,
                  uint64_t seed, unsigned processes, uint32_t max_write, uint32_t sync_rate,
                  bool errors);
// How many calls of the process had returned by the entry.
unsigned history_returned(const struct process *process, size_t entry);

// ---- tree.c: hashes ----

// A process's directory as both the model and an image give it.
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
// Hash of contents of so many bytes, which may come in pieces; all but the last are a multiple of 8.
uint64_t hash_start(uint64_t size);
uint64_t hash_more(uint64_t hash, const void *data, size_t bytes);
// Reads a process's directory from an image whose log has been applied; fail()s over what no call
// can have made.
void tree_read(struct tree *tree, const struct image *image, unsigned process);
// Hash of everything in the root directory that is no process's.
uint64_t rest_hash(const struct image *image);

// ---- judge.c ----

// Fails unless the image, whose log is applied, is one that a crash after the first `entry` entries
// of the log may leave: each call whole or absent; absent only if later ones are; and none absent
// that was durable.
void judge(const struct history *history, const struct image *image, size_t entry,
           uint64_t expected_rest);

#endif
