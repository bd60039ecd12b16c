// Repeats the workload's calls in a model: what each call should return, and what it leaves.

#include <stdlib.h>
#include <string.h>

#include "grade/torture/replay/replay.h"
#include "kernel/abi.h"

#define HOME WORKLOAD_DIRECTORIES // the process's own directory

struct node {
    unsigned links;
    uint64_t size, room; // room: bytes allocated for data
    uint8_t *data;
    uint64_t hash;
    unsigned changed; // number of the last call that changed it
};

struct model {
    bool exists[HOME + 1];
    struct node *name[HOME + 1][WORKLOAD_NAMES];
    unsigned number; // of the current call
    uint8_t *buffer; // the data that it writes
};

static struct node **slot(struct model *m, struct place place)
{
    return &m->name[place.directory][place.name];
}

static void touch(struct model *m, struct node *node)
{
    node->changed = m->number;
    node->hash = hash_more(hash_start(node->size), node->data, node->size);
}

// ---- the calls: each returns the result that it has if the disk has room ----

static int64_t make_directory(struct model *m, unsigned directory)
{
    if (m->exists[directory])
        return -EEXIST;
    m->exists[directory] = true;
    return 0;
}

static int64_t remove_directory(struct model *m, unsigned directory)
{
    if (!m->exists[directory])
        return -ENOENT;
    for (unsigned n = 0; n < WORKLOAD_NAMES; n++)
        if (m->name[directory][n])
            return -ENOTEMPTY;
    m->exists[directory] = false;
    return 0;
}

static int64_t create(struct model *m, struct place place)
{
    if (!m->exists[place.directory])
        return -ENOENT;
    if (*slot(m, place))
        return 0;
    *slot(m, place) = calloc(1, sizeof(struct node));
    (*slot(m, place))->links = 1;
    touch(m, *slot(m, place));
    return 0;
}

static int64_t write_to(struct model *m, const struct call *call, uint32_t length)
{
    struct node *node = *slot(m, call->place);
    if (!node)
        return -ENOENT;
    uint64_t offset = call->kind == CALL_APPEND ? node->size : call->offset;
    uint64_t end = offset + length;
    workload_fill(call, m->buffer);
    if (end > node->room) {
        node->data = realloc(node->data, node->room = 2 * end);
    }
    if (end > node->size) {
        memset(node->data + node->size, 0, end - node->size);
        node->size = end;
    }
    memcpy(node->data + offset, m->buffer, length);
    touch(m, node);
    return length;
}

static int64_t truncate(struct model *m, struct place place)
{
    struct node *node = *slot(m, place);
    if (!node)
        return -ENOENT;
    if (node->size > 0) {
        node->size = 0;
        touch(m, node);
    }
    return 0;
}

static int64_t link_to(struct model *m, struct place from, struct place to)
{
    struct node *node = *slot(m, from);
    if (!node || !m->exists[to.directory])
        return -ENOENT;
    if (*slot(m, to))
        return -EEXIST;
    *slot(m, to) = node;
    node->links++;
    touch(m, node);
    return 0;
}

static int64_t remove_name(struct model *m, struct place place)
{
    struct node *node = *slot(m, place);
    if (!node)
        return -ENOENT;
    *slot(m, place) = NULL;
    if (--node->links > 0) {
        touch(m, node);
    } else {
        free(node->data);
        free(node);
    }
    return 0;
}

static int64_t perform(struct model *m, const struct call *call, uint32_t length)
{
    switch (call->kind) {
    case CALL_MKDIR:
        return make_directory(m, call->place.directory);
    case CALL_RMDIR:
        return remove_directory(m, call->place.directory);
    case CALL_CREATE:
        return create(m, call->place);
    case CALL_WRITE:
    case CALL_APPEND:
        return write_to(m, call, length);
    case CALL_TRUNCATE:
        return truncate(m, call->place);
    case CALL_LINK:
        return link_to(m, call->place, call->to);
    case CALL_UNLINK:
        return remove_name(m, call->place);
    case CALL_HOLD:
    case CALL_FSYNC:
        return *slot(m, call->place) ? 0 : -ENOENT;
    case CALL_SYNC:
        return 0;
    }
    return -EINVAL;
}

// ---- what the calls leave ----

static unsigned first_place(const struct model *m, const struct node *node)
{
    unsigned i = 0;
    while (m->name[i / WORKLOAD_NAMES][i % WORKLOAD_NAMES] != node)
        i++;
    return i;
}

