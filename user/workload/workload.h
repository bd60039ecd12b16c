// What the program workload does to the file system: system calls that a seed decides. The host
// compiles the same file (grade/torture/replay), so it knows every call without asking the guest.
//
// Each of several processes works in a directory of its own, /p0, /p1, ...: sub-directories d0 to
// d3, and names n0 to n5 in all five. The places are few, so that calls meet.

#ifndef RINGFENCE_WORKLOAD_H
#define RINGFENCE_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#define WORKLOAD_PROCESSES 8
#define WORKLOAD_DIRECTORIES 4 // and the process's own, which has this number
#define WORKLOAD_NAMES 6
#define WORKLOAD_MAX_WRITE 262144
#define WORKLOAD_MAX_OFFSET 65536

enum call_kind {
    CALL_MKDIR,
    CALL_RMDIR,
    CALL_CREATE,
    CALL_WRITE,  // at an offset, which may be behind the end
    CALL_APPEND, // O_APPEND
    CALL_TRUNCATE,
    CALL_LINK,
    CALL_UNLINK,
    CALL_HOLD,  // opens a file and keeps it open, instead of the one that was kept before
    CALL_FSYNC, // of one file
    CALL_SYNC,  // fsync("/"), which stands for everything
};

// A file; or, for CALL_MKDIR and CALL_RMDIR, a directory, and then `name` means nothing.
struct place {
    uint8_t directory, name;
};

struct call {
    enum call_kind kind;
    struct place place, to; // `to` is CALL_LINK's
    uint32_t offset, length;
    uint64_t content; // seed of what is written
};

struct workload {
    uint64_t random;
    uint32_t max_write; // bytes, at most WORKLOAD_MAX_WRITE
    uint32_t sync_rate; // one call in so many is CALL_FSYNC or CALL_SYNC; 0: none
    uint32_t made;      // calls so far
    struct call last;
};

// The calls of process `process`. The first makes its directory.
void workload_start(struct workload *work, uint64_t seed, unsigned process, uint32_t max_write,
                    uint32_t sync_rate);
void workload_next(struct workload *work, struct call *call);

// The bytes that a call writes, `length` of them; `to` has room for 8 more.
void workload_fill(const struct call *call, void *to);

// Behind the file system, block number `process` is the process's own. Whenever a call of it has
// returned, and before the next, it writes this there: so the order of what reached the disk says
// which calls had returned by then.
#define MARK_MAGIC 0x6b72616d6b726f77 // "workmark"
struct mark {
    uint64_t magic;
    uint64_t process;
    uint64_t calls; // that have returned
    int64_t result; // of the last: 0, bytes written, or a negative E number
};

#endif
