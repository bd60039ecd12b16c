// usertests: sleeping and clocks. A sleep may last longer than requested, on a busy host much
// longer. So these tests check only lower bounds.

#include "user/usertests/usertests.h"

#define TICK_NS (TICK_MS * MS)

static void nanosleep_works(void)
{
    static const uint64_t times[] = {0, 1, 1000, MS, 7 * MS, 30 * MS, 150 * MS};
    for (unsigned i = 0; i < ARRAY_SIZE(times); i++) {
        uint64_t start = clock_gettime();
        EXPECT(nanosleep(times[i]), 0);
        CHECK(clock_gettime() - start >= times[i]);
    }
}

static void pause_works(void)
{
    EXPECT(pause(0), 0);
    EXPECT(pause(-1), 0);
    EXPECT(sleep(0), 0);
    for (int ticks = 1; ticks <= 3; ticks++) {
        uint64_t start = clock_gettime();
        int up = uptime();
        EXPECT(pause(ticks), 0);
        // As in xv6, a sleep counts the ends of ticks, and the first tick may be almost over.
        CHECK(clock_gettime() - start >= (ticks - 1) * TICK_NS);
        CHECK(uptime() - up >= ticks);
    }
}

// Many processes sleep at once, each long enough.
static void many_sleepers(void)
{
    for (int i = 0; i < 20; i++) {
        if (START() != 0)
            continue;
        for (int j = 0; j < 4; j++) {
            uint64_t time = ((i * 7 + j * 13) % 20 + 1) * 5 * MS, start = clock_gettime();
            EXPECT(nanosleep(time), 0);
            CHECK(clock_gettime() - start >= time);
        }
        exit(0);
    }
    uint64_t start = clock_gettime();
    JOIN_ALL(20);
    // They slept at the same time. One after the other would take at least 4 seconds.
    CHECK(clock_gettime() - start < 4 * 1000 * MS);
}

static void clock_monotonic(void)
{
    uint64_t last = clock_gettime();
    for (int i = 0; i < 20000; i++) {
        uint64_t now = clock_gettime();
        CHECK(now >= last);
        last = now;
    }
    nanosleep(10 * MS);
    CHECK(clock_gettime() > last);
}

// Time never goes backwards, even between harts.
static void clock_across_processes(void)
{
    int there[2], back[2];
    EXPECT(pipe(there), 0);
    EXPECT(pipe(back), 0);
    int pid = START();
    if (pid == 0) {
        uint64_t time;
        close(there[1]);
        while (read(there[0], &time, sizeof(time)) == sizeof(time)) {
            uint64_t now = clock_gettime();
            CHECK(now >= time);
            EXPECT(write(back[1], &now, sizeof(now)), sizeof(now));
        }
        exit(0);
    }
    for (int i = 0; i < 300; i++) {
        uint64_t time = clock_gettime();
        EXPECT(write(there[1], &time, sizeof(time)), sizeof(time));
        EXPECT(read(back[0], &time, sizeof(time)), sizeof(time));
        CHECK(clock_gettime() >= time);
    }
    close(there[1]);
    JOIN(pid, 0);
}

// The clocks agree: uptime() in ticks, clock_gettime() in nanoseconds, and the register that both
// use.
static void clocks_agree(void)
{
    uint64_t before = clock_gettime();
    int up = uptime();
    uint64_t after = clock_gettime();
    CHECK((uint64_t)up >= before / TICK_NS && (uint64_t)up <= after / TICK_NS);
    uint64_t time = read_time(), start = clock_gettime();
    nanosleep(50 * MS);
    uint64_t time_passed = read_time() - time, passed = clock_gettime() - start;
    CHECK(time_passed > 0);
    // Two measurements of the rate of the register must roughly agree.
    uint64_t rate = time_passed * 1000 / (passed / MS);
    time = read_time();
    start = clock_gettime();
    nanosleep(50 * MS);
    time_passed = read_time() - time;
    passed = clock_gettime() - start;
    uint64_t rate2 = time_passed * 1000 / (passed / MS);
    CHECK(rate2 > rate / 2 && rate2 < rate * 2);
}

const struct test time_tests[] = {
    {"nanosleep", nanosleep_works, false},
    {"pause", pause_works, false},
    {"many-sleepers", many_sleepers, false},
    {"clock", clock_monotonic, false},
    {"clock-processes", clock_across_processes, false},
    {"clocks-agree", clocks_agree, false},
    {0},
};
