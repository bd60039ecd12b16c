// A virtqueue driver with interchangeable fences, for vqsan's self-test. It drives virtio-rng with
// one or two requests in flight and checks every answer. The eight bytes at PARAMETERS choose the
// fence for each place; test_vqsan.py writes them. So one guest can be any driver: each kind of
// correct one and each kind of wrong one.
//
// It ends with END_GOOD if all answers were right, and with END_BITTEN if something happened that
// only a missing fence explains. Tests look up lines of this file by their comments.

#include "grade/tests/support/vqsan/selftest/machine.h"

#define PARAMETERS (*(const struct parameters *)0x80100000)
struct parameters {
    uint8_t rmb, wmb, kick, enable, iob; // an enum shape for each place
    uint8_t mode;                        // bits of MODE_...
    uint8_t requests;                    // in hundreds
    uint8_t harts;
};

// What orders two accesses. One list serves all five places.
enum shape {
    NONE,
    FENCE_RR,
    FENCE_RRW,
    FENCE_RWRW,
    FENCE_TSO,
    FENCE_WW,
    FENCE_RWW,
    FENCE_WR,
    FENCE_WRW,
    FENCE_RWR,
    FENCE_I,
    AMO_PLAIN,
    AMO_AQ, // like taking a lock in between
    AMO_AQRL,
    AMO_RL_AQ, // like releasing a lock and taking it again
    FENCE_WO,
    FENCE_ALL,
    LOAD_AQ,    // rmb: an lr.aq loads the index
    ADDRESS,    // rmb: the address of the element is computed from the index
    AMO_RL_IDX, // wmb: an amoadd.rl stores the index
    WIDE,       // rmb: no fence, and one load of eight bytes reads the element
};

enum {
    MODE_SLEEP = 1,    // wait for an interrupt, else poll
    MODE_EVENT = 2,    // VIRTIO_F_EVENT_IDX
    MODE_INDIRECT = 4, // VIRTIO_F_INDIRECT_DESC
    MODE_RESET = 8,    // halfway through, reset the device and start again
    MODE_EARLY = 16,   // read the element before the index
    MODE_HOISTED = 32, // look once, then wait for a register to change
    MODE_NO_IR = 64,   // no fence i,r after reading the interrupt status
    MODE_FORGET = 128, // sleep without asking for an interrupt
};
// With two harts, MODE_SLEEP means: hart 1 looks at the index but does not wait, see be_hart_1().
#define MODE_BESIDE MODE_SLEEP

#define SIZE 8 // of the queue

static struct {
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags, next;
    } desc[SIZE];
    struct {
        uint16_t flags, idx, ring[SIZE], used_event;
    } avail;
    _Alignas(16) struct {
        uint16_t flags, idx;
        struct {
            uint32_t id, len;
        } ring[SIZE];
        uint16_t avail_event;
    } used;
} ring __attribute__((aligned(4096)));

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

static struct {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} tables[SIZE] __attribute__((aligned(4096)));
static uint64_t answers[SIZE];

// If several harts drive, `lock` guards these.
static uint16_t next_avail, last_used, kicked;
static uint32_t to_ask, to_take;
static volatile int lock, dummy, done;

#define CASE(shape, text)                                                                          \
    case shape:                                                                                    \
        asm volatile(text ::"r"(&dummy) : "memory");                                               \
        break

static __attribute__((noinline)) void order(enum shape shape)
{
    switch (shape) {
        CASE(FENCE_RR, "fence r, r");
        CASE(FENCE_RRW, "fence r, rw");
        CASE(FENCE_RWRW, "fence rw, rw");
        CASE(FENCE_TSO, "fence.tso");
        CASE(FENCE_WW, "fence w, w");
        CASE(FENCE_RWW, "fence rw, w");
        CASE(FENCE_WR, "fence w, r");
        CASE(FENCE_WRW, "fence w, rw");
        CASE(FENCE_RWR, "fence rw, r");
        CASE(FENCE_I, "fence.i");
        CASE(FENCE_WO, "fence w, o");
        CASE(FENCE_ALL, "fence iorw, iorw");
        CASE(AMO_PLAIN, "amoadd.w zero, zero, (%0)");
        CASE(AMO_AQ, "amoadd.w.aq zero, zero, (%0)");
        CASE(AMO_AQRL, "amoadd.w.aqrl zero, zero, (%0)");
        CASE(AMO_RL_AQ, "amoadd.w.rl zero, zero, (%0)\n\tamoadd.w.aq zero, zero, (%0)");
    default: // NONE, and shapes that other code implements
        asm volatile("" ::: "memory");
    }
}

