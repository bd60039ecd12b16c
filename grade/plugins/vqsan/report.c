// Reports. report.h is the contract. Call all functions with vqsan's lock held.

#include "grade/plugins/vqsan/report.h"

#include "grade/plugins/common/symbols.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Each rule: its name, what it says about its two accesses, and what goes wrong without the order.
static const struct {
    const char *code, *missing, *title, *between, *consequence;
} rules[RULE_COUNT] = {
    [RULE_ELEMENT] = {"R1", "fence r,r", "missing fence r,r",
                      "between them there is no `fence r,r`",
                      "the hart may have read the element first, before the device wrote it"},
    [RULE_EARLY] = {"R2", "order of loads", "element read too early",
                    "the driver reads the element before used->idx says that it is there",
                    "the driver may get an old element"},
    [RULE_PUBLISH] = {"R3", "fence w,w", "missing fence w,w",
                      "between them there is no `fence w,w`",
                      "the device may see the index first and take an old descriptor"},
    [RULE_DOORBELL] = {"R4", "fence w,o", "missing fence w,o",
                       "between them there is no `fence w,o`",
                       "the doorbell may overtake the store, and the device finds nothing"},
    [RULE_RECHECK] =
        {"R5", "fence w,r", "missing fence w,r",
         "after enabling notifications, the hart does not check used->idx in order (`fence w,r`)",
         "the device may not know yet that the driver wants an interrupt: a lost wake-up"},
    [RULE_KICK] = {"R6", "fence w,r", "missing fence w,r", "between them there is no `fence w,r`",
                   "the device may go to sleep before it sees the index: a lost kick"},
    [RULE_UNSEEN] = {"R7", "load of used->idx", "unseen answer",
                     "the device has moved used->idx since the driver last read it, and the hart "
                     "still waits for it",
                     "the answer is there, and the driver does not see it"},
    [RULE_IRQ] = {"R8", "fence i,r", "missing fence i,r", "between them there is no `fence i,r`",
                  "the index may be older than the interrupt that announced it"},
};

static const char *const field_names[] = {
    [FIELD_NONE] = "",
    [FIELD_DESC] = "descriptor %u",
    [FIELD_INDIRECT] = "indirect descriptor %u",
    [FIELD_AVAIL_FLAGS] = "avail->flags",
    [FIELD_AVAIL_IDX] = "avail->idx",
    [FIELD_AVAIL_RING] = "avail->ring[%u]",
    [FIELD_USED_EVENT] = "used_event",
    [FIELD_USED_FLAGS] = "used->flags",
    [FIELD_USED_IDX] = "used->idx",
    [FIELD_USED_RING] = "used->ring[%u]",
    [FIELD_AVAIL_EVENT] = "avail_event",
    [FIELD_DOORBELL] = "QueueNotify",
    [FIELD_IRQ_STATUS] = "InterruptStatus",
};

static struct violation {
    enum rule rule;
    unsigned slot, queue, hart;
    const char *device;
    struct event first, second;
    uint64_t count;
} * violations;
static unsigned violation_count, violation_room;

static FILE *out;
static const char *json_path;
static unsigned hidden;
static struct site *fences;
static bool changed = true;

bool report_open(const char *log, const char *json)
{
    out = log ? fopen(log, "we") : stderr;
    json_path = json;
    if (!out)
        return false;
    setvbuf(out, NULL, _IOLBF, 0);
    return true;
}

void report_hide(unsigned mask)
{
    hidden = mask;
}

void report_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(out, "vqsan: ");
    vfprintf(out, format, args);
    fprintf(out, "\n");
    va_end(args);
}

// QEMU translates the same code more than once; count_at() adds up the counts of one address.
void report_add_fence(struct site *site)
{
    site->next_fence = fences;
    fences = site;
}

// ---- violations ----

static const char *field_name(struct event e, char *buffer, size_t size)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(buffer, size, field_names[e.field], e.number);
#pragma GCC diagnostic pop
    return buffer;
}

