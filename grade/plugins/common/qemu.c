// Hides the differences between versions of QEMU. qemu.h is the contract.
//
// One binary serves QEMU 7.2 to 11. If only some versions have a function, the plugin looks it up
// when QEMU loads the plugin; it is never linked.

#define _GNU_SOURCE
#include "grade/plugins/common/qemu.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

// QEMU reads this after the constructor below has run.
EXPORT int qemu_plugin_version = 1;

// Functions of QEMU and GLib. A pointer is NULL if this QEMU lacks the function.
static struct {
    const void *(*insn_data_1)(const struct qemu_plugin_insn *insn); // up to version 2
    size_t (*insn_data_3)(const struct qemu_plugin_insn *insn, void *to, size_t length);
    void *(*get_cpu)(int index);
    int (*read_gdb_register)(void *cpu, void *bytes, int number);
    void *(*byte_array_new)(void);
    uint8_t *(*byte_array_free)(void *bytes, int free_data);
    void (*big_lock)(const char *file, int line); // QEMU's lock for devices; its name has changed
    void (*big_unlock)(void);
    bool (*big_locked)(void);
    void *(*physical_map)(uint64_t phys, uint64_t *length, bool write);
    void (*physical_read)(uint64_t phys, void *buffer, uint64_t length);
    void (*physical_rw)(uint64_t phys, void *buffer, uint64_t length, bool write); // up to 10
} qemu;

// The value of an access, as version 4 and later return it.
struct mem_value {
    int type;
    union {
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        uint64_t u128[2];
    } data;
};
static struct mem_value (*mem_get_value)(qemu_plugin_meminfo_t info);

// Stores a function pointer from dlsym(), which returns an object pointer.
#define LOOK_UP(target, name)                                                                      \
    do {                                                                                           \
        void *found = dlsym(RTLD_DEFAULT, name);                                                   \
        memcpy(&(target), &found, sizeof(found));                                                  \
    } while (0)

static bool has(const char *name)
{
    return dlsym(RTLD_DEFAULT, name) != NULL;
}

// Finds the plugin interface's version from the functions that came with each one. Versions 6 and 7
// have the same functions, so set VQSAN_PLUGIN_VERSION for QEMU 11.0, the only release with 6.
static int interface_version(void)
{
    const char *given = getenv("VQSAN_PLUGIN_VERSION");
    if (given)
        return atoi(given);
    if (has("qemu_plugin_register_vcpu_discon_cb") && has("qemu_plugin_set_pc"))
        return 7;
    if (has("qemu_plugin_write_register"))
        return 5;
    if (has("qemu_plugin_mem_get_value"))
        return 4;
    if (has("qemu_plugin_register_vcpu_tb_exec_cond_cb"))
        return 3;
    return has("qemu_plugin_scoreboard_new") ? 2 : 1;
}

__attribute__((constructor)) static void look_up(void)
{
    qemu_plugin_version = interface_version();
    if (qemu_plugin_version < 3)
        LOOK_UP(qemu.insn_data_1, "qemu_plugin_insn_data");
    else
        LOOK_UP(qemu.insn_data_3, "qemu_plugin_insn_data");
    LOOK_UP(mem_get_value, "qemu_plugin_mem_get_value");
    LOOK_UP(qemu.get_cpu, "qemu_get_cpu");
    LOOK_UP(qemu.read_gdb_register, "riscv_cpu_gdb_read_register");
    LOOK_UP(qemu.byte_array_new, "g_byte_array_new");
    LOOK_UP(qemu.byte_array_free, "g_byte_array_free");
    LOOK_UP(qemu.physical_rw, "cpu_physical_memory_rw");
    LOOK_UP(qemu.physical_read, "physical_memory_read");
    LOOK_UP(qemu.physical_map,
            has("physical_memory_map") ? "physical_memory_map" : "cpu_physical_memory_map");
    bool old = !has("bql_unlock");
    LOOK_UP(qemu.big_lock, old ? "qemu_mutex_lock_iothread_impl" : "bql_lock_impl");
    LOOK_UP(qemu.big_unlock, old ? "qemu_mutex_unlock_iothread" : "bql_unlock");
    LOOK_UP(qemu.big_locked, old ? "qemu_mutex_iothread_locked" : "bql_locked");
}

// ---- callbacks of the plugin as a whole ----

static void (*translation_cb)(struct qemu_plugin_tb *tb);
static void (*exit_cb)(void);

static void translation_1(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    translation_cb(tb);
}

static void translation_7(struct qemu_plugin_tb *tb, void *data)
{
    (void)data;
    translation_cb(tb);
}

