// The bare machine: QEMU's `virt` in M-mode. machine.h is the contract.

#include "grade/tests/support/vqsan/selftest/machine.h"

#define UART (*(volatile uint8_t *)0x10000000)
#define FINISHER (*(volatile uint32_t *)0x100000)
#define MTIME (*(volatile uint64_t *)0x200bff8)
#define MTIMECMP ((volatile uint64_t *)0x2004000) // one per hart
#define TIMER_TICKS_PER_MS 10000

#define IRQ 1 // slot 0's interrupt
#define PLIC_PRIORITY (*(volatile uint32_t *)(0x0c000000 + 4 * IRQ))
#define PLIC_PENDING (*(volatile uint32_t *)0x0c001000)
#define PLIC_ENABLE (*(volatile uint32_t *)0x0c002000) // context 0: hart 0 in M-mode
#define PLIC_THRESHOLD (*(volatile uint32_t *)0x0c200000)
#define PLIC_CLAIM (*(volatile uint32_t *)0x0c200004)

#define MIP_TIMER (1 << 7)
#define MIP_EXTERNAL (1 << 11)

void print(const char *text)
{
    while (*text)
        UART = *text++;
}

void print_number(const char *text, uint64_t number)
{
    char digits[21];
    int i = 20;
    digits[i] = '\0';
    do
        digits[--i] = '0' + number % 10;
    while ((number /= 10) > 0);
    print(text);
    print(digits + i);
    print("\n");
}

_Noreturn void end(int status, const char *why)
{
    print(why);
    print("\n");
    FINISHER = status == 0 ? 0x5555 : 0x3333 | status << 16;
    for (;;)
        ;
}

void timer_start(unsigned ms)
{
    uint64_t hart, until;
    asm volatile("csrr %0, mhartid" : "=r"(hart));
    // A timer that is over before it is set would end at once, outside QEMU's loop.
    do {
        until = MTIME + ms * TIMER_TICKS_PER_MS;
        MTIMECMP[hart] = until;
    } while (MTIME >= until);
}

bool timer_ended(void)
{
    uint64_t pending;
    asm volatile("csrr %0, mip" : "=r"(pending));
    return pending & MIP_TIMER;
}

void interrupt_init(void)
{
    PLIC_PRIORITY = 1;
    PLIC_ENABLE = 1 << IRQ;
    PLIC_THRESHOLD = 0;
    // mstatus.MIE stays off: an interrupt wakes the hart from wfi but causes no trap.
    asm volatile("csrw mie, %0" ::"r"(MIP_TIMER | MIP_EXTERNAL));
}

bool interrupt_pending(void)
{
    return PLIC_PENDING >> IRQ & 1;
}

bool sleep_until_interrupt(void)
{
    asm volatile("wfi" ::: "memory");
    return PLIC_CLAIM == IRQ;
}

void interrupt_done(void)
{
    PLIC_CLAIM = IRQ;
}