static const char *verb(struct event e)
{
    switch (e.field) {
    case FIELD_NONE:
        return "waits";
    case FIELD_USED_FLAGS:
    case FIELD_USED_IDX:
    case FIELD_USED_RING:
    case FIELD_AVAIL_EVENT:
    case FIELD_IRQ_STATUS:
        return "read";
    default:
        return "written";
    }
}

static void print_event(struct event e)
{
    char name[64], text[96];
    struct location at = symbols_find(e.pc);
    snprintf(text, sizeof(text), "%s%s%s", field_name(e, name, sizeof(name)),
             e.field == FIELD_NONE ? "" : " ", verb(e));
    if (e.pc == 0)
        fprintf(out, "vqsan:   used->idx                    not read before\n");
    else
        fprintf(out, "vqsan:   %-28s in %s, %s:%u (pc 0x%llx)\n", text, at.function, at.file,
                at.line, (unsigned long long)e.pc);
}

// Has a report named this function already, for another queue or another word of the same element?
static bool said_before(const struct violation *v)
{
    for (const struct violation *u = violations; u != v; u++)
        if (u->rule == v->rule && u->first.pc == v->first.pc &&
            strcmp(symbols_find(u->second.pc).function, symbols_find(v->second.pc).function) == 0)
            return true;
    return false;
}

static void print_violation(const struct violation *v)
{
    bool again = said_before(v);
    fprintf(out, "vqsan: %s %s%s: %s queue %u (slot %u), hart %u\n", rules[v->rule].code,
            rules[v->rule].title, again ? " again" : "", v->device, v->queue, v->slot, v->hart);
    if (!again)
        print_event(v->first);
    print_event(v->second);
    if (!again)
        fprintf(out, "vqsan:   %s;\nvqsan:   %s\n", rules[v->rule].between,
                rules[v->rule].consequence);
}

void report(enum rule rule, struct queue *q, unsigned hart, struct event first, struct event second)
{
    changed = true;
    q->count.violations++;
    for (unsigned i = 0; i < violation_count; i++) {
        struct violation *v = &violations[i];
        if (v->rule == rule && v->first.pc == first.pc && v->second.pc == second.pc &&
            v->slot == q->slot && v->queue == q->index) {
            v->count++;
            return;
        }
    }
    if (violation_count == violation_room) {
        unsigned room = violation_room ? 2 * violation_room : 64;
        struct violation *more = realloc(violations, room * sizeof(*more));
        if (!more)
            return;
        violations = more;
        violation_room = room;
    }
    violations[violation_count] =
        (struct violation){rule, q->slot, q->index, hart, q->device, first, second, 1};
    if (!(hidden >> rule & 1))
        print_violation(&violations[violation_count]);
    violation_count++;
}

// ---- fences ----

static const char *fence_name(const struct insn *insn, char *buffer)
{
    static const char letters[] = "iorw";
    char *at = buffer;
    if (insn->kind == INSN_FENCE_I)
        return "fence.i";
    if (insn->tso)
        return "fence.tso";
    at += sprintf(at, "fence ");
    for (int i = 0; i < 4; i++)
        if (insn->pred >> (3 - i) & 1)
            *at++ = letters[i];
    *at++ = ',';
    for (int i = 0; i < 4; i++)
        if (insn->succ >> (3 - i) & 1)
            *at++ = letters[i];
    *at = '\0';
    return buffer;
}

// Fences executed, by kind.
struct kind_count {
    char name[24];
    uint64_t count;
};

static unsigned count_kinds(struct kind_count kinds[], unsigned room)
{
    unsigned n = 0;
    for (const struct site *site = fences; site; site = site->next_fence) {
        char buffer[24];
        const char *name = fence_name(&site->insn, buffer);
        unsigned i = 0;
        while (i < n && strcmp(kinds[i].name, name) != 0)
            i++;
        if (i == room)
            continue;
        if (i == n)
            snprintf(kinds[n++].name, sizeof(kinds[0].name), "%s", name);
        kinds[i].count += site->count;
    }
    return n;
}