void qemu_on_translation(qemu_plugin_id_t id, void (*cb)(struct qemu_plugin_tb *tb))
{
    translation_cb = cb;
    if (qemu_plugin_version < 7) {
        void (*add)(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
        LOOK_UP(add, "qemu_plugin_register_vcpu_tb_trans_cb");
        add(id, translation_1);
    } else {
        void (*add)(qemu_plugin_id_t, void (*)(struct qemu_plugin_tb *, void *), void *);
        LOOK_UP(add, "qemu_plugin_register_vcpu_tb_trans_cb");
        add(id, translation_7, NULL);
    }
}

static void exit_1(qemu_plugin_id_t id, void *data)
{
    (void)id, (void)data;
    exit_cb();
}

static void exit_7(void *data)
{
    (void)data;
    exit_cb();
}

void qemu_on_exit(qemu_plugin_id_t id, void (*cb)(void))
{
    exit_cb = cb;
    if (qemu_plugin_version < 7) {
        void (*add)(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
        LOOK_UP(add, "qemu_plugin_register_atexit_cb");
        add(id, exit_1, NULL);
    } else {
        void (*add)(qemu_plugin_id_t, void (*)(void *), void *);
        LOOK_UP(add, "qemu_plugin_register_atexit_cb");
        add(id, exit_7, NULL);
    }
}

// ---- instructions and values ----

uint32_t qemu_insn_word(const struct qemu_plugin_insn *insn)
{
    uint32_t word = 0;
    size_t size = qemu_plugin_insn_size(insn);
    if (size > sizeof(word))
        size = sizeof(word);
    if (qemu.insn_data_3)
        qemu.insn_data_3(insn, &word, size);
    else
        memcpy(&word, qemu.insn_data_1(insn), size);
    return word;
}

// Reads the hart's registers: just after a store they are all in memory.
static bool value_from_register(unsigned hart, unsigned rs2, uint64_t *value)
{
    struct {
        uint8_t *data;
        unsigned length;
    } * bytes; // a GByteArray
    if (!qemu.get_cpu || !qemu.read_gdb_register || !qemu.byte_array_new || !qemu.byte_array_free)
        return false;
    bytes = qemu.byte_array_new();
    int length = qemu.read_gdb_register(qemu.get_cpu(hart), bytes, rs2);
    *value = 0;
    if (length > 0 && length <= (int)sizeof(*value))
        memcpy(value, bytes->data, length);
    qemu.byte_array_free(bytes, 1);
    return length > 0;
}

bool qemu_stored_value(unsigned hart, qemu_plugin_meminfo_t info, unsigned rs2, uint64_t *value)
{
    if (!mem_get_value)
        return value_from_register(hart, rs2, value);
    struct mem_value got = mem_get_value(info);
    switch (got.type) {
    case 0:
        *value = got.data.u8;
        return true;
    case 1:
        *value = got.data.u16;
        return true;
    case 2:
        *value = got.data.u32;
        return true;
    default:
        *value = got.data.u64;
        return true;
    }
}

bool qemu_read_register(uint64_t phys, uint32_t *value)
{
    if (qemu.physical_read)
        qemu.physical_read(phys, value, sizeof(*value));
    else if (qemu.physical_rw)
        qemu.physical_rw(phys, value, sizeof(*value), false);
    else
        return false;
    return true;
}

bool qemu_stop_devices(void)
{
    if (!qemu.big_lock || !qemu.big_unlock || !qemu.big_locked)
        return false;
    if (!qemu.big_locked())
        qemu.big_lock(__FILE__, __LINE__);
    return true;
}

void qemu_resume_devices(void)
{
    if (qemu.big_locked())
        qemu.big_unlock();
}

// ---- guest memory ----

// Takes the largest memfd mapped by this process as the guest's memory.
static struct guest_ram find_memfd(void)
{
    struct guest_ram ram = {0};
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof(line), maps)) {
        uint64_t start, end, offset;
        char access[8];
        if (!strstr(line, "/memfd:") ||
            sscanf(line, "%lx-%lx %7s %lx", &start, &end, access, &offset) != 4)
            continue;
        if (access[3] == 's' && offset == 0 && end - start > ram.size) {
            ram.host = (uint8_t *)(uintptr_t)start;
            ram.size = end - start;
        }
    }
    if (maps)
        fclose(maps);
    return ram;
}

struct guest_ram qemu_find_ram(void)
{
    struct guest_ram ram = {.size = ~(uint64_t)0 >> 1};
    // QEMU maps the whole contiguous piece that starts at this address. It is never unmapped.
    const char *chosen = getenv("VQSAN_MEMORY"); // tests set "memfd": do not ask QEMU
    if (qemu.physical_map && !(chosen && strcmp(chosen, "memfd") == 0))
        ram.host = qemu.physical_map(GUEST_RAM_BASE, &ram.size, true);
    return ram.host ? ram : find_memfd();
}
