// One state of the disk after a crash.

#ifndef REPLAY_STATE_H
#define REPLAY_STATE_H

#include "grade/torture/replay/replay.h"

struct scene {
    const struct history *history;
    uint64_t blocks; // size of the file system
    uint64_t rest;   // hash of the files that the workload does not touch
};

// Call it once, first.
void state_init(void);

// Recovers the image with the kernel's code and checks it. For some serial numbers, also checks
// what the host's tools read, and that a crash during recovery does no harm. The image is the disk
// after the first `entry` entries of the log. On failure, prints the reason and exits. Changes
// `data` and the kernel's variables: call it in a separate process.
void state_check(const struct scene *scene, uint8_t *data, size_t entry, uint64_t serial);

// Checks an image, recovered or not. Returns how many transactions its log holds.
unsigned state_judge(const struct scene *scene, uint8_t *data, size_t entry, const char *when);

#endif
