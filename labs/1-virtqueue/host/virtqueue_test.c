// Unit tests of kernel/virtio/virtqueue.c against a mock device. Build and run on the host, from
// the project's root:
//
//     cc -std=gnu11 -g -O1 -Wall -Wextra -fsanitize=address,undefined -I. -o virtqueue_test
//         labs/1-virtqueue/host/*.c kernel/virtio/virtqueue.c
//
// Without arguments all tests run; -l lists them; names run those. Prints "ok NAME" or "FAIL NAME:
// reason"; the exit status is 0 only if every test that ran passed. With -q before the names, little
// time is spent on each endless loop, as it is by itself from the third on.

#include "test.h"

#include "kernel/lib.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

// Processor time of one test; the longest takes a tenth of a second.
#define LIMIT_MS 2000
#define QUICK_LIMIT_MS 500
#define LOOPS_BEFORE_QUICK 2

struct fixture t;
const char *called;

static sigjmp_buf failed;
static char reason[256];
static uint32_t random_state;
static unsigned loops; // tests that did not come to an end

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"init", test_init},
    {"bad_sizes", test_bad_sizes},
    {"layout", test_layout},
    {"every_size", test_every_size},
    {"publish", test_publish},
    {"batch_one_kick", test_batch_one_kick},
    {"no_notify", test_no_notify},
    {"callbacks", test_callbacks},
    {"no_space", test_no_space},
    {"invalid", test_invalid},
    {"results", test_results},
    {"one_at_a_time", test_one_at_a_time},
    {"poll_budget", test_poll_budget},
    {"stats", test_stats},
    {"round_robin", test_round_robin},
    {"out_of_order", test_out_of_order},
    {"round_1", test_round_1},
    {"round_2", test_round_2},
    {"round_256", test_round_256},
    {"round_1024", test_round_1024},
    {"recycle", test_recycle},
    {"wrap_1", test_wrap_1},
    {"wrap_2", test_wrap_2},
    {"wrap_256", test_wrap_256},
    {"wrap_1024", test_wrap_1024},
    {"no_leak", test_no_leak},
    {"id_out_of_range", test_id_out_of_range},
    {"id_not_in_flight", test_id_not_in_flight},
    {"double_completion", test_double_completion},
    {"mid_chain_id", test_mid_chain_id},
    {"length_too_long", test_length_too_long},
    {"index_jump", test_index_jump},
    {"good_before_bad", test_good_before_bad},
    {"scribble", test_scribble},
    {"take_back", test_take_back},
    {"break", test_break},
};
#define TESTS (sizeof(tests) / sizeof(tests[0]))

// What the running test has called first that is not written yet: then nothing else it says matters.
static const char *not_written;

int lab_todo(const char *what)
{
    if (!not_written)
        not_written = what;
    return -ENOSYS;
}

// What the driver says while it is being worked on.
void kprintf(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
}

void panic(const char *format, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    test_fail("virtqueue.c", 0, "panic: %s", text);
}

void test_fail(const char *file, int line, const char *format, ...)
{
    const char *base = strrchr(file, '/');
    int n = snprintf(reason, sizeof(reason), "%s:", base ? base + 1 : file);
    if (line > 0)
        n += snprintf(reason + n, sizeof(reason) - n, "%d:", line);
    n += snprintf(reason + n, sizeof(reason) - n, " ");
    va_list ap;
    va_start(ap, format);
    vsnprintf(reason + n, sizeof(reason) - n, format, ap);
    va_end(ap);
    siglongjmp(failed, 1);
}

// Processor time, not the clock: a slow computer or a breakpoint is no endless loop.
static void out_of_time(int signal)
{
    (void)signal;
    loops++;
    test_fail("virtqueue.c", 0, "an endless loop: %s() was called, and the test does not end",
              called);
}

static void limit_time(int ms)
{
    struct itimerval limit = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000}};
    setitimer(ITIMER_PROF, &limit, NULL);
}

