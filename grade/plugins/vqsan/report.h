// vqsan's output: violations as they happen, a summary at the end, and both as JSON for programs.

#ifndef VQSAN_REPORT_H
#define VQSAN_REPORT_H

#include "grade/plugins/vqsan/queue.h"

// The rules that rules.c explains.
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

// Opens the log now, so that an error shows at once. `log` NULL: standard error. `json` NULL: no
// JSON.
bool report_open(const char *log, const char *json);
// Rules in the mask (1 << rule) appear in the JSON only, not in the log or the summary.
void report_hide(unsigned rules);

// Reports a violation between two accesses of a hart. Prints it once for each pair of code places.
void report(enum rule rule, struct queue *q, unsigned hart, struct event first,
            struct event second);

// Prints another line: what vqsan cannot watch, or how it has changed the device's answers.
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

// QEMU has translated a fence instruction: from now on the summary includes its count.
void report_add_fence(struct site *site);

// report_save() writes the JSON if something has changed; report_summary() is for the end.
void report_save(void);
void report_summary(void);

#endif
