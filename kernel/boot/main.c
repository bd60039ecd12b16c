// How the kernel comes up: entry.S calls kernel_main() on the boot hart; the others follow; the thread "init" mounts
// the root and becomes the first program.

#include "kernel/abi.h"
#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/fs/block.h"
#include "kernel/fs/file.h"
#include "kernel/fs/inode.h"
#include "kernel/fs/log.h"
#include "kernel/proc/exec.h"
#include "kernel/proc/sched.h"
#include "kernel/virtio/drivers.h"

extern char kernel_start[], kernel_end[];

void trap_init_hart(void);
void secondary_start(void);

// ---- memory ----

struct range {
    uint64_t start, end;
};

// Frees [start, end) but for the ranges in `keep`, from keep[i] on.
static void free_around(uint64_t start, uint64_t end, const struct range *keep, unsigned i)
{
    if (i == 0) {
        if (start < end)
            page_free_range(start, end);
        return;
    }
    const struct range *k = &keep[i - 1];
    if (k->end <= start || k->start >= end || k->start == k->end) {
        free_around(start, end, keep, i - 1);
        return;
    }
    if (k->start > start)
        free_around(start, k->start, keep, i - 1);
    if (k->end < end)
        free_around(k->end, end, keep, i - 1);
}

// Everything from the kernel's start up is ours, but for the kernel, the device tree, the initrd and the
// array of reference counts, which goes right behind the kernel.
static void memory_init(void)
{
    uint64_t start = virt_to_phys(kernel_start), end = machine.memory_end;
    uint64_t array = ALIGN_UP(virt_to_phys(kernel_end), PAGE_SIZE);
    uint64_t array_end = array + page_array_bytes(start, end);
    const struct range keep[] = {
        {start, array_end},
        {ALIGN_DOWN(machine.fdt_start, PAGE_SIZE), ALIGN_UP(machine.fdt_end, PAGE_SIZE)},
        {ALIGN_DOWN(machine.initrd_start, PAGE_SIZE), ALIGN_UP(machine.initrd_end, PAGE_SIZE)},
    };
    bool overlap = false;
    for (unsigned i = 1; i < ARRAY_SIZE(keep); i++)
        overlap |= keep[i].start < keep[i].end && keep[i].start < array_end && keep[i].end > array;
    if (end - machine.memory_start < 60ul << 20 || array_end > end || overlap)
        panic("too little memory (%lu MiB): give the machine at least 64 MiB (make qemu MEM=64M)",
              (end - machine.memory_start) >> 20);
    page_init(start, end, array);
    free_around(start, end, keep, ARRAY_SIZE(keep));
    vm_init(end);
}

// ---- harts ----

// Numbers the harts, ours first; machine's arrays follow that order from here on.
static void harts_init(uint64_t boot_hart)
{
    _Static_assert(ARRAY_SIZE(machine.hart_id) == MAX_HARTS, "as many as boot.h has room for");
    unsigned ours = 0;
    while (ours < machine.hart_count && machine.hart_id[ours] != boot_hart)
        ours++;
    if (ours == machine.hart_count)
        panic("give the machine at most %d harts (make qemu CPUS=)", MAX_HARTS);
    uint32_t context = machine.plic_context[ours];
    machine.hart_id[ours] = machine.hart_id[0];
    machine.plic_context[ours] = machine.plic_context[0];
    machine.hart_id[0] = boot_hart;
    machine.plic_context[0] = context;
    for (hart_count = 0; hart_count < machine.hart_count; hart_count++) {
        harts[hart_count].index = hart_count;
        harts[hart_count].id = machine.hart_id[hart_count];
    }
}

static void hart_init(void)
{
    trap_init_hart();
    plic_init_hart();
    timer_init_hart();
    __atomic_fetch_add(&harts_online, 1, __ATOMIC_RELAXED);
}

void secondary_main(void)
{
    hart_init();
    idle_loop();
}

static void start_secondaries(void)
{
    for (unsigned i = 1; i < hart_count; i++) {
        long error =
            sbi_hart_start(harts[i].id, virt_to_phys((void *)secondary_start), (uint64_t)&harts[i]);
        if (error)
            kprintf("hart %lu does not start: SBI error %ld\n", harts[i].id, error);
    }
}

// ---- the first process ----

static bool try_root(const char *name)
{
    struct block_device *device = block_find(name);
    if (!device || fs_mount(device) < 0)
        return false;
    kprintf("root: %s\n", name);
    return true;
}

// The disk if it can be mounted, else the initrd: a shell is worth having in either case.
static void mount_root(void)
{
    char wanted[16];
    if (boot_string("root", wanted, sizeof(wanted))) {
        if (try_root(wanted))
            return;
        kprintf("root=%s cannot be mounted\n", wanted);
    } else if (!block_find("disk0")) {
        kprintf("no disk: files will be lost at power-off\n");
    } else if (try_root("disk0")) {
        page_free_range(machine.initrd_start, machine.initrd_end); // not needed any more
        return;
    }
    if (!try_root("initrd"))
        panic("no root file system: give QEMU a disk (-drive) or -initrd, as `make qemu` does");
}

static void init_thread(void)
{
    struct proc *proc = current_proc();
    struct exec_args args;
    char path[MAXPATH] = "/init";
    rng_init();
    blk_init();
    gpu_init();
    mount_root();
    kernel_thread("log", log_thread);

    boot_string("init", path, sizeof(path));
    proc->cwd = inode_get(ROOT_INODE);
    if (exec_args_init(&args) < 0 || exec_args_add(&args, path) < 0)
        panic("no memory for the first program");
    int r = exec_program(path, &args);
    if (r < 0)
        panic("cannot run %s: error %d", path, -r);
    exec_args_free(&args);
    proc->frame->a[0] = r;
    proc->thread = NULL; // from here on an ordinary process
    enter_user(proc->frame);
}

// On the boot hart, on the boot stack, with the early page table; everything before the page allocator
// takes no lock that another hart could hold.
void kernel_main(uint64_t boot_hart, uint64_t fdt)
{
    fdt_parse(phys_to_virt(fdt));
    machine.fdt_end = machine.fdt_end - machine.fdt_start + fdt;
    machine.fdt_start = fdt;
    uart_init();
    memory_init();
    harts_init(boot_hart);
    timer_init();
    proc_init();
    console_init();
    ramdisk_init();
    kprintf("Ringfence: %u hart%s, %lu MiB\n", hart_count, hart_count == 1 ? "" : "s",
            (machine.memory_end - machine.memory_start) >> 20);
    hart_init();
    uart_start();
    start_secondaries();
    if (kernel_thread("init", init_thread) < 0)
        panic("no memory for the first process");
    idle_on(this_hart()->boot_stack);
}
