// A device that lies: whatever it puts into the used ring, the driver notices, marks the queue
// broken and touches no memory it should not (the sanitizers watch), and every token comes back
// once.

#include "test.h"

static int tokens[8];

// The driver has noticed: nothing goes on, and exactly tokens[from..to) come back.
static void expect_broken(int from, int to)
{
    struct virtq_done done;
    bool back[8] = {false};
    void *token;
    EQUAL(poll_used(&t.q, &done), -EIO);
    CHECK(t.q.broken, "the queue is not marked broken");
    CHECK(t.q.broken_by != NULL, "no reason is given");
    EQUAL(t.q.stats.errors, 1);
    EQUAL(poll_used(&t.q, &done), -EIO);
    EQUAL(virtq_poll(&t.q, 10, &done), -EIO);
    EQUAL(add(&tokens[7], 4, 0), -EIO);
    mock_kicked(&t.device, QUEUE_INDEX);
    CHECK(!virtq_kick(&t.q) && !mock_kicked(&t.device, QUEUE_INDEX), "a broken queue is kicked");
    CHECK(!virtq_enable_cb(&t.q), "virtq_enable_cb() lets the caller sleep on a broken queue");
    EQUAL(t.q.stats.errors, 1);
    while ((token = virtq_take_back(&t.q)) != NULL) {
        long i = (int *)token - tokens;
        CHECK(i >= from && i < to, "a token came back that was not in flight");
        CHECK(!back[i], "a token came back twice");
        back[i] = true;
    }
    for (int i = from; i < to; i++)
        CHECK(back[i], "token %d never came back", i);
    EQUAL(t.q.in_flight, 0);
}

void test_id_out_of_range(void)
{
    static const uint32_t bad[] = {8, 9, 65535, 65536, 65537, 0x80000000, 0xffffffff};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start(8);
        give(&tokens[0], 4, 4);
        give(&tokens[1], 4, 4);
        mock_complete(&t.device, bad[i], 0);
        expect_broken(0, 2);
    }
}

void test_id_not_in_flight(void)
{
    start(8);
    uint16_t head = give(&tokens[0], 4, 0);
    mock_complete(&t.device, (head + 5) % 8, 0);
    expect_broken(0, 1);
}

void test_double_completion(void)
{
    start(8);
    uint16_t head = give(&tokens[0], 4, 4);
    give(&tokens[1], 4, 4);
    mock_complete(&t.device, head, 4);
    expect_done(&tokens[0], 4);
    mock_complete(&t.device, head, 4);
    expect_broken(1, 2);

    // Both at once.
    start(8);
    head = give(&tokens[0], 4, 4);
    give(&tokens[1], 4, 4);
    mock_put(&t.device, head, 4);
    mock_complete(&t.device, head, 4);
    expect_done(&tokens[0], 4);
    expect_broken(1, 2);
}

void test_mid_chain_id(void)
{
    start(8);
    uint16_t head = give(&tokens[0], 4, 4);
    mock_complete(&t.device, t.q.desc[head].next, 0);
    expect_broken(0, 1);
}

void test_length_too_long(void)
{
    // As long as may be is fine.
    start(8);
    mock_complete(&t.device, give(&tokens[0], 100, 16), 16);
    expect_done(&tokens[0], 16);

    static const struct {
        uint32_t writable, len;
    } bad[] = {{16, 17}, {16, 116}, {0, 1}, {16, 0xffffffff}, {1, 0x80000001}};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start(8);
        mock_complete(&t.device, give(&tokens[0], 100, bad[i].writable), bad[i].len);
        expect_broken(0, 1);
    }
}

// used->idx further than what is in flight, and backwards. The ring holds only elements that would
// pass.
void test_index_jump(void)
{
    static const int jumps[] = {3, 4, 8, 9, 100, 32768, 65535};
    for (unsigned i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        start(8);
        uint16_t a = give(&tokens[0], 4, 4), b = give(&tokens[1], 4, 4);
        for (unsigned n = 0; n < 8; n++)
            mock_put(&t.device, n % 2 ? b : a, 0);
        mock_set_index(&t.device, jumps[i]);
        expect_broken(0, 2);
    }
    // With nothing in flight any step is one too many.
    start(8);
    mock_set_index(&t.device, 1);
    expect_broken(0, 0);
}

// What came before the lie is delivered.
void test_good_before_bad(void)
{
    start(8);
    uint16_t a = give(&tokens[0], 4, 4), b = give(&tokens[1], 0, 4);
    give(&tokens[2], 4, 4);
    mock_put(&t.device, a, 4);
    mock_put(&t.device, b, 2);
    mock_complete(&t.device, 999, 0);
    expect_done(&tokens[0], 4);
    expect_done(&tokens[1], 2);
    expect_broken(2, 3);
    EQUAL(t.q.broken_value, 999);
}

// The device, or a bug of its own, overwrites the descriptors: the driver has what it needs
// elsewhere.
void test_scribble(void)
{
    start(64);
    for (int round = 0; round < 20; round++) {
        uint16_t a = give(&tokens[0], 4, 4), b = give(&tokens[1], 4, 4), c = give(&tokens[2], 0, 4);
        mock_scribble(&t.q);
        mock_complete(&t.device, a, 4);
        mock_complete(&t.device, b, 4);
        mock_complete(&t.device, c, 4);
        expect_done(&tokens[0], 4);
        expect_done(&tokens[1], 4);
        expect_done(&tokens[2], 4);
        EQUAL(t.q.free_count, 64);
    }
    expect_all_free();
}

// The device was reset: tokens in flight come back, completed ones do not.
void test_take_back(void)
{
    start(8);
    uint16_t head = give(&tokens[0], 4, 4);
    give(&tokens[1], 4, 4);
    give(&tokens[2], 4, 0);
    EQUAL(add(&tokens[3], 4, 0), 0); // not even published
    mock_complete(&t.device, head, 4);
    expect_done(&tokens[0], 4);
    virtq_break(&t.q, "device reset", 0);
    expect_broken(1, 4);
    EQUAL(t.q.free_count, t.q.size);
}

void test_break(void)
{
    struct virtq_done done;
    start(8);
    uint16_t head = give(&tokens[0], 4, 4);
    mock_complete(&t.device, head, 4);
    virtq_break(&t.q, "no answer", 30);
    virtq_break(&t.q, "again", 31);
    EQUAL(poll_used(&t.q, &done), -EIO);
    EQUAL(t.q.broken_value, 30);
    expect_broken(0, 1);
}