// ---- the device ----

static void set_up(void)
{
    uint32_t features = (PARAMETERS.mode & MODE_EVENT ? 1u << 29 : 0) |
                        (PARAMETERS.mode & MODE_INDIRECT ? 1u << 28 : 0);
    if (REG(REG_MAGIC) != 0x74726976 || REG(REG_VERSION) != 2 || REG(REG_DEVICE_ID) != 4)
        end(END_FAILED, "no virtio-rng, version 2, in slot 0");
    REG(REG_STATUS) = 0;
    while (REG(REG_STATUS) != 0)
        ;
    REG(REG_STATUS) = 1;
    REG(REG_STATUS) = 3;
    REG(REG_DRIVER_FEATURES_SEL) = 0;
    REG(REG_DRIVER_FEATURES) = features;
    REG(REG_DRIVER_FEATURES_SEL) = 1;
    REG(REG_DRIVER_FEATURES) = 1; // VERSION_1
    REG(REG_STATUS) = 11;
    if (!(REG(REG_STATUS) & 8))
        end(END_FAILED, "features refused");
    for (unsigned i = 0; i < sizeof(ring) / 8; i++)
        ((volatile uint64_t *)&ring)[i] = 0;
    next_avail = last_used = kicked = 0;
    WRITE_ONCE(ring.avail.flags, PARAMETERS.mode & MODE_EVENT ? 0 : 1);
    WRITE_ONCE(ring.avail.used_event, 0x8000);
    REG(REG_QUEUE_SEL) = 0;
    REG(REG_QUEUE_NUM) = SIZE;
    REG(REG_DESC) = (uintptr_t)&ring.desc;
    REG(REG_DESC + 4) = 0;
    REG(REG_AVAIL) = (uintptr_t)&ring.avail;
    REG(REG_AVAIL + 4) = 0;
    REG(REG_USED) = (uintptr_t)&ring.used;
    REG(REG_USED + 4) = 0;
    order(FENCE_ALL);
    REG(REG_QUEUE_READY) = 1;
    REG(REG_STATUS) = 15;
}

// ---- to the device ----

// The descriptor of request n. In each round of the ring, a slot holds a different one. So an
// element left from the previous round is never right by accident.
static unsigned head_of(uint16_t n)
{
    return (n + n / SIZE) % SIZE;
}

static void publish(void)
{
    order(PARAMETERS.wmb);
    if (PARAMETERS.wmb == AMO_RL_IDX) {
        // flags and idx share one word; adding to its upper half adds to idx.
        volatile uint32_t *word = (volatile uint32_t *)(void *)&ring.avail;
        asm volatile("amoadd.w.rl zero, %1, %0" : "+A"(*word) : "r"(0x10000) : "memory");
    } else {
        WRITE_ONCE(ring.avail.idx, next_avail); // publish
    }
}

static void kick(void)
{
    order(PARAMETERS.kick);
    if (PARAMETERS.mode & MODE_EVENT) {
        uint16_t event = READ_ONCE(ring.used.avail_event), old = kicked;
        kicked = next_avail;
        if ((uint16_t)(next_avail - event - 1) >= (uint16_t)(next_avail - old))
            return;
    } else if (READ_ONCE(ring.used.flags) & 1) {
        return;
    }
    order(PARAMETERS.iob);
    REG(REG_QUEUE_NOTIFY) = 0; // the doorbell
}

static void ask(void)
{
    unsigned head = head_of(next_avail);
    bool indirect = PARAMETERS.mode & MODE_INDIRECT;
    if (indirect) {
        WRITE_ONCE(tables[head].addr, (uintptr_t)&answers[head]);
        WRITE_ONCE(tables[head].len, 8);
        WRITE_ONCE(tables[head].flags, 2);
    }
    WRITE_ONCE(ring.desc[head].addr,
               indirect ? (uintptr_t)&tables[head] : (uintptr_t)&answers[head]);
    WRITE_ONCE(ring.desc[head].len, indirect ? 16 : 8);
    WRITE_ONCE(ring.desc[head].flags, indirect ? 4 : 2);
    WRITE_ONCE(ring.avail.ring[next_avail % SIZE], head); // the entry
    next_avail++;
    to_ask--;
    publish();
    kick();
}

// ---- from the device ----

