// /dev/console: the serial line with a little editing.
//
// Bytes that come in wait in a ring until somebody reads. In cooked mode the reader's line is edited and echoed while
// it reads, so typing ahead does not disturb what programs print. Only ^C acts at once: it kills the
// foreground process and its descendants.

#include "kernel/abi.h"
#include "kernel/dev/dev.h"
#include "kernel/dev/device.h"
#include "kernel/proc/proc.h"

#define CONTROL(letter) ((letter) - '@')
#define ERASE 0x7f
#define LINE_MAX 256
#define PIECE 128 // bytes of output that stay together

static struct spinlock input_lock =
    SPINLOCK("console input"); // guards the ring, `raw` and `foreground`
static struct {
    char bytes[1024];
    uint32_t head, tail; // count up for ever; tail - head bytes wait
} ring;
static struct wait_queue readers;
static bool raw;
static int foreground;

static struct mutex line_mutex; // of the line below: held by the process that reads
static char line[LINE_MAX];
static uint32_t line_length, line_read; // a finished line, and how much of it has been read
static bool line_is_end;                // the line was ended by ^D with nothing on it

static struct spinlock output_lock = SPINLOCK("console output");
static struct wait_queue writers;

// ---- output ----

void console_room(void)
{
    spin_lock(&output_lock);
    wake_all(&writers);
    spin_unlock(&output_lock);
}

// Sends all n bytes, sleeping while the line is busy; -EINTR if killed meanwhile.
static int console_send(const char *bytes, unsigned n)
{
    spin_lock(&output_lock);
    while (n > 0) {
        unsigned sent = uart_write(bytes, n);
        bytes += sent;
        n -= sent;
        if (n > 0 && proc_killed())
            break;
        // uart_write() has asked for an interrupt, which needs output_lock to wake us.
        if (n > 0)
            sleep_on(&writers, &output_lock);
    }
    spin_unlock(&output_lock);
    return n > 0 ? -EINTR : 0;
}

static long console_write(int minor, uint64_t user_src, uint64_t n, uint64_t offset)
{
    (void)minor, (void)offset;
    char piece[PIECE];
    for (uint64_t done = 0; done < n;) {
        uint64_t bytes = min_u64(n - done, sizeof(piece));
        if (copy_from_user(piece, user_src + done, bytes) < 0)
            return done > 0 ? (long)done : -EFAULT;
        int r = console_send(piece, bytes);
        if (r < 0)
            return r;
        done += bytes;
    }
    return n;
}

// ---- input ----

bool console_input(char c)
{
    bool taken = true;
    int kill = 0;
    spin_lock(&input_lock);
    if (c == CONTROL('C') && !raw && foreground) {
        kill = foreground;
    } else if (ring.tail - ring.head == sizeof(ring.bytes)) {
        taken = false;
    } else {
        ring.bytes[ring.tail++ % sizeof(ring.bytes)] = c;
        wake_all(&readers);
    }
    spin_unlock(&input_lock);
    if (kill)
        proc_kill_tree(kill);
    return taken;
}

// The next byte, sleeping for it if `wait`; -EAGAIN, or -EINTR when killed.
static int next_byte(bool wait)
{
    int result = -EAGAIN;
    spin_lock(&input_lock);
    while (ring.head == ring.tail && wait && !proc_killed())
        sleep_on(&readers, &input_lock);
    if (ring.head != ring.tail)
        result = (uint8_t)ring.bytes[ring.head++ % sizeof(ring.bytes)];
    else if (wait)
        result = -EINTR;
    bool was_full = ring.tail - ring.head == sizeof(ring.bytes) - 1;
    spin_unlock(&input_lock);
    if (was_full && result >= 0)
        uart_resume_input();
    return result;
}

static void erase_last(void)
{
    if (line_length > 0) {
        line_length--;
        console_send("\b \b", 3);
    }
}

// Reads and edits a line into `line`; 0 or -EINTR.
static int edit_line(void)
{
    line_length = line_read = 0;
    line_is_end = false;
    for (;;) {
        int c = next_byte(true);
        if (c < 0)
            return c;
        char byte = c == '\r' ? '\n' : c;
        if (byte == ERASE || byte == '\b') {
            erase_last();
        } else if (byte == CONTROL('U')) {
            while (line_length > 0)
                erase_last();
        } else if (byte == CONTROL('D')) {
            line_is_end = line_length == 0;
            return 0;
        } else if (byte == '\n' || line_length < LINE_MAX - 1) {
            line[line_length++] = byte;
            console_send(&byte, 1);
            if (byte == '\n')
                return 0;
        }
    }
}

static long read_cooked(uint64_t user_dst, uint64_t n)
{
    long result = 0;
    mutex_lock(&line_mutex);
    if (line_read == line_length)
        result = edit_line();
    if (result < 0)
        line_length = line_read; // a reader killed in the middle takes its half line along
    if (result == 0 && !line_is_end) {
        uint64_t bytes = min_u64(n, line_length - line_read);
        result = copy_to_user(user_dst, line + line_read, bytes);
        if (result == 0) {
            line_read += bytes;
            result = bytes;
        }
    }
    mutex_unlock(&line_mutex);
    return result;
}

static long read_raw(uint64_t user_dst, uint64_t n)
{
    uint64_t done = 0;
    while (done < n) {
        int c = next_byte(done == 0);
        if (c < 0)
            return done > 0 ? (long)done : c;
        char byte = c;
        if (copy_to_user(user_dst + done, &byte, 1) < 0)
            return -EFAULT;
        done++;
    }
    return done;
}

static long console_read(int minor, uint64_t user_dst, uint64_t n, uint64_t offset)
{
    (void)minor, (void)offset;
    if (n == 0)
        return 0;
    return raw ? read_raw(user_dst, n) : read_cooked(user_dst, n);
}

static long console_ioctl(int minor, uint64_t request, uint64_t user_argument)
{
    (void)minor;
    uint32_t value = 0;
    bool in = request == CONSOLE_SET_RAW || request == CONSOLE_SET_FOREGROUND;
    if (!in && request != CONSOLE_GET_PENDING)
        return -ENOTTY;
    if (in && copy_from_user(&value, user_argument, sizeof(value)) < 0)
        return -EFAULT;
    spin_lock(&input_lock);
    if (request == CONSOLE_SET_RAW)
        raw = value;
    else if (request == CONSOLE_SET_FOREGROUND)
        foreground = value;
    else
        value = ring.tail - ring.head;
    spin_unlock(&input_lock);
    return in ? 0 : copy_to_user(user_argument, &value, sizeof(value));
}

void console_init(void)
{
    mutex_init(&line_mutex, "console line");
}

const struct device console_device = {
    .read = console_read,
    .write = console_write,
    .ioctl = console_ioctl,
};