static void clean_up(void)
{
    free(t.ring);
    free(t.private);
    memset(&t, 0, sizeof(t));
}

void start(uint16_t size)
{
    clean_up();
    size_t bytes = virtq_ring_bytes(size);
    if (posix_memalign(&t.ring, 4096, bytes) != 0)
        abort();
    memset(t.ring, 0, bytes);
    // What the driver has not set up in its private memory is garbage.
    t.private = malloc(size * sizeof(*t.private));
    memset(t.private, 0xa5, size * sizeof(*t.private));
    int r = virtq_init(&t.q, size, t.ring, t.private, &t.device.doorbell, QUEUE_INDEX, "test");
    CHECK(r == 0, "virtq_init() returns %d, expected 0", r);
    mock_attach(&t.device, &t.q);
}

int add(void *token, uint32_t out_len, uint32_t in_len)
{
    struct virtq_buf out = {0x1000, out_len}, in = {0x2000, in_len};
    return virtq_add(&t.q, &out, out_len > 0, &in, in_len > 0, token);
}

uint16_t give(void *token, uint32_t out_len, uint32_t in_len)
{
    EQUAL(add(token, out_len, in_len), 0);
    virtq_publish(&t.q);
    CHECK(mock_take(&t.device, &t.chain), "the device sees no chain after virtq_publish(): %s",
          t.device.complaint ? t.device.complaint : "avail->idx has not moved");
    return t.chain.head;
}

void take(struct virtq_done *done)
{
    int r = poll_used(&t.q, done);
    if (t.q.broken && t.q.broken_by)
        CHECK(r == 1, "poll_used() returns %d, expected 1: %s: %u", r, t.q.broken_by,
              t.q.broken_value);
    CHECK(r == 1, "poll_used() returns %d, expected 1: the device has completed a chain", r);
}

void expect_done(void *token, uint32_t len)
{
    struct virtq_done done = {NULL, 0};
    take(&done);
    CHECK(done.token == token, "the token is not that of the chain that was completed");
    EQUAL(done.len, len);
}

uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n;
}

// Runs one test to its end or its first failure, which is in `reason` then.
static bool passes(void (*test)(void))
{
    if (sigsetjmp(failed, 1) != 0)
        return false;
    limit_time(loops < LOOPS_BEFORE_QUICK ? LIMIT_MS : QUICK_LIMIT_MS);
    test();
    if (t.device.complaint)
        test_fail("mock_device.c", 0, "the device complains: %s", t.device.complaint);
    return true;
}

static bool run(unsigned i)
{
    random_state = 2463534242u;
    not_written = NULL;
    called = "nothing";
    bool ok = passes(tests[i].run) && !not_written;
    limit_time(0);
    if (ok)
        printf("ok %s\n", tests[i].name);
    else if (not_written)
        printf("FAIL %s: %s is yours to write\n", tests[i].name, not_written);
    else
        printf("FAIL %s: %s\n", tests[i].name, reason);
    fflush(stdout);
    clean_up();
    return ok;
}

static int find(const char *name)
{
    for (unsigned i = 0; i < TESTS; i++)
        if (strcmp(tests[i].name, name) == 0)
            return i;
    return -1;
}

int main(int argc, char **argv)
{
    unsigned failures = 0;
    signal(SIGPROF, out_of_time);
    if (argc == 2 && strcmp(argv[1], "-l") == 0) {
        for (unsigned i = 0; i < TESTS; i++)
            puts(tests[i].name);
        return 0;
    }
    int first = argc > 1 && strcmp(argv[1], "-q") == 0 ? 2 : 1;
    if (first == 2)
        loops = LOOPS_BEFORE_QUICK;
    for (int a = first; a < argc; a++) {
        int i = find(argv[a]);
        if (i < 0) {
            fprintf(stderr, "no test named %s; -l lists them\n", argv[a]);
            return 2;
        }
        failures += !run(i);
    }
    for (unsigned i = 0; argc == first && i < TESTS; i++)
        failures += !run(i);
    return failures > 0;
}
