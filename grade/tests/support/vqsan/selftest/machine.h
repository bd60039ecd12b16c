// The bare machine under a self-test guest: console, clock, one virtio device, sleep, and end.

#ifndef SELFTEST_MACHINE_H
#define SELFTEST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

// How a run ends; also QEMU's exit status. BITTEN: the driver noticed harm from a missing fence.
enum { END_GOOD = 0, END_BITTEN = 1, END_FAILED = 2, END_TRAP = 3 };
_Noreturn void end(int status, const char *why);

void print(const char *text);
void print_number(const char *text, uint64_t number);

// A timer for the calling hart. QEMU ends timers in the loop in which its devices work: when a
// timer ends, the device has had time to handle all earlier requests. So the guest counts timers
// instead of reading a clock, and works the same on a host that is a hundred times slower.
void timer_start(unsigned ms);
bool timer_ended(void);

// Registers of the device in virtio-mmio slot 0.
#define REG(offset) (*(volatile uint32_t *)(uintptr_t)(0x10001000 + (offset)))
enum {
    REG_MAGIC = 0x00,
    REG_VERSION = 0x04,
    REG_DEVICE_ID = 0x08,
    REG_DRIVER_FEATURES = 0x20,
    REG_DRIVER_FEATURES_SEL = 0x24,
    REG_QUEUE_SEL = 0x30,
    REG_QUEUE_NUM = 0x38,
    REG_QUEUE_READY = 0x44,
    REG_QUEUE_NOTIFY = 0x50,
    REG_INTERRUPT_STATUS = 0x60,
    REG_INTERRUPT_ACK = 0x64,
    REG_STATUS = 0x70,
    REG_DESC = 0x80,
    REG_AVAIL = 0x90,
    REG_USED = 0xa0,
};

// Lets the device's interrupt wake hart 0 from wfi.
void interrupt_init(void);
bool interrupt_pending(void);
// Sleeps (wfi) until the device interrupts or the timer ends. True if the device has interrupted.
bool sleep_until_interrupt(void);
// Completes the interrupt at the PLIC. Acknowledge it to the device first.
void interrupt_done(void);

#endif
