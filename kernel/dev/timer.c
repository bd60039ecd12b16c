// Time: the `time` register counts since boot; each hart's timer interrupts it 100 times a second, and
// earlier when a sleep ends before that.
//
// The tick stays on while a hart idles: under QEMU's -icount a machine without any timer armed runs its clock
// ahead instead of waiting.

#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/proc/proc.h"

#define NS_PER_SECOND 1000000000ul

uint64_t timebase;

uint64_t time_now(void)
{
    uint64_t now;
    asm volatile("rdtime %0" : "=r"(now));
    return now;
}

// In two parts, so that nothing overflows.
uint64_t time_to_ns(uint64_t ticks)
{
    return ticks / timebase * NS_PER_SECOND + ticks % timebase * NS_PER_SECOND / timebase;
}

uint64_t ns_to_time(uint64_t ns)
{
    return ns / NS_PER_SECOND * timebase + ns % NS_PER_SECOND * timebase / NS_PER_SECOND;
}

static void set_timer(uint64_t deadline)
{
    this_hart()->timer_set = deadline;
    if (machine.sstc)
        asm volatile("csrw 0x14d, %0" : : "r"(deadline)); // stimecmp (Sstc)
    else
        sbi_set_timer(deadline);
}

void timer_init(void)
{
    timebase = machine.timebase;
}

void timer_init_hart(void)
{
    this_hart()->next_tick = time_now() + timebase / TICKS_PER_SECOND;
    set_timer(this_hart()->next_tick);
}

void timer_wake_at(uint64_t deadline)
{
    if (deadline < this_hart()->timer_set)
        set_timer(deadline);
}

// In a kernel that checks itself (SAN=1) programs are interrupted at random moments, up to 64 times as
// often.
static uint64_t tick_length(uint64_t now)
{
    uint64_t tick = timebase / TICKS_PER_SECOND;
#if RINGFENCE_SAN
    tick = tick / 64 * (1 + (now * 0x9e3779b97f4a7c15ul >> 58));
#else
    (void)now;
#endif
    return tick;
}

void timer_handle(void)
{
    struct hart *hart = this_hart();
    uint64_t now = time_now();
    if (now >= hart->next_tick) {
        hart->need_resched = true;
        // Ticks that were missed, while the host was busy elsewhere, are not made up for.
        hart->next_tick =
            max_u64(hart->next_tick, now - timebase / TICKS_PER_SECOND) + tick_length(now);
    }
    set_timer(hart->next_tick);
    sched_tick();
}
