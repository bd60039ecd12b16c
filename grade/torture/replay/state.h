// One state of the disk after a crash.

#ifndef REPLAY_STATE_H
#define REPLAY_STATE_H

#include "grade/torture/replay/replay.h"

struct scene {
    const struct history *history;
    uint64_t blocks; // of the file system
    uint64_t rest;   // hash of what the workload does not touch
};

// Once, before all.
void state_init(void);

// Recovers the image with the kernel's code and checks it; for some, what the host's tools make of
// it too, and that a crash during recovery does no harm. Fails, or returns. `data` is changed, and
// the kernel's variables are used up: call it in a process of its own. The image is one after the
// first `entry` entries of the log.
void state_check(const struct scene *scene, uint8_t *data, size_t entry, uint64_t serial);

// Checks an image that may be recovered or not. Returns how many transactions its log holds.
unsigned state_judge(const struct scene *scene, uint8_t *data, size_t entry, const char *when);

#endif
