// The devices other than VirtIO: serial line, console, interrupt controller, timer and RAM disk.
// Also how a driver gets its interrupts.

#ifndef RINGFENCE_DEV_H
#define RINGFENCE_DEV_H

#include "kernel/lib.h"

// ---- plic.c: the platform interrupt controller ----

// Any hart may run an interrupt handler, in the idle loop or in a trap from user mode, with
// interrupts off. A handler never sleeps.
typedef void irq_handler(void *argument);

void plic_init_hart(void);
// Registers the handler and enables the interrupt. Returns 0 or -EINVAL.
int irq_register(uint32_t irq, irq_handler *handler, void *argument);
void plic_handle(void); // serves all pending interrupts

// ---- uart.c: 16550 ----

void uart_init(void);         // from now on, uart_put_polled() works without the firmware
void uart_start(void);        // enables interrupts and input
void uart_put_polled(char c); // for kprintf() and panic(): waits for room
// Sends up to n bytes without waiting, and returns how many. If that is less than n, calls
// console_room() when there is room again.
unsigned uart_write(const char *bytes, unsigned n);
void uart_resume_input(void); // the console has room for input again

// ---- console.c ----

void console_init(void);
bool console_input(char c); // called by uart.c for each byte; false if there is no room for it
void console_room(void);    // called by uart.c: it can send again

// ---- timer.c ----

#define TICKS_PER_SECOND 100 // the kernel's own tick

void timer_init(void);
void timer_init_hart(void);
void timer_handle(void);               // serves this hart's timer interrupt
void timer_wake_at(uint64_t deadline); // makes it come no later than that, as time_now()

// ---- ramdisk.c: the initrd as a block device named "initrd" ----

void ramdisk_init(void);

// ---- fb.c: a display driver (virtio/gpu.c) registers these functions ----

struct fb_present;
struct fb_mode;
struct fb_info;

// fb.c calls one function at a time, with a mutex held. They may sleep, except for info and pixels.
// abi.h says what they do and which errors they return.
struct fb_driver {
    void (*info)(struct fb_info *info);
    int (*set_mode)(uint32_t width, uint32_t height);
    int (*present)(const struct fb_present *present); // 1 or more rectangles, inside the picture
    int (*wait)(void);
    // The first page (in the direct map) and the number of pages of both buffers, which are
    // contiguous, buffer 0 first. NULL before the first set_mode.
    void *(*pixels)(uint64_t *pages);
};

void fb_register(const struct fb_driver *driver);

#endif
