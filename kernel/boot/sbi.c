// Calls to the firmware (RISC-V Supervisor Binary Interface).

#include "kernel/boot/boot.h"

#define SBI_LEGACY_PUTCHAR 1
#define SBI_TIME 0x54494d45
#define SBI_IPI 0x735049
#define SBI_HSM 0x48534d
#define SBI_SRST 0x53525354

static struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t x, uint64_t y,
                                  uint64_t z)
{
    register uint64_t a0 asm("a0") = x;
    register uint64_t a1 asm("a1") = y;
    register uint64_t a2 asm("a2") = z;
    register uint64_t a6 asm("a6") = function;
    register uint64_t a7 asm("a7") = extension;
    asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){(long)a0, (long)a1};
}

void sbi_putchar(char c)
{
    sbi_call(SBI_LEGACY_PUTCHAR, 0, (uint8_t)c, 0, 0);
}

void sbi_set_timer(uint64_t time)
{
    sbi_call(SBI_TIME, 0, time, 0, 0);
}

void sbi_send_ipi(uint64_t hart_id)
{
    sbi_call(SBI_IPI, 0, 1, hart_id, 0);
}

long sbi_hart_start(uint64_t hart_id, uint64_t physical_entry, uint64_t argument)
{
    return sbi_call(SBI_HSM, 0, hart_id, physical_entry, argument).error;
}

// System reset: type 0 is power-off, 1 a cold reboot; reason 0 is none, 1 a system failure.
static void sbi_reset(uint64_t type, uint64_t reason)
{
    sbi_call(SBI_SRST, 0, type, reason, 0);
    for (;;)
        asm volatile("wfi");
}

void sbi_shutdown(void)
{
    sbi_reset(0, 0);
    __builtin_unreachable();
}

void sbi_shutdown_failed(void)
{
    sbi_reset(0, 1);
    __builtin_unreachable();
}

void sbi_restart(void)
{
    sbi_reset(1, 0);
    __builtin_unreachable();
}