static uint16_t load_index(void)
{
    uint32_t word;
    if (PARAMETERS.rmb != LOAD_AQ)
        return READ_ONCE(ring.used.idx); // the index
    asm volatile("lr.w.aq %0, %1" : "=r"(word) : "A"(*(volatile uint32_t *)(void *)&ring.used));
    return word >> 16;
}

// QEMU's virtio-rng answers requests in order.
static void check(uint32_t id, uint32_t len)
{
    if (id != head_of(last_used) || len != 8)
        end(END_BITTEN, "bitten: a used element that is not the expected one");
    last_used++;
    to_take--;
}

// Takes one answer if there is one.
static bool take(void)
{
    uint32_t early = 0, slot = last_used % SIZE;
    if (PARAMETERS.mode & MODE_EARLY)
        early = READ_ONCE(ring.used.ring[slot].id);
    uint16_t index = load_index();
    if (index == last_used)
        return false;
    if (PARAMETERS.rmb == ADDRESS) {
        // Computes from the index the slot of the oldest element not taken.
        slot = (uint16_t)(index - (uint16_t)(index - last_used));
        asm volatile("sub %0, %1, %2" : "=r"(slot) : "r"(index), "r"(index - last_used));
        slot %= SIZE;
    } else {
        order(PARAMETERS.rmb);
    }
    if (PARAMETERS.rmb == WIDE) {
        uint64_t both;
        asm volatile("ld %0, %1"
                     : "=r"(both)
                     : "m"(ring.used.ring[slot])); // the element's id and len
        check((uint32_t)both, both >> 32);
        return true;
    }
    uint32_t id = early;
    if (!(PARAMETERS.mode & MODE_EARLY))
        id = READ_ONCE(ring.used.ring[slot].id); // the element's id
    check(id, READ_ONCE(ring.used.ring[slot].len));
    return true;
}

// ---- waiting ----

// After this many timers in a row without an answer, none will come.
#define PATIENCE 20
#define SLEEP_MS 10

static struct {
    unsigned timers;
    uint32_t to_take; // when the hart began to wait
} patience[8];        // one per hart

static void be_patient(unsigned hart)
{
    patience[hart].timers = PATIENCE;
    patience[hart].to_take = to_take;
    timer_start(1);
}

// Call repeatedly while no answer comes.
static bool out_of_patience(unsigned hart)
{
    if (patience[hart].to_take != to_take)
        be_patient(hart);
    if (!timer_ended())
        return false;
    timer_start(1);
    return --patience[hart].timers == 0;
}

static void enable(bool on)
{
    if (PARAMETERS.mode & MODE_EVENT)
        WRITE_ONCE(ring.avail.used_event, on ? last_used : last_used + 0x8000);
    else
        WRITE_ONCE(ring.avail.flags, !on);
}

static void wait_by_interrupt(void)
{
    if (!(PARAMETERS.mode & MODE_FORGET)) {
        enable(true);
        order(PARAMETERS.enable);
        if (READ_ONCE(ring.used.idx) != last_used) {
            enable(false);
            return;
        }
    }
    timer_start(SLEEP_MS);
    if (sleep_until_interrupt()) {
        uint32_t status = REG(REG_INTERRUPT_STATUS);
        REG(REG_INTERRUPT_ACK) = status;
        if (!(PARAMETERS.mode & MODE_NO_IR))
            asm volatile("fence i, r" ::: "memory");
        interrupt_done();
    } else if (READ_ONCE(ring.used.idx) != last_used && !(PARAMETERS.mode & MODE_FORGET)) {
        // The answer is there. Is its interrupt still coming?
        be_patient(0);
        while (!interrupt_pending())
            if (out_of_patience(0))
                end(END_BITTEN, "bitten: an answer and no interrupt");
    }
    enable(false);
}

// What a compiler may make of a loop over a plain load: it loads once, before the loop.
static void wait_on_register(void)
{
    uint64_t turns = 3000000;
    uint64_t index = READ_ONCE(ring.used.idx); // read once, then the register
    asm volatile("1: bne %1, %2, 2f\n\taddi %0, %0, -1\n\tbnez %0, 1b\n2:"
                 : "+r"(turns)
                 : "r"(index), "r"((uint64_t)last_used));
}

