// Formatted messages, and panic.

#include "kernel/boot/boot.h"
#include "kernel/dev/dev.h"
#include "kernel/proc/proc.h"

// ---- formatting ----

struct output {
    char *at, *end; // end is where the closing zero must fit
};

static void put(struct output *out, char c)
{
    if (out->at < out->end)
        *out->at++ = c;
}

static void put_text(struct output *out, const char *text)
{
    while (*text)
        put(out, *text++);
}

static void put_number(struct output *out, uint64_t value, unsigned base)
{
    char digits[24];
    int n = sizeof(digits);
    digits[--n] = 0;
    do {
        digits[--n] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    put_text(out, digits + n);
}

// One conversion, of an argument of 64 bits if `wide`.
static void put_converted(struct output *out, char conversion, bool wide, va_list *ap)
{
    const char *s;
    int64_t v;
    switch (conversion) {
    case 'd':
        v = wide ? va_arg(*ap, int64_t) : va_arg(*ap, int);
        if (v < 0)
            put(out, '-');
        put_number(out, v < 0 ? -(uint64_t)v : (uint64_t)v, 10);
        break;
    case 'u':
    case 'x':
        put_number(out, wide ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned),
                   conversion == 'u' ? 10 : 16);
        break;
    case 'p':
        put_text(out, "0x");
        put_number(out, va_arg(*ap, uint64_t), 16);
        break;
    case 'c':
        put(out, va_arg(*ap, int));
        break;
    case 's':
        s = va_arg(*ap, const char *);
        put_text(out, s ? s : "(null)");
        break;
    default:
        put(out, conversion);
    }
}

static void format_text(char *dst, size_t size, const char *format, va_list ap)
{
    struct output out = {dst, dst + size - 1};
    va_list rest;
    va_copy(rest, ap);
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            put(&out, *f);
            continue;
        }
        bool wide = false;
        for (f++; *f == 'l' || *f == 'z' || *f == '-' || (*f >= '0' && *f <= '9'); f++)
            wide |= *f == 'l' || *f == 'z';
        if (!*f)
            break;
        put_converted(&out, *f, wide, &rest);
    }
    va_end(rest);
    *out.at = 0;
}

// ---- the console, from anywhere ----

static struct spinlock print_lock = SPINLOCK("print");
static uint32_t panicked;

static void put_message(const char *text)
{
    for (; *text; text++)
        uart_put_polled(*text);
}

// kprintf() without the lock: whoever holds it may be what is broken.
static void put_unlocked(const char *format, ...)
{
    char text[128];
    va_list ap;
    va_start(ap, format);
    format_text(text, sizeof(text), format, ap);
    va_end(ap);
    put_message(text);
}

void kprintf(const char *format, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, format);
    format_text(text, sizeof(text), format, ap);
    va_end(ap);
    spin_lock(&print_lock);
    put_message(text);
    spin_unlock(&print_lock);
}

int lab_todo(const char *what)
{
    static const char *said[32];
    spin_lock(&print_lock);
    unsigned i = 0;
    while (i < ARRAY_SIZE(said) && said[i] && said[i] != what)
        i++;
    bool again = i == ARRAY_SIZE(said) || said[i];
    if (!again)
        said[i] = what;
    spin_unlock(&print_lock);
    if (!again)
        kprintf("%s is yours to write\n", what);
    return -ENOSYS;
}

// ---- panic ----

// Other harts come here from the IPI that panic() sends.
void panic_stop_if_asked(void)
{
    while (__atomic_load_n(&panicked, __ATOMIC_RELAXED))
        asm volatile("wfi");
}

// Return addresses of the callers, from the frame pointers: fp[-1] is one, fp[-2] the caller's frame.
static void print_backtrace(const uint64_t *fp)
{
    for (int depth = 0; depth < 16 && (uint64_t)fp >= DIRECT_MAP && (uint64_t)fp % 8 == 0;
         depth++) {
        if (fp[-1] == 0)
            break;
        put_unlocked("  called from %p\n", (void *)fp[-1]);
        fp = (const uint64_t *)fp[-2];
    }
}

void panic_at(uint64_t frame, const char *format, va_list ap)
{
    char text[256];
    if (__atomic_exchange_n(&panicked, 1, __ATOMIC_RELAXED))
        for (;;)
            asm volatile("wfi");
    for (unsigned i = 0; i < hart_count; i++)
        if (&harts[i] != this_hart())
            sbi_send_ipi(harts[i].id);
    format_text(text, sizeof(text), format, ap);
    put_message("\npanic: ");
    put_message(text);
    put_unlocked("\n  on hart %u; riscv64-unknown-elf-addr2line -fe build/kernel.elf ADDRESS\n",
                 this_hart()->index);
    print_backtrace((const uint64_t *)frame);
    // A machine that nobody watches should end, and say that it failed.
    char after[8];
    if (boot_string("panic", after, sizeof(after)) && strcmp(after, "halt") == 0)
        for (;;)
            asm volatile("wfi");
    sbi_shutdown_failed();
}

void panic(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    panic_at((uint64_t)__builtin_frame_address(0), format, ap);
    va_end(ap);
    __builtin_unreachable();
}
