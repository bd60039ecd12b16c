// The wheel of `make demo-wheel`. It replaces user/roulette/main.c.
//
//   roulette [-r WxH] [-m LOOP] [-n FRAMES]
//
// Keys 1 to 4 choose the loop that reads the used ring in the kernel, space chooses the next one,
// and q ends the program. With FRAMES it ends by itself and reads no keys.

#include "user/lib/fb.h"
#include "user/lib/font.h"
#include "user/roulette/roulette.h"

#define SECOND 1000000000ull
#define CAP 60 // at most this many frames per second
#define HUD_PERIOD (SECOND / 2)
#define BAND 2    // rows per present
#define LOOPS 4   // kernel/virtio/demo.c
#define FENCES 3  // per kick: before avail->idx, before used->flags, before the doorbell
#define QUEUES 16 // more than the kernel has

static const char *const names[LOOPS] = {"hoisted load", "fence before", "correct", "over-fenced"};

// Counters at one moment.
struct sample {
    uint64_t time, bands, kicks, polls, fences;
};

static struct {
    struct fb fb;
    uint32_t wheel_rows; // rows of the screen that show the wheel; the head-up line is below
    uint32_t *picture;
    struct font_mask mask;
    int vqstat;
    bool keys, end;
    unsigned loop;
    uint64_t bands; // shown so far
    struct sample since;
} demo;

static const char usage_text[] = "roulette [-r WxH] [-m LOOP] [-n FRAMES]";

// ---- measuring ----

static struct sample take_sample(void)
{
    static struct vqstat queues[QUEUES];
    struct sample s = {.time = clock_gettime(), .bands = demo.bands};
    lseek(demo.vqstat, 0, SEEK_SET);
    int n = read(demo.vqstat, queues, sizeof(queues));
    for (unsigned i = 0; n > 0 && i < (unsigned)n / sizeof(queues[0]); i++) {
        if (strcmp(queues[i].name, "gpu0.control") != 0)
            continue;
        s.kicks = queues[i].kicks;
        s.polls = queues[i].polls;
        s.fences = queues[i].fences - FENCES * queues[i].kicks; // only those of the reading side
    }
    return s;
}

// "1,234,567"
static const char *thousands(char *text, size_t size, uint64_t n)
{
    if (n >= 1000000)
        snprintf(text, size, "%lu,%03lu,%03lu", n / 1000000, n / 1000 % 1000, n % 1000);
    else if (n >= 1000)
        snprintf(text, size, "%lu,%03lu", n / 1000, n % 1000);
    else
        snprintf(text, size, "%lu", n);
    return text;
}

// ---- the head-up line ----

static void write_line(const char *text, int top, int size)
{
    struct font_style style = {.size = size, .stroke = size / 7, .ramp = FONT_SUB};
    int x = 12 * FONT_SUB;
    for (; *text != '\0'; text++) {
        font_draw(&demo.mask, *text, x, top, &style);
        x += font_advance(*text, size);
    }
}

static int hud_show(void)
{
    uint32_t width = demo.fb.info.width, rows = demo.fb.info.height - demo.wheel_rows;
    const uint8_t *cover = demo.mask.bytes;
    for (uint32_t y = 0; y < rows; y++) {
        uint32_t *row = demo.fb.pixels[0] + (size_t)(demo.wheel_rows + y) * width;
        for (uint32_t x = 0; x < width; x++) // grey on black
            row[x] = 0x010101 * (*cover++ * 0xe0 / 255);
    }
    struct fb_rect rect = {0, demo.wheel_rows, width, rows};
    return fb_present(&demo.fb, 0, &rect, 1, 0);
}

// Shows the numbers of the last half second. `from` is NULL if there are none yet.
static int hud_update(const struct sample *from, const struct sample *to)
{
    int unit =
        demo.mask.height * FONT_SUB / 16; // large type: the first line takes a third of the strip
    uint64_t per_frame = (demo.wheel_rows + BAND - 1) / BAND;
    char text[96], polls[24], fences[24];
    memset(demo.mask.bytes, 0, (size_t)demo.mask.width * demo.mask.height);
    snprintf(text, sizeof(text), "%u %s", demo.loop + 1, names[demo.loop]);
    if (from != NULL && to->bands > from->bands) {
        uint64_t bands = to->bands - from->bands;
        uint64_t rate = bands * 10000000 / per_frame / ((to->time - from->time) / 1000);
        snprintf(text, sizeof(text), "%u %s: %lu.%lu frames/s", demo.loop + 1, names[demo.loop],
                 rate / 10, rate % 10);
        thousands(polls, sizeof(polls), (to->polls - from->polls) * per_frame / bands);
        thousands(fences, sizeof(fences), (to->fences - from->fences) * per_frame / bands);
        char second[96];
        snprintf(second, sizeof(second), "a frame: %s polls, %s fences", polls, fences);
        write_line(second, unit * 10, unit * 7 / 2);
    }
    write_line(text, unit * 2, unit * 5);
    return hud_show();
}

