// Many requests in flight, completed in any order, with data that is really moved, for long enough
// that every index wraps.

#include "test.h"

#include <string.h>

#define STORM_REQUESTS 200000
#define MAX_BUFS 4
#define BUF_BYTES 8

// A request with its buffers. The device answers each byte it reads with its complement.
struct request {
    unsigned nout, nin;
    bool in_flight;
    uint8_t out[MAX_BUFS][BUF_BYTES], in[MAX_BUFS][BUF_BYTES];
    uint8_t salt;
};

static struct request requests[VIRTQ_MAX_SIZE];

// What the device holds and has not completed.
static struct {
    uint16_t head;
    uint32_t len;
} held[VIRTQ_MAX_SIZE];
static unsigned held_count;

static int submit(struct request *request, unsigned nout, unsigned nin)
{
    struct virtq_buf out[MAX_BUFS], in[MAX_BUFS];
    memset(request->in, 0, sizeof(request->in));
    request->nout = nout;
    request->nin = nin;
    request->salt = random_below(256);
    for (unsigned i = 0; i < nout; i++) {
        memset(request->out[i], request->salt + i, BUF_BYTES);
        out[i] = (struct virtq_buf){(uintptr_t)request->out[i], BUF_BYTES};
    }
    for (unsigned i = 0; i < nin; i++)
        in[i] = (struct virtq_buf){(uintptr_t)request->in[i], BUF_BYTES};
    int r = virtq_add(&t.q, out, nout, in, nin, request);
    request->in_flight = r == 0;
    return r;
}

// The device takes what is available and does the work; it completes nothing yet.
static void device_works(void)
{
    while (mock_take(&t.device, &t.chain)) {
        uint8_t first = t.chain.nout > 0 ? *(uint8_t *)(uintptr_t)t.chain.out[0].addr : 0;
        for (unsigned i = 0; i < t.chain.nout; i++)
            EQUAL(*(uint8_t *)(uintptr_t)t.chain.out[i].addr, (uint8_t)(first + i));
        for (unsigned i = 0; i < t.chain.nin; i++)
            memset((void *)(uintptr_t)t.chain.in[i].addr, ~first, t.chain.in[i].len);
        CHECK(held_count < t.q.size, "more chains than the queue can hold");
        held[held_count].head = t.chain.head;
        held[held_count++].len = t.chain.nin * BUF_BYTES;
    }
    CHECK(!t.device.complaint, "%s", t.device.complaint);
}

// It completes some of them, any of them, and shows them together.
static unsigned device_completes(unsigned count)
{
    if (count > held_count)
        count = held_count;
    for (unsigned n = 0; n < count; n++) {
        unsigned i = random_below(held_count);
        mock_put(&t.device, held[i].head, held[i].len);
        held[i] = held[--held_count];
    }
    mock_show(&t.device);
    return count;
}

static void driver_takes(unsigned count)
{
    struct virtq_done done;
    for (unsigned n = 0; n < count; n++) {
        take(&done);
        struct request *request = done.token;
        CHECK(request >= requests && request < requests + VIRTQ_MAX_SIZE, "an unknown token");
        CHECK(request->in_flight, "a token came back twice");
        request->in_flight = false;
        EQUAL(done.len, request->nin * BUF_BYTES);
        uint8_t first = request->nout > 0 ? request->salt : 0;
        for (unsigned i = 0; i < request->nin; i++)
            EQUAL(request->in[i][BUF_BYTES - 1], (uint8_t)~first);
    }
    EQUAL(poll_used(&t.q, &done), 0);
}

static struct request *idle_request(unsigned *hint)
{
    for (;; *hint = (*hint + 1) % VIRTQ_MAX_SIZE)
        if (!requests[*hint].in_flight)
            return &requests[*hint];
}

// Runs at least `total` requests of random shape through a queue of `size`, in bursts.
static void storm(uint16_t size, unsigned total)
{
    unsigned done = 0, hint = 0;
    start(size);
    memset(requests, 0, sizeof(requests));
    held_count = 0;
    while (done < total) {
        unsigned burst = 1 + random_below(size < 64 ? size : 64);
        for (unsigned n = 0; n < burst; n++) {
            unsigned most = size < MAX_BUFS ? size : MAX_BUFS;
            unsigned count = 1 + random_below(most), nout = random_below(count + 1);
            int r = submit(idle_request(&hint), nout, count - nout);
            if (r == -ENOSPC) {
                CHECK(t.q.free_count < count, "-ENOSPC with %u descriptors free", t.q.free_count);
                break;
            }
            EQUAL(r, 0);
        }
        virtq_publish(&t.q);
        virtq_kick(&t.q);
        device_works();
        unsigned completed = device_completes(random_below(held_count + 1));
        driver_takes(completed);
        done += completed;
    }
    driver_takes(device_completes(size));
    EQUAL(t.q.in_flight, 0);
    EQUAL(t.q.free_count, size);
    EQUAL(t.q.stats.adds, t.q.stats.completions);
    if (total >= STORM_REQUESTS)
        CHECK(t.q.stats.adds > 2 * 65536, "the indices did not wrap");
}

