// The serial line: a 16550 (QEMU: -serial).

#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/mm/page.h"
#include "kernel/proc/lock.h"

// Registers, a byte each.
#define RBR 0 // read: received byte
#define THR 0 // write: byte to send
#define IER 1 // interrupt enable
#define IER_RECEIVED 1
#define IER_ROOM 2
#define FCR 2 // write: FIFO control
#define FCR_ENABLE 1
#define IIR 2 // read: which interrupt; the read itself clears "room"
#define LCR 3
#define LCR_8_BITS 3
#define LSR 5 // line status
#define LSR_RECEIVED 1
#define LSR_ROOM 0x20 // the send FIFO is empty
#define FIFO_SIZE 16

static volatile uint8_t *uart; // NULL until uart_init(): messages go through the firmware
static struct spinlock uart_lock = SPINLOCK("uart");
static uint8_t interrupts; // what IER holds; guarded by uart_lock
static int held_byte = -1; // received, and the console had no room for it

static void set_interrupts(uint8_t enabled)
{
    interrupts = enabled;
    uart[IER] = enabled;
}

void uart_put_polled(char c)
{
    if (!uart) {
        sbi_putchar(c);
        return;
    }
    while (!(uart[LSR] & LSR_ROOM))
        ;
    uart[THR] = c;
}

unsigned uart_write(const char *bytes, unsigned n)
{
    unsigned sent = 0;
    spin_lock(&uart_lock);
    while (sent < n && uart[LSR] & LSR_ROOM)
        for (unsigned room = FIFO_SIZE; sent < n && room > 0; room--)
            uart[THR] = bytes[sent++];
    if (sent < n)
        set_interrupts(interrupts | IER_ROOM);
    spin_unlock(&uart_lock);
    return sent;
}

// Passes what has come to the console, until that has no room: then the bytes wait in the FIFO, and QEMU
// holds back the rest. Returns with uart_lock held, but lets go of it around each call.
static void receive(void)
{
    while (held_byte >= 0 || uart[LSR] & LSR_RECEIVED) {
        if (held_byte < 0)
            held_byte = uart[RBR];
        int byte = held_byte;
        held_byte = -1;
        spin_unlock(&uart_lock);
        bool taken = console_input(byte);
        spin_lock(&uart_lock);
        if (!taken) {
            held_byte = byte;
            set_interrupts(interrupts & ~IER_RECEIVED);
            return;
        }
    }
    set_interrupts(interrupts | IER_RECEIVED);
}

void uart_resume_input(void)
{
    spin_lock(&uart_lock);
    if (!(interrupts & IER_RECEIVED))
        receive();
    spin_unlock(&uart_lock);
}

static void uart_interrupt(void *unused)
{
    (void)unused;
    spin_lock(&uart_lock);
    (void)uart[IIR];
    bool room = interrupts & IER_ROOM && uart[LSR] & LSR_ROOM;
    if (room)
        set_interrupts(interrupts & ~IER_ROOM);
    if (interrupts & IER_RECEIVED)
        receive();
    spin_unlock(&uart_lock);
    if (room)
        console_room();
}

void uart_init(void)
{
    volatile uint8_t *registers = phys_to_virt(machine.uart_base);
    registers[IER] = 0;
    registers[LCR] = LCR_8_BITS;
    registers[FCR] =
        FCR_ENABLE; // and clear nothing: input that came while the firmware ran is kept
    uart = registers;
}

void uart_start(void)
{
    spin_lock(&uart_lock);
    set_interrupts(IER_RECEIVED);
    spin_unlock(&uart_lock);
    if (irq_register(machine.uart_irq, uart_interrupt, NULL) < 0)
        kprintf("uart: interrupt %u cannot be used: no input\n", machine.uart_irq);
}
