// Can a crash at this moment leave this image?
//
// For each process, the image must hold its first k calls, each one whole, and nothing of the later
// calls. k is unknown, but it has bounds: it is at least the number of durable calls, and at most
// includes the call in progress. Also, if a call is in the image, then so is every call, of any
// process, that had returned before it began: a transaction is never durable without earlier ones.

#include "grade/torture/replay/replay.h"

// The smallest k from `from` to `to` with this tree, or to + 1.
static unsigned find(const struct process *process, uint64_t tree, unsigned from, unsigned to)
{
    while (from <= to && process->done[from].tree != tree)
        from++;
    return from;
}

struct bounds {
    uint64_t tree; // hash of the tree in the image
    unsigned k;    // the smallest possible one so far
    unsigned high;
};

// Process p must have at least `least` calls in the image.
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
        fail("process %u: its last call in the image is %u; calls %u to %u are allowed (%s)", p,
             older, least, b->high, why);
    fail("process %u: its directory is as after none of its calls; calls %u to %u may be the last",
         p, least, b->high);
}

// Raises the other processes' k to the calls that had returned before p's last call began. Returns
// whether anything changed.
static bool close_over(const struct history *history, struct bounds *bounds, unsigned p)
{
    bool raised = false;
    if (bounds[p].k == 0)
        return false;
    size_t began = history->process[p].done[bounds[p].k - 1].returned;
    for (unsigned q = 0; q < history->processes; q++) {
        unsigned least = history_returned(&history->process[q], began);
        if (bounds[q].k < least) {
            raise_to(history, bounds, q, least, "the image holds a later call of another process");
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
        fail("files that no process touched have changed");
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
