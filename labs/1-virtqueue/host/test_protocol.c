// The ring protocol with an honest device, step by step.

#include "test.h"

#include <stdlib.h>
#include <string.h>

static int tokens[VIRTQ_MAX_SIZE]; // only their addresses are used

void test_init(void)
{
    start(64);
    EQUAL(t.q.size, 64);
    EQUAL(t.q.free_count, 64);
    EQUAL(t.q.in_flight, 0);
    EQUAL(t.q.avail_next, 0);
    EQUAL(t.q.last_used, 0);
    CHECK(!t.q.broken, "a fresh queue is broken");
    EQUAL(t.q.avail->idx, 0);
    EQUAL(t.q.used->idx, 0);
    CHECK(!t.q.callbacks && !mock_may_interrupt(&t.device), "notifications start enabled");
    EQUAL(mock_available(&t.device), 0);
    struct virtq_done done;
    EQUAL(poll_used(&t.q, &done), 0);
    CHECK(virtq_take_back(&t.q) == NULL, "a fresh queue gives a token back");
}

void test_bad_sizes(void)
{
    static const uint16_t bad[] = {0, 3, 5, 6, 7, 12, 100, 255, 257, 1000, 1023, 1025, 2048, 65535};
    start(1024);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct virtq q;
        int r = virtq_init(&q, bad[i], t.ring, t.private, &t.device.doorbell, 0, "bad");
        CHECK(r == -EINVAL, "size %u: virtq_init() returns %d, expected -EINVAL", bad[i], r);
    }
}

// Two buffers to read and three to write, seen as raw descriptors.
void test_layout(void)
{
    struct virtq_buf out[] = {{0x111122223333, 16}, {0x2000, 4096}};
    struct virtq_buf in[] = {{0x3000, 512}, {0x444455556666, 1}, {0x5000, 8}};
    start(8);
    EQUAL(virtq_add(&t.q, out, 2, in, 3, tokens), 0);
    EQUAL(t.q.free_count, 3);
    EQUAL(t.q.in_flight, 1);
    virtq_publish(&t.q);
    EQUAL(t.q.avail->idx, 1);

    uint16_t i = t.q.avail->ring[0];
    for (unsigned n = 0; n < 5; n++) {
        CHECK(i < 8, "descriptor %u of the chain has number %u", n, i);
        const struct virtq_buf *buf = n < 2 ? &out[n] : &in[n - 2];
        CHECK(t.q.desc[i].addr == buf->addr, "address of descriptor %u is wrong", n);
        EQUAL(t.q.desc[i].len, buf->len);
        EQUAL(t.q.desc[i].flags,
              (n >= 2 ? VIRTQ_DESC_F_WRITE : 0) | (n < 4 ? VIRTQ_DESC_F_NEXT : 0));
        i = t.q.desc[i].next;
    }
    CHECK(mock_take(&t.device, &t.chain), "the device finds no good chain");
    EQUAL(t.chain.nout, 2);
    EQUAL(t.chain.nin, 3);
}

// A chain as long as the queue, twice, and then one-descriptor chains in number, at every size.
void test_every_size(void)
{
    static struct virtq_buf bufs[VIRTQ_MAX_SIZE];
    for (unsigned size = 1; size <= VIRTQ_MAX_SIZE; size *= 2) {
        start(size);
        size_t rings = (char *)t.q.used - (char *)t.ring + 6 + 8 * (size_t)size;
        CHECK(virtq_ring_bytes(size) >= rings, "size %u: ring memory is too small", size);
        CHECK((uintptr_t)t.q.used % 4 == 0 && (uintptr_t)t.q.avail % 2 == 0, "misaligned");
        CHECK((char *)t.q.used >= (char *)&t.q.avail->ring[size + 1], "the rings overlap");
        for (unsigned i = 0; i < size; i++)
            bufs[i] = (struct virtq_buf){0x1000 * (i + 1), i + 1};
        for (unsigned round = 0; round < 2; round++) {
            unsigned nout = round ? size / 3 : size;
            EQUAL(virtq_add(&t.q, bufs, nout, bufs + nout, size - nout, tokens), 0);
            EQUAL(t.q.free_count, 0);
            virtq_publish(&t.q);
            CHECK(mock_take(&t.device, &t.chain), "size %u: no chain", size);
            EQUAL(t.chain.nout, nout);
            EQUAL(t.chain.nin, size - nout);
            for (unsigned i = nout; i < size; i++)
                EQUAL(t.chain.in[i - nout].addr, bufs[i].addr);
            mock_complete(&t.device, t.chain.head, 0);
            expect_done(tokens, 0);
        }
        for (unsigned i = 0; i < size; i++)
            mock_put(&t.device, give(&tokens[i], 0, 4), 4);
        EQUAL(add(tokens, 1, 0), -ENOSPC);
        mock_show(&t.device);
        for (unsigned i = 0; i < size; i++)
            expect_done(&tokens[i], 4);
        EQUAL(t.q.free_count, size);
    }
}