void test_out_of_order(void)
{
    static int tokens[6];
    static const int order[] = {4, 1, 5, 0, 3, 2};
    uint16_t heads[6];
    start(16);
    for (int i = 0; i < 6; i++)
        heads[i] = give(&tokens[i], 4, 64);
    for (int i = 0; i < 6; i++)
        mock_complete(&t.device, heads[order[i]], order[i]);
    for (int i = 0; i < 6; i++)
        expect_done(&tokens[order[i]], order[i]);
}

// One buffer a request, taken and completed in order: only the indices are on trial.
static void go_round(uint16_t size)
{
    static int tokens[VIRTQ_MAX_SIZE];
    start(size);
    for (unsigned done = 0; done < STORM_REQUESTS;) {
        unsigned burst = 1 + random_below(size < 64 ? size : 64);
        for (unsigned n = 0; n < burst; n++)
            EQUAL(add(&tokens[n], 0, n + 1), 0);
        virtq_publish(&t.q);
        for (unsigned n = 0; n < burst; n++) {
            CHECK(mock_take(&t.device, &t.chain), "request %u is not in the available ring",
                  done + n);
            CHECK(t.chain.nin == 1 && t.chain.in[0].len == n + 1,
                  "request %u: the slot of the available ring has another chain's head", done + n);
            mock_put(&t.device, t.chain.head, n + 1);
        }
        mock_show(&t.device);
        for (unsigned n = 0; n < burst; n++)
            expect_done(&tokens[n], n + 1);
        done += burst;
    }
    EQUAL(t.q.in_flight, 0);
}

void test_round_1(void)
{
    go_round(1);
}
void test_round_2(void)
{
    go_round(2);
}
void test_round_256(void)
{
    go_round(256);
}
void test_round_1024(void)
{
    go_round(1024);
}

// Fewer requests than the queue has slots, of up to four buffers each.
void test_recycle(void)
{
    static int tokens[64];
    struct virtq_buf bufs[MAX_BUFS] = {{0x1000, 8}, {0x2000, 8}, {0x3000, 8}, {0x4000, 8}};
    uint16_t heads[12];
    start(64);
    for (unsigned burst = 0; burst < 5; burst++) {
        for (unsigned n = 0; n < 12; n++) {
            unsigned count = 1 + (n + burst) % MAX_BUFS, nout = n % (count + 1);
            EQUAL(virtq_add(&t.q, bufs, nout, bufs, count - nout, &tokens[n]), 0);
        }
        virtq_publish(&t.q);
        for (unsigned n = 0; n < 12; n++)
            heads[n] = t.q.avail->ring[(burst * 12 + n) % 64];
        for (unsigned n = 0; n < 12; n++)
            mock_complete(&t.device, heads[n], 0);
        for (unsigned n = 0; n < 12; n++)
            expect_done(&tokens[n], 0);
        CHECK(t.q.free_count == 64, "%u of 64 descriptors are free after all came back",
              t.q.free_count);
    }
    expect_all_free();
}

void test_wrap_1(void)
{
    storm(1, STORM_REQUESTS);
}
void test_wrap_2(void)
{
    storm(2, STORM_REQUESTS);
}
void test_wrap_256(void)
{
    storm(256, STORM_REQUESTS);
}
void test_wrap_1024(void)
{
    storm(1024, STORM_REQUESTS);
}

void expect_all_free(void)
{
    static struct virtq_buf bufs[VIRTQ_MAX_SIZE];
    bool seen[VIRTQ_MAX_SIZE] = {false};
    for (unsigned i = 0; i < t.q.size; i++)
        bufs[i] = (struct virtq_buf){0x1000, 1};
    EQUAL(virtq_add(&t.q, bufs, t.q.size, NULL, 0, bufs), 0);
    virtq_publish(&t.q);
    uint16_t i = t.q.avail->ring[(uint16_t)(t.q.avail->idx - 1) % t.q.size];
    for (unsigned n = 0; n < t.q.size; n++) {
        CHECK(i < t.q.size && !seen[i], "descriptor %u is in the free list twice", i);
        seen[i] = true;
        i = t.q.desc[i].next;
    }
}

void test_no_leak(void)
{
    storm(64, 5000);
    expect_all_free();
}
