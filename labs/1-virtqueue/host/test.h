// What the unit tests of the virtqueue share: a queue with a mock device on it, and CHECK.

#ifndef RINGFENCE_TEST_H
#define RINGFENCE_TEST_H

#include <stdio.h>

#include "kernel/abi.h"
#include "mock_device.h"

#define QUEUE_INDEX 3u // not 0, so that a forgotten index shows

// One test runs at a time; the runner frees what is left over.
struct fixture {
    struct virtq q;
    struct mock_device device;
    struct mock_chain chain; // the last one the device took
    void *ring;
    struct virtq_chain *private;
};
extern struct fixture t;

// The function that was called last: if a test does not come to an end, that is where it is.
extern const char *called;
#define virtq_init(...) (called = "virtq_init", virtq_init(__VA_ARGS__))
#define virtq_add(...) (called = "virtq_add", virtq_add(__VA_ARGS__))
#define virtq_publish(...) (called = "virtq_publish", virtq_publish(__VA_ARGS__))
#define virtq_kick(...) (called = "virtq_kick", virtq_kick(__VA_ARGS__))
#define poll_used(...) (called = "poll_used", poll_used(__VA_ARGS__))
#define virtq_poll(...) (called = "virtq_poll", virtq_poll(__VA_ARGS__))
#define virtq_enable_cb(...) (called = "virtq_enable_cb", virtq_enable_cb(__VA_ARGS__))
#define virtq_disable_cb(...) (called = "virtq_disable_cb", virtq_disable_cb(__VA_ARGS__))
#define virtq_take_back(...) (called = "virtq_take_back", virtq_take_back(__VA_ARGS__))

// Ends the test at once with a reason; line 0: that of the file as a whole.
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

// CHECK(condition, "what was expected", ...).
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, __VA_ARGS__);                                            \
    } while (0)

// Fails unless both are equal, and says what they are.
#define EQUAL(seen, expected)                                                                      \
    do {                                                                                           \
        long long seen_ = (long long)(seen), expected_ = (long long)(expected);                    \
        if (seen_ != expected_)                                                                    \
            test_fail(__FILE__, __LINE__, "%s is %lld, expected %lld", #seen, seen_, expected_);   \
    } while (0)

// A fresh queue of this size in exactly the memory it asked for, with the device attached.
void start(uint16_t size);

// Adds a chain of one readable and/or one writable buffer (length 0: none) for `token`;
// virtq_add()'s result.
int add(void *token, uint32_t out_len, uint32_t in_len);
// Adds, publishes; the head by which the device knows it.
uint16_t give(void *token, uint32_t out_len, uint32_t in_len);
// Takes a completion and fails unless there is one.
void take(struct virtq_done *done);
// The same, and it has to be that of `token` with `len`.
void expect_done(void *token, uint32_t len);
// Fails unless every descriptor is free, and in the free list once: adds a chain of all of them.
void expect_all_free(void);
// The same numbers from the same seed on every machine.
uint32_t random_below(uint32_t n);

// The tests, by file.
void test_init(void), test_bad_sizes(void), test_layout(void), test_every_size(void);
void test_publish(void), test_batch_one_kick(void), test_no_notify(void), test_callbacks(void);
void test_no_space(void), test_invalid(void), test_results(void), test_one_at_a_time(void);
void test_poll_budget(void), test_stats(void), test_round_robin(void);

void test_out_of_order(void), test_wrap_1(void), test_wrap_2(void), test_wrap_256(void);
void test_wrap_1024(void), test_no_leak(void), test_recycle(void);
void test_round_1(void), test_round_2(void), test_round_256(void), test_round_1024(void);

void test_id_out_of_range(void), test_id_not_in_flight(void), test_double_completion(void);
void test_mid_chain_id(void), test_length_too_long(void), test_index_jump(void);
void test_good_before_bad(void), test_scribble(void), test_take_back(void), test_break(void);

#endif
