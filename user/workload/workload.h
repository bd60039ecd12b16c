// The system calls that the program workload makes; a seed decides them. The host program replay
// compiles calls.c too, so it knows every call without asking the guest.
//
// Each process has its own directory, /p0, /p1 and so on. In it are subdirectories d0 to d3, and
// files n0 to n5 in each of these five directories. There are only a few places, so that many calls
// use the same one.

#ifndef RINGFENCE_WORKLOAD_H
#define RINGFENCE_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#define WORKLOAD_PROCESSES 8
#define WORKLOAD_DIRECTORIES 4 // subdirectories; this number itself means the process's own one
#define WORKLOAD_NAMES 6
#define WORKLOAD_MAX_WRITE 262144
#define WORKLOAD_MAX_OFFSET 65536

enum call_kind {
    CALL_MKDIR,
    CALL_RMDIR,
    CALL_CREATE,
    CALL_WRITE,  // at an offset, which may be after the end of the file
    CALL_APPEND, // O_APPEND
    CALL_TRUNCATE,
    CALL_LINK,
    CALL_UNLINK,
    CALL_HOLD,  // opens a file and keeps it open; closes the file that it kept before
    CALL_FSYNC, // of one file
    CALL_SYNC,  // fsync("/"), which syncs everything
};

// A file. CALL_MKDIR and CALL_RMDIR use only the directory.
struct place {
    uint8_t directory, name;
};

struct call {
    enum call_kind kind;
    struct place place, to;  // only CALL_LINK uses `to`
    uint32_t offset, length; // bytes
    uint64_t content;        // the seed of the bytes to write
};

struct workload {
    uint64_t random;
    uint32_t max_write; // bytes, at most WORKLOAD_MAX_WRITE
    uint32_t sync_rate; // one in this many calls is CALL_FSYNC or CALL_SYNC; 0 means none
    uint32_t made;      // calls so far
    struct call last;
};

// Begins the calls of process number `process`. The first call makes its directory.
void workload_start(struct workload *work, uint64_t seed, unsigned process, uint32_t max_write,
                    uint32_t sync_rate);
void workload_next(struct workload *work, struct call *call);

// Stores the bytes that a call writes. `to` must have room for call->length + 8 bytes.
void workload_fill(const struct call *call, void *to);

// The blocks after the file system are for marks; block number `process` belongs to that process.
// Each time a call has returned, the process writes its mark before it makes the next call. The
// order of the writes on the disk then shows which calls had returned by then.
#define MARK_MAGIC 0x6b72616d6b726f77 // "workmark"
struct mark {
    uint64_t magic;
    uint64_t process;
    uint64_t calls; // that have returned
    int64_t result; // of the last: 0, bytes written, or a negative E number
};

#endif