static void wait_a_moment(void)
{
    if (PARAMETERS.mode & MODE_FORGET)
        for (unsigned i = 0; i < 150; i++)
            if (READ_ONCE(ring.used.idx) != last_used)
                return;
    if (PARAMETERS.mode & MODE_FORGET)
        wait_by_interrupt();
    else if (PARAMETERS.mode & MODE_HOISTED)
        wait_on_register();
}

static void drive(void)
{
    be_patient(0);
    while (to_take > 0) {
        // Sixteen requests one at a time, so that each kick matters; then sixteen two at a time.
        unsigned depth = next_avail & 16 ? 2 : 1;
        while (to_ask > 0 && (uint16_t)(next_avail - last_used) < depth)
            ask();
        if (PARAMETERS.mode & MODE_SLEEP)
            wait_by_interrupt();
        if (take())
            continue;
        if (out_of_patience(0))
            end(END_BITTEN, "bitten: a request without an answer");
        wait_a_moment();
    }
}

// ---- several harts ----

static void acquire(void)
{
    for (;;) {
        int taken;
        asm volatile("amoswap.w.aq %0, %1, %2" : "=r"(taken), "+r"((int){1}), "+A"(lock)::"memory");
        if (!taken)
            return;
        while (lock)
            ;
    }
}

// Releases the lock, in turn by an amo with .rl or by a fence and a store.
static void give_back(unsigned turn)
{
    if (turn & 1)
        asm volatile("amoswap.w.rl zero, zero, %0" : "+A"(lock)::"memory");
    else
        asm volatile("fence rw, w\n\tsw zero, %0" : "=m"(lock)::"memory");
}

// All harts drive the queue under one lock. Before taking it, they look at the index without it.
static void drive_together(unsigned hart)
{
    be_patient(hart);
    for (unsigned turn = 0; !done; turn++) {
        if (READ_ONCE(ring.used.idx) == READ_ONCE(last_used) && (turn & 3))
            continue;
        acquire();
        unsigned depth = next_avail & 16 ? 4 : 1;
        if (to_ask > 0 && (uint16_t)(next_avail - last_used) < depth)
            ask();
        while (to_take > 0 && take())
            ;
        if (to_take == 0)
            done = 1;
        else if (out_of_patience(hart))
            end(END_BITTEN, "bitten: a request without an answer");
        give_back(turn);
    }
}

static volatile int scene; // of the two functions below

static void wait_for_scene(int number)
{
    while (scene != number)
        ;
}

static void wait_for_timers(unsigned count)
{
    for (; count > 0; count--) {
        timer_start(SLEEP_MS);
        while (!timer_ended())
            ;
    }
}

// First, hart 0 asks, looks too early, and waits a long time for a lock. Meanwhile the answer
// comes: hart 0 does not see it, but has done nothing wrong. Then hart 1 looks in vain, as at the
// end of an interrupt, and goes to sleep after hart 0 has asked again: hart 1 does not wait for
// that answer.
static void ask_beside_hart_1(void)
{
    wait_for_scene(1);
    ask();
    (void)READ_ONCE(ring.used.idx);
    scene = 2;
    acquire();
    give_back(0);
    while (!take())
        ;
    scene = 3;
    wait_for_scene(4);
    ask();
    scene = 5;
    wait_for_timers(1);
    drive();
}

static void be_hart_1(void)
{
    acquire();
    scene = 1;
    wait_for_scene(2);
    wait_for_timers(2);
    give_back(0);
    wait_for_scene(3);
    (void)READ_ONCE(ring.used.idx);
    scene = 4;
    wait_for_scene(5);
}

void start(uint64_t hart)
{
    static volatile int ready;
    uint32_t requests = 100 * PARAMETERS.requests;
    if (hart == 0) {
        interrupt_init();
        to_ask = to_take = requests;
        set_up();
        asm volatile("fence iorw, iorw" ::: "memory");
        ready = 1;
    } else {
        while (!ready)
            ;
        asm volatile("fence iorw, iorw" ::: "memory");
    }
    if (PARAMETERS.harts > 1) {
        if (PARAMETERS.mode & MODE_BESIDE)
            hart == 0 ? ask_beside_hart_1() : be_hart_1();
        else if (hart < PARAMETERS.harts)
            drive_together(hart);
        if (hart != 0)
            return;
        print_number("answers: ", requests);
        end(END_GOOD, "good");
    }
    drive();
    if (PARAMETERS.mode & MODE_RESET) {
        to_ask = to_take = requests;
        set_up();
        drive();
    }
    print_number("answers: ", requests);
    end(END_GOOD, "good");
}