// ---- keys ----

static void choose(unsigned loop)
{
    char digit = (char)('0' + loop);
    demo.loop = loop;
    if (write(demo.vqstat, &digit, 1) != 1)
        die("/dev/vqstat: this kernel is not the demo's");
    demo.since = take_sample();
    hud_update(NULL, NULL);
}

static void look_at_keys(void)
{
    uint32_t pending = 0;
    char key;
    if (!demo.keys || ioctl(0, CONSOLE_GET_PENDING, &pending) < 0 || pending == 0 ||
        read(0, &key, 1) != 1)
        return;
    if (key == 'q' || key == 'Q' || key == 3)
        demo.end = true;
    else if (key == ' ')
        choose((demo.loop + 1) % LOOPS);
    else if (key >= '1' && key < '1' + LOOPS)
        choose((unsigned)(key - '1'));
}

// ---- the show ----

// Shows the frame band by band. It handles keys and the head-up line between bands, because a frame
// may take seconds.
static int show_frame(void)
{
    uint32_t width = demo.fb.info.width;
    for (uint32_t y = 0; y < demo.wheel_rows && !demo.end; y += BAND) {
        uint32_t rows = demo.wheel_rows - y < BAND ? demo.wheel_rows - y : BAND;
        struct fb_rect band = {0, y, width, rows};
        size_t at = (size_t)y * width;
        memcpy(demo.fb.pixels[0] + at, demo.picture + at, (size_t)width * rows * sizeof(uint32_t));
        if (fb_present(&demo.fb, 0, &band, 1, 0) < 0)
            return -1;
        demo.bands++;
        look_at_keys();
        if (clock_gettime() - demo.since.time >= HUD_PERIOD) {
            struct sample now = take_sample();
            if (hud_update(&demo.since, &now) < 0)
                return -1;
            demo.since = take_sample();
        }
    }
    return 0;
}

static void spin(struct wheel *w, uint64_t frames)
{
    struct fb_rect damage[WHEEL_MAX_DAMAGE + 1];
    for (uint64_t n = 0; !demo.end && (frames == 0 || n < frames); n++) {
        uint64_t start = clock_gettime();
        wheel_draw(w, 0, demo.picture, demo.fb.info.width * sizeof(uint32_t), (uint32_t)n, damage);
        if (show_frame() < 0)
            die("present");
        uint64_t taken = clock_gettime() - start;
        if (frames == 0 && taken < SECOND / CAP)
            nanosleep(SECOND / CAP - taken);
    }
}

int main(int argc, char **argv)
{
    uint32_t width = 640, height = 480;
    uint64_t frames = 0, loop = 0;
    (void)argc;
    while (*++argv != NULL) {
        const char *option = *argv++;
        bool good = *argv != NULL;
        if (good && strcmp(option, "-r") == 0)
            good = fb_parse_size(*argv, &width, &height);
        else if (good && strcmp(option, "-m") == 0)
            good = parse_number(*argv, &loop) && loop < LOOPS;
        else if (good && strcmp(option, "-n") == 0)
            good = parse_number(*argv, &frames);
        else
            good = false;
        if (!good)
            usage(usage_text);
    }
    if (fb_open(&demo.fb, width, height) < 0)
        fb_die();
    demo.wheel_rows = height - height * 2 / 15;
    demo.mask = (struct font_mask){.width = (int)width, .height = (int)(height - demo.wheel_rows)};
    demo.mask.bytes = malloc((size_t)width * demo.mask.height);
    demo.picture = malloc((size_t)width * demo.wheel_rows * sizeof(uint32_t));
    void *memory = malloc(wheel_memory(width, demo.wheel_rows));
    if (memory == NULL || demo.picture == NULL || demo.mask.bytes == NULL)
        die("memory");
    demo.vqstat = open("/dev/vqstat", O_RDWR);
    if (demo.vqstat < 0)
        die("/dev/vqstat");
    struct wheel *w = wheel_create(memory, width, demo.wheel_rows, 1);
    uint32_t raw = 1;
    demo.keys = frames == 0 && ioctl(0, CONSOLE_SET_RAW, &raw) == 0;
    if (demo.keys)
        printf(
            "1 hoisted load, 2 fence before, 3 correct, 4 over-fenced, space: the next, q: end\n");
    choose((unsigned)loop);
    spin(w, frames);
    raw = 0;
    ioctl(0, CONSOLE_SET_RAW, &raw);
    return 0;
}
