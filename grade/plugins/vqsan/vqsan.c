// vqsan, the virtqueue sanitizer: a QEMU plugin that checks whether a driver keeps the memory order
// that its device relies on. docs/ordering.md explains it; rules.c holds the rules.
//
// This file connects QEMU to the rest: it reads the options, inspects each block of the kernel's
// code when QEMU translates it, and passes on what the code then does. vqsan watches only the guest
// kernel's own code. Most accesses cost one comparison; only those near a ring or a virtio-mmio
// register go on.

#include "grade/plugins/common/qemu.h"
#include "grade/plugins/common/symbols.h"
#include "grade/plugins/vqsan/hostile.h"
#include "grade/plugins/vqsan/inject.h"
#include "grade/plugins/vqsan/options.h"
#include "grade/plugins/vqsan/report.h"
#include "grade/plugins/vqsan/rules.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Guards everything except the members of struct hart that only the hart itself uses.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hart harts[MAX_HARTS];
static unsigned hart_count;
static bool ended;

// ---- memory ----

static bool find_ram(void)
{
    if (ram.host)
        return true;
    struct guest_ram found = qemu_find_ram();
    if (!found.host) {
        static bool said;
        if (!said)
            report_note(
                "cannot reach the guest's memory, so nothing is watched; try -object "
                "memory-backend-memfd,id=ram,size=...,share=on -machine memory-backend=ram");
        said = true;
        return false;
    }
    ring_pages = calloc(found.size >> 12, 1);
    if (!ring_pages)
        return false;
    ram = found;
    return true;
}

static void register_event(struct hart *h, const struct site *site, uint64_t vaddr, uint64_t value)
{
    struct queue *q;
    if (!find_ram())
        return;
    switch (queue_register_written(vaddr, value, &q)) {
    case REGISTER_DOORBELL:
        rules_doorbell(h, site, q);
        inject_doorbell(q);
        break;
    case REGISTER_QUEUE_READY:
        inject_stop(q);
        inject_start(q);
        hostile_start(q);
        break;
    case REGISTER_RESET:
        for (unsigned i = 0; i < queue_count; i++)
            if (!queues[i].live)
                inject_stop(&queues[i]);
        break;
    case REGISTER_NOTHING:
        break;
    }
}

static void on_register(struct hart *h, qemu_plugin_meminfo_t info, const struct site *site,
                        uint64_t vaddr)
{
    struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, vaddr);
    uint64_t value = 0;
    unsigned slot;
    if (!where || !qemu_plugin_hwaddr_is_io(where))
        return;
    bool store = qemu_plugin_mem_is_store(info);
    if (store && !qemu_stored_value(h->number, info, site->insn.source, &value))
        return;
    if (store)
        queue_learn_device(vaddr);
    pthread_mutex_lock(&lock);
    if (store) {
        register_event(h, site, vaddr, value);
    } else if (queue_is_irq_status(vaddr, &slot)) {
        rules_irq_status(h, site, slot);
        hostile_interrupt(slot);
    }
    pthread_mutex_unlock(&lock);
}

static void on_ring(struct hart *h, bool is_load, bool is_store, struct site *site, uint64_t phys,
                    unsigned size)
{
    pthread_mutex_lock(&lock);
    struct place place = queue_place(phys, size);
    inject_devices_stopped = h->devices_stopped;
    if (place.queue && is_load) {
        rules_load(h, site, place);
        if (place.field == FIELD_USED_IDX) {
            site->looks = true;
            hostile_used_idx_loaded(place.queue);
        }
        inject_load(h, site, place);
    }
    if (place.queue && is_store) {
        rules_store(h, site, place);
        inject_store(h, site, place);
        if (place.field == FIELD_AVAIL_IDX)
            hostile_published(place.queue);
    }
    pthread_mutex_unlock(&lock);
}

static bool is_atomic(const struct site *site)
{
    return site->insn.kind == INSN_LR || site->insn.kind == INSN_SC || site->insn.kind == INSN_AMO;
}

// Handles one access: to a ring, to a device register, or to other memory, which it ignores.
static __attribute__((noinline)) void dispatch(struct hart *h, qemu_plugin_meminfo_t info,
                                               uint64_t vaddr, struct site *site)
{
    bool store = qemu_plugin_mem_is_store(info), amo = site->insn.kind == INSN_AMO;
    if (near_ring(vaddr)) {
        if (store || !amo)
            on_ring(h, !store || amo, store, site, vaddr - direct_map,
                    1u << qemu_plugin_mem_size_shift(info));
    } else if (near_registers(vaddr)) {
        on_register(h, info, site, vaddr);
    }
    // An atomic with `.aq` acquires with this access.
    if (site->insn.aq && (h->stake || inject_held) && (store || !amo)) {
        pthread_mutex_lock(&lock);
        rules_acquire(h, site);
        inject_acquire(h);
        pthread_mutex_unlock(&lock);
    }
    if (h->devices_stopped) {
        h->devices_stopped = false;
        qemu_resume_devices();
    }
}

