// What vqsan says: violations as they happen, a summary at the end, and the same for machines as JSON.

#ifndef VQSAN_REPORT_H
#define VQSAN_REPORT_H

#include "grade/plugins/vqsan/queue.h"

// See rules.c.
enum rule {
    RULE_NONE,
    RULE_ELEMENT,  // R1
    RULE_EARLY,    // R2
    RULE_PUBLISH,  // R3
    RULE_DOORBELL, // R4
    RULE_RECHECK,  // R5
    RULE_KICK,     // R6
    RULE_UNSEEN,   // R7
    RULE_IRQ,      // R8
    RULE_COUNT,
};

// Options. Files are opened now, so that it is now that it fails; NULL: standard error, no JSON.
bool report_open(const char *log, const char *json);
// Rules in the mask (1 << rule) are counted and in the JSON, but neither printed nor in the summary.
void report_hide(unsigned rules);

// A violation between two accesses of a hart. Printed once for each pair of places in the code.
void report(enum rule rule, struct queue *q, unsigned hart, struct event first,
            struct event second);

// A line of another kind: what vqsan cannot watch, what it has done to the device's answers.
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A fence instruction was translated: from now on its count is part of the summary.
void report_add_fence(struct site *site);

// Writes the JSON anew if something has changed; then, at the end, the summary too.
void report_save(void);
void report_summary(void);

#endif
