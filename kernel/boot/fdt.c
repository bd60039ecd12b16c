// The flattened device tree: what the firmware tells us of the machine (Devicetree Specification 0.4, chapter 5).
//
// The tree is walked once. Each node is judged when it ends, by the properties collected on the way: so
// the code needs no tree in memory.

#include "kernel/boot/boot.h"

#define FDT_MAGIC 0xd00dfeed
#define FDT_BEGIN_NODE 1
#define FDT_END_NODE 2
#define FDT_PROP 3
#define FDT_NOP 4
#define FDT_END 9

#define MAX_DEPTH 8
#define MAX_CPUS 64
#define IRQ_SUPERVISOR_EXTERNAL 9

struct machine machine;

struct property {
    const uint8_t *data;
    uint32_t length;
};

struct node {
    const char *name;
    uint32_t address_cells, size_cells; // for its children
    uint32_t phandle;
    struct property reg, interrupts, interrupts_extended, compatible, device_type, status, sources,
        isa;
};

// Every cpu node, present or not: the PLIC's contexts refer to their interrupt controllers.
static struct {
    uint64_t hart_id;
    uint32_t phandle;
} cpu_intc[MAX_CPUS];
static unsigned cpu_intc_count;
static struct property plic_contexts;
static bool all_sstc = true;

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t cells(const uint8_t *p, unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value = value << 32 | be32(p + 4 * i);
    return value;
}

// Is `want` among the zero-separated strings of the property?
static bool has_string(struct property p, const char *want)
{
    uint32_t at = 0;
    while (p.data && at < p.length) {
        const char *s = (const char *)p.data + at;
        if (strcmp(s, want) == 0)
            return true;
        at += strlen(s) + 1;
    }
    return false;
}

static bool first_reg(const struct node *node, const struct node *parent, uint64_t *base,
                      uint64_t *size)
{
    uint32_t ac = parent->address_cells, sc = parent->size_cells;
    if (!node->reg.data || node->reg.length < 4 * (ac + sc))
        return false;
    *base = cells(node->reg.data, ac);
    *size = cells(node->reg.data + 4 * ac, sc);
    return true;
}

// Ends with a zero byte, so the extension's name is looked for between underscores or the end.
static bool isa_has(struct property isa, const char *extension)
{
    size_t n = strlen(extension);
    for (uint32_t i = 0; isa.data && i + n + 1 < isa.length; i++) {
        const char *at = (const char *)isa.data + i;
        if (at[0] == '_' && strncmp(at + 1, extension, n) == 0 &&
            (at[n + 1] == '_' || at[n + 1] == 0))
            return true;
    }
    return false;
}

static void cpu_seen(const struct node *node, const struct node *parent)
{
    uint64_t id = cells(node->reg.data, parent->address_cells);
    bool usable = !node->status.data || has_string(node->status, "okay");
    if (!usable || machine.hart_count == ARRAY_SIZE(machine.hart_id))
        return;
    if (!isa_has(node->isa, "sstc"))
        all_sstc = false;
    machine.hart_id[machine.hart_count++] = id;
}

static void virtio_seen(uint64_t base, uint32_t irq)
{
    if (machine.virtio_count == MAX_VIRTIO_SLOTS)
        return;
    // Sorted by address: device trees list them in either direction.
    unsigned i = machine.virtio_count++;
    for (; i > 0 && machine.virtio[i - 1].base > base; i--)
        machine.virtio[i] = machine.virtio[i - 1];
    machine.virtio[i].base = base;
    machine.virtio[i].irq = irq;
}

static void node_seen(const struct node *node, const struct node *parent)
{
    uint64_t base, size;
    if (has_string(node->compatible, "riscv,cpu-intc") && cpu_intc_count < MAX_CPUS) {
        // The cpu node around it has not ended yet: its reg is known all the same.
        cpu_intc[cpu_intc_count].hart_id = cells(parent->reg.data, 1);
        cpu_intc[cpu_intc_count++].phandle = node->phandle;
        return;
    }
    if (has_string(node->device_type, "cpu") && node->reg.data) {
        cpu_seen(node, parent);
        return;
    }
    if (!first_reg(node, parent, &base, &size))
        return;
    uint32_t irq = node->interrupts.data ? be32(node->interrupts.data) : 0;
    if (has_string(node->device_type, "memory") && machine.memory_end == 0) {
        machine.memory_start = base;
        machine.memory_end = base + size;
    } else if (has_string(node->compatible, "ns16550a") && machine.uart_base == 0) {
        machine.uart_base = base;
        machine.uart_irq = irq;
    } else if (has_string(node->compatible, "riscv,plic0") ||
               has_string(node->compatible, "sifive,plic-1.0.0")) {
        machine.plic_base = base;
        machine.plic_size = size;
        machine.plic_sources = node->sources.data ? be32(node->sources.data) : 0;
        plic_contexts = node->interrupts_extended;
    } else if (has_string(node->compatible, "virtio,mmio")) {
        virtio_seen(base, irq);
    }
}