// QEMU calls these after each load, store and atomic. They ignore nearly all of them, so dispatch()
// must not be inlined: that keeps these functions short. QEMU has at most MAX_HARTS harts here, see
// qemu_plugin_install().

static void on_load(unsigned number, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
    struct hart *h = &harts[number];
    h->trace += vaddr;
    if (near_ring(vaddr) || near_registers(vaddr) || h->devices_stopped)
        dispatch(h, info, vaddr, data);
}

static void on_store(unsigned number, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
    struct hart *h = &harts[number];
    h->stores++;
    if (near_ring(vaddr) || near_registers(vaddr) || h->devices_stopped)
        dispatch(h, info, vaddr, data);
}

// The same for accesses of eight bytes, with which the kernel copies memory. No virtio-mmio
// register is so wide (4.2.2.2), and vqsan stops devices only for injection and hostile devices.

static void on_wide_load(unsigned number, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
    struct hart *h = &harts[number];
    h->trace += vaddr;
    if (near_ring(vaddr))
        dispatch(h, info, vaddr, data);
}

static void on_wide_store(unsigned number, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
    struct hart *h = &harts[number];
    h->stores++;
    if (near_ring(vaddr))
        dispatch(h, info, vaddr, data);
}

// For an AMO, QEMU calls this twice with one hart (a load and a store), and once with several
// harts.
static void on_atomic(unsigned number, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
    struct hart *h = &harts[number];
    h->stores++;
    h->look.atomic = true;
    dispatch(h, info, vaddr, data);
}

// ---- order ----

static void on_fence(unsigned number, void *data)
{
    struct site *site = data;
    struct hart *h = &harts[number];
    __atomic_fetch_add(&site->count, 1, __ATOMIC_RELAXED);
    if (!h->stake && !__atomic_load_n(&inject_held, __ATOMIC_SEQ_CST))
        return;
    struct order order = fence_order(&site->insn);
    pthread_mutex_lock(&lock);
    rules_order(h, order);
    inject_order(order);
    pthread_mutex_unlock(&lock);
}

// Called before an atomic with `.rl`.
static void on_release(unsigned number, void *data)
{
    (void)data;
    if (!harts[number].stake && !inject_held)
        return;
    pthread_mutex_lock(&lock);
    rules_release(&harts[number]);
    inject_release(&harts[number]);
    pthread_mutex_unlock(&lock);
}

static void on_sleep(unsigned number, void *data)
{
    bool all = true;
    pthread_mutex_lock(&lock);
    harts[number].asleep = true;
    for (unsigned i = 0; i < hart_count; i++)
        all = all && harts[i].asleep;
    rules_sleep(&harts[number], data, all);
    pthread_mutex_unlock(&lock);
}

// Called before a load that may read a value that the driver has stored and injection hides.
static void before_load(unsigned number, void *data)
{
    const struct site *site = data;
    (void)number;
    if (!site->reads_driver_area || !__atomic_load_n(&inject_held, __ATOMIC_SEQ_CST))
        return;
    pthread_mutex_lock(&lock);
    inject_before_load();
    pthread_mutex_unlock(&lock);
}

// Called before a load that may load used->idx, if the device is a slow one.
static void before_look(unsigned number, void *data)
{
    const struct site *site = data;
    if (!site->looks)
        return;
    harts[number].devices_stopped = qemu_stop_devices();
    pthread_mutex_lock(&lock);
    hostile_before_look();
    pthread_mutex_unlock(&lock);
}

// Called before a store that may publish, if vqsan may hide its effect.
static void before_store(unsigned number, void *data)
{
    const struct site *site = data;
    if (site->publishes)
        harts[number].devices_stopped = qemu_stop_devices();
}

// ---- blocks ----

static __attribute__((noinline)) void look_at_block(struct hart *h, struct block *block, bool spins)
{
    bool waits = block->loops && rules_waits(h);
    if (h->devices_stopped) { // the access did not happen: a failed store-conditional
        h->devices_stopped = false;
        qemu_resume_devices();
    }
    pthread_mutex_lock(&lock);
    if (h->dependency.live) {
        dependency_enter(&h->dependency, block);
        if (block->load_address_regs & h->dependency.regs)
            inject_dependent_block(h->dependency_queue);
    }
    if (waits)
        rules_turn(h, block);
    if (spins)
        rules_spinning(h, block);
    pthread_mutex_unlock(&lock);
}

// Called before each block of the kernel. It ignores most of them too.
static void on_block(unsigned number, void *data)
{
    struct hart *h = &harts[number];
    h->asleep = false;
    if (h->dependency.live || h->devices_stopped)
        look_at_block(h, data, false);
}

static void on_loop(unsigned number, void *data)
{
    struct hart *h = &harts[number];
    bool spins = rules_spins(h, data);
    h->asleep = false;
    if (spins || rules_waits(h) || h->dependency.live || h->devices_stopped)
        look_at_block(h, data, spins);
}

// Is this a load or store through the stack pointer, the thread pointer, or below the frame
// pointer? Rings are never there, and half of all accesses are of this kind. The guest must
// therefore be built with -fno-omit-frame-pointer: without it, clang 19 reaches device registers
// below s0.
static bool is_private(const struct insn *insn)
{
    return (insn->kind == INSN_LOAD || insn->kind == INSN_STORE) &&
           (insn->base == 2 || insn->base == 4 || (insn->base == 8 && insn->below));
}

