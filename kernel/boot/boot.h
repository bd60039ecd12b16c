// What the kernel knows about the machine, and the calls to the firmware.

#ifndef RINGFENCE_BOOT_H
#define RINGFENCE_BOOT_H

#include "kernel/lib.h"

#define MAX_VIRTIO_SLOTS 32

// The machine, as the device tree describes it (fdt.c). Fixed once kernel_main() has started the
// other harts. Addresses are physical.
struct machine {
    uint64_t memory_start, memory_end;
    uint64_t initrd_start, initrd_end; // equal if there is none
    uint64_t fdt_start, fdt_end;
    uint64_t timebase; // how many times a second the `time` register counts
    uint64_t uart_base;
    uint32_t uart_irq;
    uint64_t plic_base, plic_size;
    uint32_t plic_sources;
    unsigned hart_count;
    uint64_t hart_id[8];
    uint32_t plic_context[8]; // supervisor context of hart_id[i] at the PLIC
    bool sstc;                // every hart has the register stimecmp
    unsigned virtio_count;
    struct {
        uint64_t base;
        uint32_t irq;
    } virtio[MAX_VIRTIO_SLOTS];
    char bootargs[256];
};
extern struct machine machine;

void fdt_parse(const void *fdt); // fills in `machine`; panics if something essential is missing

// The boot arguments are words of the form name=value. Returns the value as a number, or
// `fallback`.
uint64_t boot_number(const char *name, uint64_t fallback);
// Copies the value, cut off at `size` bytes with its zero. Returns false, and copies nothing, if
// there is no argument of that name.
bool boot_string(const char *name, char *value, size_t size);

// ---- sbi.c ----

struct sbi_result {
    long error, value;
};

void sbi_putchar(char c);
void sbi_set_timer(uint64_t time);
void sbi_send_ipi(uint64_t hart_id);
long sbi_hart_start(uint64_t hart_id, uint64_t physical_entry,
                    uint64_t argument); // 0, or SBI's error
void sbi_shutdown(void) __attribute__((noreturn));
void sbi_shutdown_failed(void) __attribute__((noreturn)); // QEMU's exit status is not 0
void sbi_restart(void) __attribute__((noreturn));

#endif