// ---- JSON, for programs ----

static void json_event(FILE *f, const char *key, struct event e)
{
    char name[64];
    struct location at = symbols_find(e.pc);
    fprintf(
        f,
        "\"%s\": {\"what\": \"%s\", \"pc\": \"0x%llx\", \"function\": \"%s\", \"file\": \"%s\", "
        "\"line\": %u}",
        key, field_name(e, name, sizeof(name)), (unsigned long long)e.pc, at.function, at.file,
        at.line);
}

static void json_violations(FILE *f)
{
    for (unsigned i = 0; i < violation_count; i++) {
        const struct violation *v = &violations[i];
        fprintf(f,
                "%s\n  {\"rule\": \"%s\", \"missing\": \"%s\", \"device\": \"%s\", \"slot\": %u, "
                "\"queue\": %u, \"hart\": %u, \"count\": %llu, \"hidden\": %s,\n   ",
                i ? "," : "", rules[v->rule].code, rules[v->rule].missing, v->device, v->slot,
                v->queue, v->hart, (unsigned long long)v->count,
                hidden >> v->rule & 1 ? "true" : "false");
        json_event(f, "first", v->first);
        fprintf(f, ",\n   ");
        json_event(f, "second", v->second);
        fprintf(f, "}");
    }
}

static void json_loops(FILE *f, const struct queue *q)
{
    for (unsigned i = 0; i < MAX_LOOPS && q->loops[i].pc; i++) {
        struct location at = symbols_find(q->loops[i].pc);
        fprintf(f,
                "%s\n    {\"function\": \"%s\", \"file\": \"%s\", \"line\": %u, \"turns\": %llu, "
                "\"looks\": %llu}",
                i ? "," : "", at.function, at.file, at.line, (unsigned long long)q->loops[i].turns,
                (unsigned long long)q->loops[i].looks);
    }
}

static void json_queues(FILE *f)
{
    for (unsigned i = 0; i < queue_count; i++) {
        const struct queue *q = &queues[i];
#define COUNT(name) (unsigned long long)q->count.name
        fprintf(f,
                "%s\n  {\"device\": \"%s\", \"slot\": %u, \"queue\": %u, \"size\": %u, "
                "\"accesses\": %llu, \"polls\": %llu, \"spins\": %llu, \"publishes\": %llu,\n   "
                "\"kicks\": %llu, \"kicks_saved\": %llu, \"completions\": %llu, \"deepest\": %llu, "
                "\"sleeps\": %llu, \"sleeps_unnotified\": %llu, \"lost_wakeups\": %llu,\n   "
                "\"violations\": %llu, \"injected\": %llu, \"corrupted\": %llu, \"loops\": [",
                i ? "," : "", q->device, q->slot, q->index, q->size, COUNT(accesses), COUNT(polls),
                COUNT(spins), COUNT(publishes), COUNT(kicks), COUNT(saved), COUNT(completions),
                COUNT(deepest), COUNT(sleeps), COUNT(sleeps_unnotified), COUNT(lost_wakeups),
                COUNT(violations), COUNT(injected), COUNT(corrupted));
        json_loops(f, q);
        fprintf(f, "]}");
    }
}

// How often the fence at a site was executed, in all its translations. Returns 0 if an earlier
// entry in the list counts for this one.
static uint64_t count_at(const struct site *site)
{
    uint64_t count = site->count;
    for (const struct site *other = fences; other != site; other = other->next_fence)
        if (other->pc == site->pc)
            return 0;
    for (const struct site *other = site->next_fence; other; other = other->next_fence)
        if (other->pc == site->pc)
            count += other->count;
    return count;
}