static void watch_insn(struct qemu_plugin_insn *insn, struct site *site)
{
    if (is_private(&site->insn))
        return;
    switch (site->insn.kind) {
    case INSN_FENCE:
    case INSN_FENCE_I:
        report_add_fence(site);
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_fence, QEMU_CB_NO_REGS, site);
        return;
    case INSN_WFI:
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_sleep, QEMU_CB_NO_REGS, site);
        return;
    default:
        break;
    }
    if (site->insn.rl)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_release, QEMU_CB_NO_REGS, site);
    // Ring fields have 16 bits, descriptor fields up to 64. An index may also be half of a 32-bit
    // access.
    bool loads = is_atomic(site) || (site->load != NOT_A_LOAD && site->insn.bytes >= 2);
    if (hostile_mode() == HOSTILE_SLOW && loads)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, before_look, QEMU_CB_NO_REGS, site);
    if (inject_kinds() && loads)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, before_load, QEMU_CB_NO_REGS, site);
    if (inject_kinds() & (INJECT_WMB | INJECT_IOB) &&
        (is_atomic(site) || (site->insn.kind == INSN_STORE && site->insn.bytes == 2)))
        qemu_plugin_register_vcpu_insn_exec_cb(insn, before_store, QEMU_CB_NO_REGS, site);
    bool wide = site->insn.bytes == 8 && !inject_kinds() && !options.hostile;
    qemu_mem_cb cb = site->insn.kind == INSN_LOAD    ? (wide ? on_wide_load : on_load)
                     : site->insn.kind == INSN_STORE ? (wide ? on_wide_store : on_store)
                                                     : on_atomic;
    qemu_plugin_register_vcpu_mem_cb(insn, cb, QEMU_CB_NO_REGS, QEMU_MEM_RW, site);
}

// QEMU calls this for each block that it translates, one at a time.
static void on_translation(struct qemu_plugin_tb *tb)
{
    uint64_t first = qemu_plugin_tb_vaddr(tb);
    size_t count = qemu_plugin_tb_n_insns(tb);
    if (!symbols_is_code(first))
        return;
    pthread_mutex_lock(&lock);
    struct block *block = block_new(first);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        struct site *site =
            block_add(block, qemu_plugin_insn_vaddr(insn), decode(qemu_insn_word(insn)));
        if (site)
            watch_insn(insn, site);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, block->loops ? on_loop : on_block, QEMU_CB_NO_REGS,
                                         block);
    pthread_mutex_unlock(&lock);
}

// ---- beginning and end ----

#define MILLISECOND 1000000 // ns
#define SAVE_EVERY 100      // ms

static void *tick(void *unused)
{
    (void)unused;
    // Without injection and a hostile device, only the JSON needs updating.
    unsigned step = inject_kinds() || options.hostile ? 1 : SAVE_EVERY, passed = 0;
    while (!__atomic_load_n(&ended, __ATOMIC_RELAXED)) {
        nanosleep(&(struct timespec){.tv_nsec = step * MILLISECOND}, NULL);
        pthread_mutex_lock(&lock);
        inject_tick();
        hostile_tick();
        passed += step;
        if (passed % SAVE_EVERY == 0 && !ended)
            report_save();
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void start_ticking(void)
{
    pthread_t thread;
    sigset_t all, old;
    // Only QEMU's own threads may receive its signals.
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&thread, NULL, tick, NULL) == 0)
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void on_exit_of_qemu(void)
{
    pthread_mutex_lock(&lock);
    ended = true;
    report_summary();
    pthread_mutex_unlock(&lock);
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_plugin_info *info, int argc, char **argv)
{
    const char *error;
    for (int i = 0; i < argc; i++) {
        char *given = strdup(argv[i]);
        if (!options_parse(argv[i])) {
            fprintf(stderr,
                    "vqsan: unknown option %s; grade/plugins/vqsan/options.h lists the options\n",
                    given);
            return 1;
        }
        free(given);
    }
    if (!options.elf || !symbols_load(options.elf, &error)) {
        fprintf(stderr, "vqsan: elf=%s %s\n", options.elf ? options.elf : "",
                options.elf ? error : "is missing: give the guest's kernel");
        return 1;
    }
    if (!report_open(options.log, options.json)) {
        perror("vqsan: log");
        return 1;
    }
    for (unsigned i = 0; i < MAX_HARTS; i++)
        harts[i].number = i;
    report_hide(options.hidden);
    inject_configure(options.kinds, options.every, options.seed);
    hostile_configure(options.hostile, options.every, options.most, options.seed, options.only);
    if (!info->system_emulation || info->max_harts > MAX_HARTS) {
        fprintf(stderr, "vqsan: supports only system emulation with at most %d harts\n", MAX_HARTS);
        return 1;
    }
    hart_count = info->harts;
    qemu_on_translation(id, on_translation);
    qemu_on_exit(id, on_exit_of_qemu);
    start_ticking();
    return 0;
}
