// The part of QEMU's plugin interface that these plugins use. It is declared by hand, because
// Debian's QEMU accepts plugins but ships no header for them. Three things differ between versions,
// and qemu.c hides them: the version that a plugin must claim, how to fetch an instruction's bytes,
// and how to learn the value of a store.

#ifndef VQSAN_QEMU_H
#define VQSAN_QEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_info {
    const char *target;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
    int harts, max_harts;
};

typedef void (*qemu_exec_cb)(unsigned hart, void *data);
typedef void (*qemu_mem_cb)(unsigned hart, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data);

enum { QEMU_CB_NO_REGS = 0, QEMU_MEM_RW = 3 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, qemu_exec_cb cb, int flags,
                                          void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, qemu_exec_cb cb,
                                            int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, qemu_mem_cb cb, int flags,
                                      int rw, void *data);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t info, uint64_t vaddr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *hwaddr);

// Registers a callback for each translated block, and one for QEMU's exit.
void qemu_on_translation(qemu_plugin_id_t id, void (*cb)(struct qemu_plugin_tb *tb));
void qemu_on_exit(qemu_plugin_id_t id, void (*cb)(void));

// The instruction's bytes, little-endian: 2 or 4 of them, see qemu_plugin_insn_size().
uint32_t qemu_insn_word(const struct qemu_plugin_insn *insn);

// Gets the value just stored by an instruction whose source register is `rs2`. Call it only in the
// memory callback of a store. False if this QEMU cannot tell.
bool qemu_stored_value(unsigned hart, qemu_plugin_meminfo_t info, unsigned rs2, uint64_t *value);

// Reads a 32-bit device register as the guest would. Use it only for registers that reading does
// not change. False if this QEMU cannot tell.
bool qemu_read_register(uint64_t phys, uint32_t *value);

// Stops all of QEMU's devices, and lets them continue. In between, no device sees what the guest's
// memory holds. This takes the lock that devices run under; other harts go on unless they touch a
// device. False if this QEMU cannot do it. Do not call it with vqsan's own lock held.
bool qemu_stop_devices(void);
void qemu_resume_devices(void);

// Guest memory where QEMU itself has mapped it. The guest and its devices see a write there at
// once.
#define GUEST_RAM_BASE 0x80000000ull // of QEMU's `virt` machine
struct guest_ram {
    uint8_t *host;
    uint64_t size;
};
// Finds the guest's memory. Asks QEMU; if QEMU has no function for that, looks for the memory of
// -object memory-backend-memfd,share=on. Call it from a hart's own thread. `host` is NULL if there
// is none.
struct guest_ram qemu_find_ram(void);

#endif
