// Chooses the calls of a workload from its seed.

#include "user/lib/random.h"
#include "user/workload/workload.h"

void workload_start(struct workload *work, uint64_t seed, unsigned process, uint32_t max_write,
                    uint32_t sync_rate)
{
    *work = (struct workload){.random = seed, .max_write = max_write, .sync_rate = sync_rate};
    work->random = random_u64(&work->random) + process;
}

static uint32_t below(struct workload *work, uint32_t limit)
{
    return random_below(&work->random, limit);
}

static struct place any_file(struct workload *work)
{
    struct place place = {.directory = below(work, WORKLOAD_DIRECTORIES + 1)};
    place.name = below(work, WORKLOAD_NAMES);
    return place;
}

// Often a small length, sometimes up to the maximum.
static uint32_t any_length(struct workload *work)
{
    uint32_t limit =
        below(work, 3) ? (work->max_write < 3000 ? work->max_write : 3000) : work->max_write;
    return 1 + below(work, limit);
}

static enum call_kind any_kind(struct workload *work)
{
    static const enum call_kind kinds[] = {
        CALL_MKDIR, CALL_MKDIR,  CALL_RMDIR,  CALL_CREATE, CALL_CREATE,   CALL_WRITE,
        CALL_WRITE, CALL_WRITE,  CALL_APPEND, CALL_APPEND, CALL_APPEND,   CALL_LINK,
        CALL_LINK,  CALL_UNLINK, CALL_HOLD,   CALL_CREATE, CALL_TRUNCATE,
    };
    if (work->sync_rate && below(work, work->sync_rate) == 0)
        return below(work, 4) ? CALL_FSYNC : CALL_SYNC;
    return kinds[below(work, sizeof(kinds) / sizeof(kinds[0]))];
}

void workload_next(struct workload *work, struct call *call)
{
    bool rename = work->last.kind == CALL_LINK && below(work, 4);
    struct place place = any_file(work), to = any_file(work);
    uint32_t length = any_length(work);
    *call = (struct call){
        .kind = any_kind(work),
        .place = place,
        .to = to,
        .offset = below(work, below(work, 3) ? 16384 : WORKLOAD_MAX_OFFSET),
        .length = length,
        .content = random_u64(&work->random),
    };
    if (work->made++ == 0)
        *call = (struct call){.kind = CALL_MKDIR, .place.directory = WORKLOAD_DIRECTORIES};
    else if (rename) // unlink the old name after link: together they rename
        *call = (struct call){.kind = CALL_UNLINK, .place = work->last.place};
    else if ((call->kind == CALL_MKDIR || call->kind == CALL_RMDIR))
        call->place.directory %= WORKLOAD_DIRECTORIES;
    work->last = *call;
}

void workload_fill(const struct call *call, void *to)
{
    uint64_t *word = to, state = call->content;
    for (uint32_t i = 0; i < (call->length + 7) / 8; i++)
        word[i] = random_u64(&state);
}