static uint64_t model_hash(const struct model *m)
{
    struct tree tree = {.exists = m->exists[HOME]};
    for (unsigned d = 0; d <= HOME; d++) {
        if (d < HOME)
            tree.directory[d] = m->exists[d];
        for (unsigned n = 0; n < WORKLOAD_NAMES; n++) {
            const struct node *node = m->name[d][n];
            if (node)
                tree.file[d][n] = (struct tree_file){.exists = true,
                                                     .first = first_place(m, node),
                                                     .links = node->links,
                                                     .contents = node->hash};
        }
    }
    return tree_hash(&tree);
}

// How many of the process's calls are durable once this one has returned.
static unsigned kept_after(struct model *m, const struct done *done, unsigned before)
{
    unsigned kept = before;
    if (done->result == 0 && done->call.kind == CALL_SYNC)
        kept = m->number;
    if (done->result == 0 && done->call.kind == CALL_FSYNC)
        kept = (*slot(m, done->call.place))->changed;
    return kept > before ? kept : before;
}

static bool needs_room(enum call_kind kind)
{
    return kind == CALL_MKDIR || kind == CALL_CREATE || kind == CALL_WRITE || kind == CALL_APPEND ||
           kind == CALL_LINK;
}

// Did the call fail because the disk was full or failed? Then it has done nothing.
static bool was_refused(const struct done *done, bool errors)
{
    return (done->result == -ENOSPC && needs_room(done->call.kind)) ||
           (errors && (done->result == -EIO || done->result == -EROFS));
}

// Did the write find room for only a part? Then the rest is not there.
static bool was_cut(const struct done *done)
{
    bool writes = done->call.kind == CALL_WRITE || done->call.kind == CALL_APPEND;
    return writes && done->result > 0 && done->result < done->call.length;
}

// Repeats the calls of one process, as many as have marks.
static void make_calls(struct history *history, unsigned number, struct workload *work, bool errors)
{
    struct process *process = &history->process[number];
    struct model model = {.buffer = malloc(WORKLOAD_MAX_WRITE + 8)};
    process->done[0].tree = model_hash(&model);
    for (model.number = 1; model.number <= process->count; model.number++) {
        struct done *done = &process->done[model.number];
        struct call *call = &done->call;
        workload_next(work, call);
        bool cut = was_cut(done), refused = was_refused(done, errors);
        history->refused += cut || refused;
        int64_t expected = done->result;
        if (!refused)
            expected = perform(&model, call, cut ? done->result : call->length);
        if (expected != done->result)
            fail("call %u of process %u (kind %d) returned %ld, not %ld", model.number, number,
                 call->kind, (long)done->result, (long)expected);
        done->tree = model_hash(&model);
        done->kept = kept_after(&model, done, done[-1].kept);
    }
    free(model.buffer);
}

// ---- the marks ----

static void add_mark(struct history *history, unsigned number, const struct mark *mark,
                     size_t returned)
{
    struct process *process = &history->process[number];
    if (mark->magic != MARK_MAGIC || mark->process != number || mark->calls != process->count + 1)
        fail("mark %u of process %u does not follow the previous one", process->count, number);
    process->done = realloc(process->done, (++process->count + 1) * sizeof(*process->done));
    process->done[process->count] = (struct done){.result = mark->result, .returned = returned};
}

void history_make(struct history *history, const struct write_log *log, uint64_t first_mark,
                  uint64_t seed, unsigned processes, uint32_t max_write, uint32_t sync_rate,
                  bool errors)
{
    *history = (struct history){.processes = processes};
    for (unsigned p = 0; p < processes; p++)
        history->process[p].done = calloc(1, sizeof(struct done));
    for (size_t i = 0; i < log->count; i++) {
        const struct entry *entry = &log->entries[i];
        if (entry->data && entry->block >= first_mark && entry->block < first_mark + processes)
            add_mark(history, entry->block - first_mark, (const void *)entry->data, i + 1);
    }
    for (unsigned p = 0; p < processes; p++) {
        struct workload work;
        workload_start(&work, seed, p, max_write, sync_rate);
        make_calls(history, p, &work, errors);
    }
}

unsigned history_returned(const struct process *process, size_t entry)
{
    unsigned low = 0, high = process->count; // done[low] has returned
    while (low < high) {
        unsigned middle = (low + high + 1) / 2;
        if (process->done[middle].returned <= entry)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}
