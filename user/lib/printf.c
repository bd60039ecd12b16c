// Formatted output. format_into() interprets the format and puts the characters into a sink. A sink
// is a string, or a file with a small buffer: the buffer makes one write() of a whole line.

#include "user/lib/user.h"

struct sink {
    int fd;      // -1 if the sink is a string
    char *dst;   // the string, or the file's buffer
    size_t size; // bytes that dst can hold
    size_t used;
    size_t total; // characters so far, including those that did not fit
};

static void put(struct sink *sink, char c)
{
    sink->total++;
    if (sink->used == sink->size) {
        if (sink->fd < 0)
            return;
        write_all(sink->fd, sink->dst, sink->used);
        sink->used = 0;
    }
    sink->dst[sink->used++] = c;
}

struct spec {
    bool left, zero, plus;
    int width, precision; // precision is -1 if the format has none
};

static void put_padded(struct sink *sink, const struct spec *spec, const char *text, int length)
{
    int padding = spec->width - length;
    for (; !spec->left && padding > 0; padding--)
        put(sink, ' ');
    while (length-- > 0)
        put(sink, *text++);
    for (; padding > 0; padding--)
        put(sink, ' ');
}

static void put_number(struct sink *sink, const struct spec *spec, uint64_t value,
                       const char *prefix, unsigned base, bool upper)
{
    char text[64 + 24];
    char *end = text + sizeof(text), *p = end;
    do {
        *--p = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[value % base];
        value /= base;
    } while (value);
    int prefix_length = strlen(prefix);
    if (spec->zero && !spec->left) {
        int width = spec->width < 64 ? spec->width : 64;
        while (end - p + prefix_length < width)
            *--p = '0';
    }
    p -= prefix_length;
    memcpy(p, prefix, prefix_length);
    put_padded(sink, spec, p, end - p);
}

// Reads flags, width and precision; returns the rest of the format.
static const char *parse_spec(const char *format, struct spec *spec, va_list *ap)
{
    *spec = (struct spec){.precision = -1};
    for (;; format++) {
        if (*format == '-')
            spec->left = true;
        else if (*format == '0')
            spec->zero = true;
        else if (*format == '+')
            spec->plus = true;
        else
            break;
    }
    if (*format == '*') {
        spec->width = va_arg(*ap, int);
        format++;
    }
    while (*format >= '0' && *format <= '9')
        spec->width = spec->width * 10 + (*format++ - '0');
    if (*format == '.') {
        spec->precision = 0;
        if (*++format == '*') {
            spec->precision = va_arg(*ap, int);
            format++;
        }
        while (*format >= '0' && *format <= '9')
            spec->precision = spec->precision * 10 + (*format++ - '0');
    }
    return format;
}

// Prints the next argument as the conversion `c` says. With is_long it has 64 bits, else it is an
// int.
static void convert(struct sink *sink, const struct spec *spec, char c, bool is_long, va_list *ap)
{
    switch (c) {
    case 'd':
    case 'i': {
        int64_t value = is_long ? va_arg(*ap, int64_t) : va_arg(*ap, int);
        uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
        put_number(sink, spec, magnitude, value < 0 ? "-" : spec->plus ? "+" : "", 10, false);
        break;
    }
    case 'u':
    case 'x':
    case 'X': {
        uint64_t value = is_long ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned);
        put_number(sink, spec, value, "", c == 'u' ? 10 : 16, c == 'X');
        break;
    }
    case 'p':
        put_number(sink, spec, va_arg(*ap, uintptr_t), "0x", 16, false);
        break;
    case 'c': {
        char character = va_arg(*ap, int);
        put_padded(sink, spec, &character, 1);
        break;
    }
    case 's': {
        const char *text = va_arg(*ap, const char *);
        if (text == NULL)
            text = "(null)";
        int length = 0;
        while (length != spec->precision && text[length])
            length++;
        put_padded(sink, spec, text, length);
        break;
    }
    default: // "%%"; an unknown conversion is printed as it is
        if (c != '%')
            put(sink, '%');
        if (c)
            put(sink, c);
    }
}

static void format_into(struct sink *sink, const char *format, va_list *ap)
{
    for (; *format; format++) {
        if (*format != '%') {
            put(sink, *format);
            continue;
        }
        struct spec spec;
        bool is_long = false;
        for (format = parse_spec(format + 1, &spec, ap); *format; format++) {
            if (*format == 'l' || *format == 'z')
                is_long = true;
            else if (*format != 'h')
                break;
        }
        convert(sink, &spec, *format, is_long, ap);
        if (*format == 0)
            break;
    }
}

void vfprintf(int fd, const char *format, va_list ap)
{
    char buffer[512];
    struct sink sink = {.fd = fd, .dst = buffer, .size = sizeof(buffer)};
    va_list copy;
    va_copy(copy, ap);
    format_into(&sink, format, &copy);
    va_end(copy);
    // The reader of the pipe is gone. There are no signals, so this is what ends hexdump in
    // `hexdump FILE | head`.
    if (sink.used > 0 && write_all(fd, buffer, sink.used) < 0 && errno == EPIPE)
        exit(1);
}

void fprintf(int fd, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vfprintf(fd, format, ap);
    va_end(ap);
}

void printf(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vfprintf(1, format, ap);
    va_end(ap);
}

int vsnprintf(char *dst, size_t size, const char *format, va_list ap)
{
    struct sink sink = {.fd = -1, .dst = dst, .size = size > 0 ? size - 1 : 0};
    va_list copy;
    va_copy(copy, ap);
    format_into(&sink, format, &copy);
    va_end(copy);
    if (size > 0)
        dst[sink.used] = 0;
    return sink.total;
}

int snprintf(char *dst, size_t size, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int length = vsnprintf(dst, size, format, ap);
    va_end(ap);
    return length;
}
