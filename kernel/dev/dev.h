// The devices that are not VirtIO: serial line, console, interrupt controller, timer, RAM disk; and the
// hooks by which interrupts reach drivers.

#ifndef RINGFENCE_DEV_H
#define RINGFENCE_DEV_H

#include "kernel/lib.h"

// ---- plic.c: the platform interrupt controller ----

// Interrupt handlers run with interrupts off, on whichever hart claimed it, in the idle loop or in a trap from
// user mode. They never sleep.
typedef void irq_handler(void *argument);

void plic_init_hart(void);
int irq_register(uint32_t irq, irq_handler *handler,
                 void *argument); // and enables it; 0 or -EINVAL
void plic_handle(void);           // claims and serves everything that is pending

// ---- uart.c: 16550 ----

void uart_init(void);         // polled output
void uart_start(void);        // input and interrupts
void uart_put_polled(char c); // for kprintf and panic: waits for room
// Writes up to n bytes without waiting, returns how many; then calls console_room() when there is room again.
unsigned uart_write(const char *bytes, unsigned n);
void uart_resume_input(void); // the console has room for input again

// ---- console.c ----

void console_init(void);
bool console_input(char c); // from uart.c: a byte has come; false if there is no room for it
void console_room(void);    // from uart.c: output may go on

// ---- timer.c ----

#define TICKS_PER_SECOND 100 // the kernel's own tick

void timer_init(void);
void timer_init_hart(void);
void timer_handle(void);               // timer interrupt on this hart
void timer_wake_at(uint64_t deadline); // this hart's timer fires no later than that

// ---- ramdisk.c: the initrd as a block device named "initrd" ----

void ramdisk_init(void);

// ---- the framebuffer device (fb.c) is served by virtio/gpu.c through these ----

struct fb_present;
struct fb_mode;
struct fb_info;

struct fb_driver {
    void (*info)(struct fb_info *info);
    int (*set_mode)(uint32_t width, uint32_t height);
    int (*present)(const struct fb_present *present); // rectangles already inside the picture
    int (*wait)(void);
    // First page (direct map) and number of pages of both buffers; buffer 0 first, contiguous.
    void *(*pixels)(uint64_t *pages);
};

void fb_register(const struct fb_driver *driver);

#endif
