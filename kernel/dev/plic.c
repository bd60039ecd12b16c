// The platform-level interrupt controller (RISC-V PLIC specification 1.0).
//
// Every interrupt is enabled for every hart, so that an idle one can take it while others compute.

#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/mm/page.h"
#include "kernel/proc/proc.h"

#define MAX_IRQS 128
#define PRIORITY 0x0
#define ENABLE 0x2000
#define ENABLE_STRIDE 0x80
#define CONTEXT 0x200000
#define CONTEXT_STRIDE 0x1000
#define CONTEXT_THRESHOLD 0x0
#define CONTEXT_CLAIM 0x4

static struct {
    irq_handler *handler;
    void *argument;
} handlers[MAX_IRQS];

static struct spinlock plic_lock = SPINLOCK("plic"); // guards the enable bits
static uint32_t enabled[MAX_IRQS / 32];

static volatile uint32_t *plic_register(uint64_t offset)
{
    return phys_to_virt(machine.plic_base + offset);
}

static void write_enables(unsigned hart)
{
    uint64_t base = ENABLE + machine.plic_context[hart] * ENABLE_STRIDE;
    for (unsigned i = 0; i <= machine.plic_sources / 32 && i < ARRAY_SIZE(enabled); i++)
        *plic_register(base + 4 * i) = enabled[i];
}

void plic_init_hart(void)
{
    unsigned hart = this_hart()->index;
    spin_lock(&plic_lock);
    *plic_register(CONTEXT + machine.plic_context[hart] * CONTEXT_STRIDE + CONTEXT_THRESHOLD) = 0;
    write_enables(hart);
    spin_unlock(&plic_lock);
}

int irq_register(uint32_t irq, irq_handler *handler, void *argument)
{
    if (irq == 0 || irq >= MAX_IRQS || irq > machine.plic_sources)
        return -EINVAL;
    spin_lock(&plic_lock);
    handlers[irq].handler = handler;
    handlers[irq].argument = argument;
    *plic_register(PRIORITY + 4 * irq) = 1;
    enabled[irq / 32] |= 1u << irq % 32;
    for (unsigned hart = 0; hart < hart_count; hart++)
        write_enables(hart);
    spin_unlock(&plic_lock);
    return 0;
}

void plic_handle(void)
{
    uint64_t context = CONTEXT + machine.plic_context[this_hart()->index] * CONTEXT_STRIDE;
    uint32_t irq;
    while ((irq = *plic_register(context + CONTEXT_CLAIM)) != 0) {
        if (irq < MAX_IRQS && handlers[irq].handler)
            handlers[irq].handler(handlers[irq].argument);
        *plic_register(context + CONTEXT_CLAIM) = irq;
    }
}