static void json_fences(FILE *f)
{
    bool first = true;
    for (const struct site *site = fences; site; site = site->next_fence) {
        char buffer[24];
        struct location at;
        uint64_t count = count_at(site);
        if (count == 0)
            continue;
        at = symbols_find(site->pc);
        fprintf(f,
                "%s\n  {\"kind\": \"%s\", \"function\": \"%s\", \"file\": \"%s\", \"line\": %u, "
                "\"count\": %llu}",
                first ? "" : ",", fence_name(&site->insn, buffer), at.function, at.file, at.line,
                (unsigned long long)count);
        first = false;
    }
}

// Writes under another name first, so that a reader never sees half a file.
void report_save(void)
{
    static uint64_t last_accesses;
    uint64_t accesses = 0;
    char path[4096];
    for (unsigned i = 0; i < queue_count; i++)
        accesses += queues[i].count.accesses;
    if (!json_path || (!changed && accesses == last_accesses))
        return;
    last_accesses = accesses;
    snprintf(path, sizeof(path), "%s.new", json_path);
    FILE *f = fopen(path, "we");
    if (!f)
        return;
    fprintf(f, "{\"violations\": [");
    json_violations(f);
    fprintf(f, "],\n \"queues\": [");
    json_queues(f);
    fprintf(f, "],\n \"fences\": [");
    json_fences(f);
    fprintf(f, "]}\n");
    if (fclose(f) == 0)
        rename(path, json_path);
    changed = false;
}

// ---- for people ----

static void print_queue(const struct queue *q)
{
    fprintf(
        out,
        "vqsan: %s queue %u: %llu completions; %llu polls, %llu of them found nothing; %llu kicks, "
        "%llu saved",
        q->device, q->index, COUNT(completions), COUNT(polls), COUNT(spins), COUNT(kicks),
        COUNT(saved));
    if (q->count.lost_wakeups)
        fprintf(out, "; %llu wake-ups lost", COUNT(lost_wakeups));
    if (q->count.injected)
        fprintf(out, "; %llu injections", COUNT(injected));
    if (q->count.corrupted)
        fprintf(out, "; %llu answers changed", COUNT(corrupted));
    fprintf(out, "\n");
}

static void print_fences(void)
{
    struct kind_count kinds[32] = {0};
    unsigned n = count_kinds(kinds, 32);
    uint64_t completions = 0;
    for (unsigned i = 0; i < queue_count; i++)
        completions += queues[i].count.completions;
    for (unsigned i = 0; i < n; i++) {
        if (kinds[i].count == 0)
            continue;
        fprintf(out, "vqsan: %-16s %10llu times in all the kernel", kinds[i].name,
                (unsigned long long)kinds[i].count);
        if (completions)
            fprintf(out, ", %.1f for each completion", (double)kinds[i].count / completions);
        fprintf(out, "\n");
    }
}

// Prints each place in the code once, for all queues together.
static unsigned print_totals(void)
{
    unsigned shown = 0;
    for (unsigned i = 0; i < violation_count; i++) {
        const struct violation *v = &violations[i];
        struct location at = symbols_find(v->second.pc);
        uint64_t count = 0;
        bool first = true;
        for (unsigned j = 0; j < violation_count; j++) {
            if (violations[j].rule != v->rule || violations[j].second.pc != v->second.pc)
                continue;
            first = first && j >= i;
            count += violations[j].count;
        }
        if (!first || hidden >> v->rule & 1)
            continue;
        shown++;
        fprintf(out, "vqsan: %s %s, in %s, %s:%u: %llu times\n", rules[v->rule].code,
                rules[v->rule].title, at.function, at.file, at.line, (unsigned long long)count);
    }
    return shown;
}

void report_summary(void)
{
    for (unsigned i = 0; i < queue_count; i++)
        print_queue(&queues[i]);
    print_fences();
    if (print_totals() == 0)
        fprintf(out, "vqsan: no violations\n");
    changed = true;
    report_save();
}
