// Is an image one that a crash at this moment may leave?
//
// Of each process it must hold the first k calls, whole, and nothing of the others. k is not known,
// but bounded: by what was durable from below, by the call that was under way from above. And if a
// call is there, then every call of any process that had returned before it began must be: a
// transaction is never durable without those before it.

#include "grade/torture/replay/replay.h"

// The smallest k from `from` to `to` with this tree, or to + 1.
static unsigned find(const struct process *process, uint64_t tree, unsigned from, unsigned to)
{
    while (from <= to && process->done[from].tree != tree)
        from++;
    return from;
}

struct bounds {
    uint64_t tree; // as found in the image
    unsigned k;    // the smallest that fits so far
    unsigned high;
};

// Process p has at least `least` calls in the image.
static void raise_to(const struct history *history, struct bounds *bounds, unsigned p,
                     unsigned least, const char *why)
{
    const struct process *process = &history->process[p];
    struct bounds *b = &bounds[p];
    b->k = find(process, b->tree, least, b->high);
    if (b->k <= b->high)
        return;
    unsigned older = find(process, b->tree, 0, process->count);
    if (older <= process->count)
        fail("process %u: call %u is the last that is there; calls %u to %u may be (%s)", p, older,
             least, b->high, why);
    fail("process %u: its directory is as after none of its calls; calls %u to %u may be the last",
         p, least, b->high);
}

// Raises the others to what had returned before the last call of p began. Whether anything changed.
static bool close_over(const struct history *history, struct bounds *bounds, unsigned p)
{
    bool raised = false;
    if (bounds[p].k == 0)
        return false;
    size_t began = history->process[p].done[bounds[p].k - 1].returned;
    for (unsigned q = 0; q < history->processes; q++) {
        unsigned least = history_returned(&history->process[q], began);
        if (bounds[q].k < least) {
            raise_to(history, bounds, q, least, "a later call of another process is there");
            raised = true;
        }
    }
    return raised;
}

void judge(const struct history *history, const struct image *image, size_t entry,
           uint64_t expected_rest)
{
    struct bounds bounds[WORKLOAD_PROCESSES];
    if (rest_hash(image) != expected_rest)
        fail("files that nobody touched have changed");
    for (unsigned p = 0; p < history->processes; p++) {
        const struct process *process = &history->process[p];
        unsigned returned = history_returned(process, entry);
        struct tree tree;
        tree_read(&tree, image, p);
        bounds[p].tree = tree_hash(&tree);
        bounds[p].high = returned < process->count ? returned + 1 : returned;
        raise_to(history, bounds, p, process->done[returned].kept, "it was synced");
    }
    bool again = true;
    while (again) {
        again = false;
        for (unsigned p = 0; p < history->processes; p++)
            again = close_over(history, bounds, p) || again;
    }
}
