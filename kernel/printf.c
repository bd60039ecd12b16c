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

struct field {
    bool left, zero;
    int width;
};

static void put_text(struct output *out, const char *text, int length, struct field field)
{
    int padding = field.width - length;
    if (!field.left)
        while (padding-- > 0)
            put(out, ' ');
    while (length-- > 0)
        put(out, *text++);
    if (field.left)
        while (padding-- > 0)
            put(out, ' ');
}

static void put_number(struct output *out, uint64_t value, unsigned base, bool negative,
                       struct field field)
{
    char digits[24];
    int n = sizeof(digits);
    do {
        digits[--n] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    while (field.zero && !field.left && n > 1 && (int)sizeof(digits) - n + negative < field.width)
        digits[--n] = '0';
    if (negative)
        digits[--n] = '-';
    put_text(out, digits + n, sizeof(digits) - n, field);
}

int format_string_v(char *dst, size_t size, const char *format, va_list ap)
{
    struct output out = {dst, dst + size - 1};
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            put(&out, *f);
            continue;
        }
        struct field field = {0};
        for (f++; *f == '-' || *f == '0'; f++)
            *f == '-' ? (field.left = true) : (field.zero = true);
        for (; *f >= '0' && *f <= '9'; f++)
            field.width = field.width * 10 + (*f - '0');
        bool wide = false;
        for (; *f == 'l' || *f == 'z'; f++)
            wide = true;
        switch (*f) {
        case 'd': {
            int64_t v = wide ? va_arg(ap, int64_t) : va_arg(ap, int);
            put_number(&out, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0, field);
            break;
        }
        case 'u':
        case 'x':
            put_number(&out, wide ? va_arg(ap, uint64_t) : va_arg(ap, unsigned),
                       *f == 'u' ? 10 : 16, false, field);
            break;
        case 'p':
            put(&out, '0');
            put(&out, 'x');
            put_number(&out, va_arg(ap, uint64_t), 16, false, field);
            break;
        case 'c':
            put(&out, va_arg(ap, int));
            break;
        case 's': {
            const char *s = va_arg(ap, const char *);
            s = s ? s : "(null)";
            put_text(&out, s, strlen(s), field);
            break;
        }
        default:
            put(&out, *f);
        }
        if (!*f)
            break;
    }
    *out.at = 0;
    return out.at - dst;
}

int format_string(char *dst, size_t size, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = format_string_v(dst, size, format, ap);
    va_end(ap);
    return n;
}

// ---- the console, from anywhere ----

static struct spinlock print_lock = SPINLOCK("print");
static uint32_t panicked;

static void put_message(const char *text)
{
    for (; *text; text++)
        uart_put_polled(*text);
}

void kprintf(const char *format, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, format);
    format_string_v(text, sizeof(text), format, ap);
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
    char text[64];
    for (int depth = 0; depth < 16 && (uint64_t)fp >= DIRECT_MAP && (uint64_t)fp % 8 == 0;
         depth++) {
        if (fp[-1] == 0)
            break;
        format_string(text, sizeof(text), "  called from %p\n", (void *)fp[-1]);
        put_message(text);
        fp = (const uint64_t *)fp[-2];
    }
}

// No lock is taken: whoever holds it may be what is broken.
void panic_at(uint64_t frame, const char *format, va_list ap)
{
    char text[256];
    if (__atomic_exchange_n(&panicked, 1, __ATOMIC_RELAXED))
        for (;;)
            asm volatile("wfi");
    for (unsigned i = 0; i < hart_count; i++)
        if (&harts[i] != this_hart())
            sbi_send_ipi(harts[i].id);
    put_message("\npanic: ");
    format_string_v(text, sizeof(text), format, ap);
    put_message(text);
    format_string(text, sizeof(text),
                  "\n  on hart %u; riscv64-unknown-elf-addr2line -fe build/kernel.elf ADDRESS\n",
                  this_hart()->index);
    put_message(text);
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