static void property_seen(struct node *node, const char *name, struct property p)
{
    static const struct {
        const char *name;
        size_t offset;
    } kept[] = {
        {"reg", offsetof(struct node, reg)},
        {"interrupts", offsetof(struct node, interrupts)},
        {"interrupts-extended", offsetof(struct node, interrupts_extended)},
        {"compatible", offsetof(struct node, compatible)},
        {"device_type", offsetof(struct node, device_type)},
        {"status", offsetof(struct node, status)},
        {"riscv,ndev", offsetof(struct node, sources)},
        {"riscv,isa", offsetof(struct node, isa)},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        if (strcmp(name, kept[i].name) == 0)
            *(struct property *)((char *)node + kept[i].offset) = p;
    if (strcmp(name, "#address-cells") == 0)
        node->address_cells = be32(p.data);
    else if (strcmp(name, "#size-cells") == 0)
        node->size_cells = be32(p.data);
    else if (strcmp(name, "phandle") == 0)
        node->phandle = be32(p.data);
    else if (strcmp(name, "timebase-frequency") == 0)
        machine.timebase = cells(p.data, p.length / 4);
    else if (strcmp(name, "bootargs") == 0 && strcmp(node->name, "chosen") == 0)
        copy_string(machine.bootargs, (const char *)p.data, sizeof(machine.bootargs));
    else if (strcmp(name, "linux,initrd-start") == 0)
        machine.initrd_start = cells(p.data, p.length / 4);
    else if (strcmp(name, "linux,initrd-end") == 0)
        machine.initrd_end = cells(p.data, p.length / 4);
}

static void fdt_walk(const uint8_t *at, const char *strings)
{
    static struct node stack[MAX_DEPTH];
    int depth = -1;
    for (;;) {
        uint32_t token = be32(at);
        at += 4;
        if (token == FDT_BEGIN_NODE) {
            if (++depth >= MAX_DEPTH)
                panic("device tree: nodes nested deeper than %d", MAX_DEPTH);
            stack[depth] =
                (struct node){.name = (const char *)at, .address_cells = 2, .size_cells = 1};
            at += ALIGN_UP(strlen((const char *)at) + 1, 4);
        } else if (token == FDT_PROP) {
            struct property p = {at + 8, be32(at)};
            property_seen(&stack[depth], strings + be32(at + 4), p);
            at += 8 + ALIGN_UP(p.length, 4u);
        } else if (token == FDT_END_NODE) {
            if (depth > 0)
                node_seen(&stack[depth], &stack[depth - 1]);
            depth--;
        } else if (token == FDT_END) {
            return;
        } else if (token != FDT_NOP) {
            panic("device tree: unknown token %u", token);
        }
    }
}

// The PLIC's contexts, in order, are pairs of (a hart's interrupt controller, which of its interrupts).
static void assign_contexts(void)
{
    for (uint32_t context = 0; context < plic_contexts.length / 8; context++) {
        uint32_t phandle = be32(plic_contexts.data + 8 * context);
        if (be32(plic_contexts.data + 8 * context + 4) != IRQ_SUPERVISOR_EXTERNAL)
            continue;
        for (unsigned c = 0; c < cpu_intc_count; c++)
            for (unsigned h = 0; h < machine.hart_count; h++)
                if (cpu_intc[c].phandle == phandle && cpu_intc[c].hart_id == machine.hart_id[h])
                    machine.plic_context[h] = context;
    }
}

void fdt_parse(const void *fdt)
{
    const uint8_t *header = fdt;
    if (be32(header) != FDT_MAGIC)
        panic("no device tree at %p", fdt);
    machine.fdt_start = (uint64_t)fdt;
    machine.fdt_end = (uint64_t)fdt + be32(header + 4);
    fdt_walk(header + be32(header + 8), (const char *)header + be32(header + 12));
    assign_contexts();
    machine.sstc = all_sstc;
    if (machine.memory_end == 0 || machine.timebase == 0 || machine.hart_count == 0 ||
        machine.uart_base == 0 || machine.plic_base == 0)
        panic("device tree: memory, timebase, cpu, UART or PLIC is missing");
}

// ---- boot arguments ----

// Where the value of `name` begins, or NULL.
static const char *find_argument(const char *name)
{
    size_t n = strlen(name);
    for (const char *at = machine.bootargs; *at;) {
        if (strncmp(at, name, n) == 0 && at[n] == '=')
            return at + n + 1;
        while (*at && *at != ' ')
            at++;
        while (*at == ' ')
            at++;
    }
    return NULL;
}

uint64_t boot_number(const char *name, uint64_t fallback)
{
    const char *at = find_argument(name);
    if (!at || *at < '0' || *at > '9')
        return fallback;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (*at - '0');
    return value;
}

bool boot_string(const char *name, char *value, size_t size)
{
    const char *at = find_argument(name);
    if (!at)
        return false;
    size_t n = 0;
    while (at[n] && at[n] != ' ' && n + 1 < size)
        n++;
    copy_string(value, at, n + 1);
    return true;
}