void test_publish(void)
{
    start(8);
    for (int i = 0; i < 3; i++) {
        EQUAL(add(&tokens[i], 4, 0), 0);
        EQUAL(mock_available(&t.device), 0);
    }
    virtq_publish(&t.q);
    EQUAL(mock_available(&t.device), 3);
    virtq_publish(&t.q);
    EQUAL(mock_available(&t.device), 3);
    EQUAL(add(&tokens[3], 4, 0), 0);
    EQUAL(mock_available(&t.device), 3);
}

void test_batch_one_kick(void)
{
    start(16);
    for (int i = 0; i < 5; i++)
        EQUAL(add(&tokens[i], 4, 4), 0);
    virtq_publish(&t.q);
    CHECK(!mock_kicked(&t.device, QUEUE_INDEX), "adding or publishing rings the doorbell");
    CHECK(virtq_kick(&t.q), "virtq_kick() says it did not ring");
    CHECK(mock_kicked(&t.device, QUEUE_INDEX), "the doorbell was not rung with the queue's index");
    EQUAL(t.q.stats.kicks, 1);
    for (int i = 0; i < 5; i++)
        CHECK(mock_take(&t.device, &t.chain), "chain %d is missing", i);
    CHECK(!mock_take(&t.device, &t.chain), "there are more chains than were added");
}

// Suppression, driver to device.
void test_no_notify(void)
{
    start(8);
    mock_no_notify(&t.device, true);
    give(&tokens[0], 4, 0);
    CHECK(!virtq_kick(&t.q), "virtq_kick() says it rang");
    CHECK(!mock_kicked(&t.device, QUEUE_INDEX), "rung although the device wants no kicks");
    EQUAL(t.q.stats.kicks_saved, 1);
    EQUAL(t.q.stats.kicks, 0);
    mock_no_notify(&t.device, false);
    CHECK(virtq_kick(&t.q) && mock_kicked(&t.device, QUEUE_INDEX), "not rung again");
    // Only bit 0 counts (2.7.10).
    t.q.used->flags = 0xfffe;
    CHECK(virtq_kick(&t.q) && mock_kicked(&t.device, QUEUE_INDEX), "other flag bits stop the kick");
}

// Suppression, device to driver, and the look that follows enabling.
void test_callbacks(void)
{
    start(8);
    uint16_t head = give(&tokens[0], 0, 4);
    CHECK(virtq_enable_cb(&t.q), "virtq_enable_cb() sees a completion that is not there");
    CHECK(t.q.callbacks && mock_may_interrupt(&t.device), "notifications are not enabled");
    virtq_disable_cb(&t.q);
    CHECK(!t.q.callbacks && !mock_may_interrupt(&t.device), "notifications are not disabled");
    mock_complete(&t.device, head, 4);
    CHECK(!virtq_enable_cb(&t.q), "virtq_enable_cb() misses a completion: a lost wake-up");
    expect_done(&tokens[0], 4);
    CHECK(virtq_enable_cb(&t.q), "virtq_enable_cb() sees a completion that was taken");
}

void test_no_space(void)
{
    start(4);
    uint16_t head = give(&tokens[0], 4, 0);
    EQUAL(add(&tokens[1], 4, 4), 0);
    struct virtq_buf out[] = {{0x1000, 1}, {0x2000, 1}};
    EQUAL(virtq_add(&t.q, out, 2, NULL, 0, &tokens[2]), -ENOSPC);
    EQUAL(t.q.free_count, 1);
    EQUAL(t.q.in_flight, 2);
    EQUAL(add(&tokens[2], 4, 0), 0);
    EQUAL(add(&tokens[3], 4, 0), -ENOSPC);
    virtq_publish(&t.q);
    EQUAL(mock_available(&t.device), 2);
    mock_complete(&t.device, head, 0);
    expect_done(&tokens[0], 0);
    EQUAL(virtq_add(&t.q, out, 2, NULL, 0, &tokens[0]), -ENOSPC);
    EQUAL(add(&tokens[0], 4, 0), 0);
    EQUAL(add(&tokens[3], 4, 0), -ENOSPC);
}

void test_invalid(void)
{
    struct virtq_buf five[5], huge[] = {{0x1000, 0xffffffff}, {0x2000, 1}};
    for (int i = 0; i < 5; i++)
        five[i] = (struct virtq_buf){0x1000, 8};
    start(4);
    EQUAL(add(tokens, 0, 0), -EINVAL);
    EQUAL(virtq_add(&t.q, five, 5, NULL, 0, tokens), -EINVAL);
    EQUAL(virtq_add(&t.q, five, 2, five, 3, tokens), -EINVAL);
    EQUAL(virtq_add(&t.q, five, 1, five, 0u - 1, tokens), -EINVAL);
    EQUAL(add(NULL, 4, 0), -EINVAL);
    EQUAL(virtq_add(&t.q, NULL, 0, huge, 2, tokens), -EINVAL);
    five[1].len = 0;
    EQUAL(virtq_add(&t.q, five, 2, NULL, 0, tokens), -EINVAL);
    EQUAL(virtq_add(&t.q, NULL, 0, five, 2, tokens), -EINVAL);
    // Nothing of it is left behind.
    EQUAL(t.q.free_count, 4);
    EQUAL(t.q.in_flight, 0);
    virtq_publish(&t.q);
    EQUAL(mock_available(&t.device), 0);
    give(tokens, 4, 4);
}

void test_results(void)
{
    start(8);
    uint16_t a = give(&tokens[0], 4, 100), b = give(&tokens[1], 4, 0), c = give(&tokens[2], 0, 7);
    mock_complete(&t.device, a, 100);
    expect_done(&tokens[0], 100);
    mock_complete(&t.device, b, 0);
    expect_done(&tokens[1], 0);
    mock_complete(&t.device, c, 3);
    expect_done(&tokens[2], 3);
}

void test_one_at_a_time(void)
{
    struct virtq_done done;
    start(8);
    for (int i = 0; i < 3; i++)
        mock_put(&t.device, give(&tokens[i], 0, 8), i);
    EQUAL(poll_used(&t.q, &done), 0);
    mock_show(&t.device);
    for (int i = 0; i < 3; i++) {
        EQUAL(t.q.in_flight, 3 - i);
        expect_done(&tokens[i], i);
    }
    EQUAL(poll_used(&t.q, &done), 0);
}

void test_poll_budget(void)
{
    struct virtq_done done = {NULL, 0};
    start(8);
    uint16_t head = give(&tokens[0], 0, 8);
    EQUAL(virtq_poll(&t.q, 100, &done), 0);
    EQUAL(t.q.stats.polls, 100);
    EQUAL(t.q.stats.spins, 100);
    mock_complete(&t.device, head, 8);
    EQUAL(virtq_poll(&t.q, 0, &done), 0);
    EQUAL(t.q.stats.polls, 100);
    EQUAL(virtq_poll(&t.q, 100, &done), 1);
    CHECK(done.token == &tokens[0], "wrong token");
    EQUAL(t.q.stats.polls, 101);
    EQUAL(t.q.stats.spins, 100);
}

void test_stats(void)
{
    start(8);
    for (int i = 0; i < 4; i++) {
        uint64_t before = t.q.stats.fences;
        uint16_t head = give(&tokens[i], 4, 50);
        CHECK(t.q.stats.fences > before, "virtq_publish() counts no fence");
        before = t.q.stats.fences;
        virtq_kick(&t.q);
        CHECK(t.q.stats.fences > before, "virtq_kick() counts no fence");
        mock_complete(&t.device, head, 10 + i);
        before = t.q.stats.fences;
        expect_done(&tokens[i], 10 + i);
        CHECK(t.q.stats.fences > before, "poll_used() counts no fence for a completion");
        before = t.q.stats.fences;
        virtq_enable_cb(&t.q);
        CHECK(t.q.stats.fences > before, "virtq_enable_cb() counts no fence");
    }
    EQUAL(t.q.stats.adds, 4);
    EQUAL(t.q.stats.completions, 4);
    EQUAL(t.q.stats.bytes, 10 + 11 + 12 + 13);
    EQUAL(t.q.stats.kicks, 4);
    EQUAL(t.q.stats.errors, 0);
}

// Descriptors are used in turn: no number comes back before every other free one has been used.
void test_round_robin(void)
{
    uint64_t last_used_at[8];
    start(8);
    for (unsigned i = 0; i < 8; i++)
        last_used_at[i] = 0;
    for (uint64_t now = 1; now <= 100; now++) {
        uint16_t head = give(tokens, 0, 4);
        for (unsigned i = 0; i < 8; i++)
            CHECK(last_used_at[head] <= last_used_at[i], "descriptor %u is used again before %u",
                  head, i);
        last_used_at[head] = now;
        mock_complete(&t.device, head, 0);
        expect_done(tokens, 0);
    }
}
