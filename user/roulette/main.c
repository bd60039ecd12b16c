// roulette: turns the wheel on the display.
//
//   roulette [-r WxH] [-n FRAMES] [-s SEED] [-f CAP] [-q] [-b] [-o FRAME] [-1 FRAME]
//
// Any key ends it. The head-up line at the bottom shows the frame rate and what a frame costs at
// the virtqueue. It is not part of the picture (roulette.h).

#include "user/lib/fb.h"
#include "user/lib/font.h"
#include "user/profile_mark.h"
#include "user/roulette/roulette.h"
#include "user/roulette/show.h"

#define SECOND 1000000000ull
#define HUD_PERIOD (SECOND / 2)
#define MAX_VIRTQUEUES 16

struct options {
    uint32_t width, height;
    uint64_t frames; // 0 means until a key is pressed
    uint64_t seed;
    uint64_t cap;   // frames per second; 0 means as fast as possible
    uint64_t first; // the first frame
    uint64_t only;  // with has_only: the only frame
    bool has_seed, has_only, quiet, summary;
};

// Counts up to some moment.
struct sample {
    uint64_t time, frames, kicks, polls;
};

// The head-up line: a mask of its text, and which buffers already show it.
struct hud {
    struct font_mask mask;
    uint32_t top; // the first row of the strip
    bool shown[FB_BUFFERS];
    struct sample since;
};
static struct hud hud;

// ---- options ----

static const char usage_text[] =
    "roulette [-r WxH] [-n FRAMES] [-s SEED] [-f CAP] [-q] [-b] [-o FRAME] [-1 FRAME]\n"
    "  -r WxH     size of the picture (640x480)\n"
    "  -n FRAMES  end after this many frames; without it, any key ends it\n"
    "  -s SEED    decides which numbers win (random)\n"
    "  -f CAP     at most this many frames a second, 0: as many as possible (60)\n"
    "  -q         no head-up line\n"
    "  -b         print the frame rate at the end\n"
    "  -o FRAME   begin with this frame (0)\n"
    "  -1 FRAME   draw only this frame";

static uint64_t number(const char *text, uint64_t limit)
{
    uint64_t value;
    if (text == NULL || !parse_number(text, &value) || value > limit)
        usage(usage_text);
    return value;
}

static void parse(struct options *o, char **argv)
{
    while (*++argv != NULL) {
        const char *arg = *argv;
        if (strlen(arg) != 2 || arg[0] != '-')
            usage(usage_text);
        if (arg[1] == 'q') {
            o->quiet = true;
        } else if (arg[1] == 'b') {
            o->summary = true;
        } else if (*++argv == NULL) {
            usage(usage_text);
        } else if (arg[1] == 'r') {
            if (!fb_parse_size(*argv, &o->width, &o->height))
                usage(usage_text);
        } else if (arg[1] == 'n') {
            o->frames = number(*argv, UINT32_MAX);
        } else if (arg[1] == 's') {
            o->seed = number(*argv, UINT32_MAX);
            o->has_seed = true;
        } else if (arg[1] == 'f') {
            o->cap = number(*argv, 100000);
        } else if (arg[1] == 'o') {
            o->first = number(*argv, UINT32_MAX);
        } else if (arg[1] == '1') {
            o->only = number(*argv, UINT32_MAX);
            o->has_only = true;
        } else {
            usage(usage_text);
        }
    }
}

static uint32_t random_seed(void)
{
    uint32_t seed = 0;
    int fd = open("/dev/random", O_RDONLY);
    if (fd < 0 || read(fd, &seed, sizeof(seed)) != sizeof(seed))
        seed = (uint32_t)clock_gettime();
    if (fd >= 0)
        close(fd);
    return seed % 1000000; // easy to type again
}

// ---- measuring ----

static struct sample take_sample(int vqstat, uint64_t frames)
{
    static struct vqstat queues[MAX_VIRTQUEUES];
    struct sample s = {.time = clock_gettime(), .frames = frames};
    if (vqstat < 0)
        return s;
    lseek(vqstat, 0, SEEK_SET);
    int n = read(vqstat, queues, sizeof(queues));
    for (unsigned i = 0; n > 0 && i < (unsigned)n / sizeof(queues[0]); i++) {
        if (strcmp(queues[i].name, "gpu0.control") == 0) {
            s.kicks = queues[i].kicks;
            s.polls = queues[i].polls;
        }
    }
    return s;
}

// Returns 10 * a / b, rounded, to print it with one decimal.
static uint64_t tenths(uint64_t a, uint64_t b)
{
    return b == 0 ? 0 : (a * 10 + b / 2) / b;
}

static void describe(char *text, size_t size, const struct sample *from, const struct sample *to)
{
    uint64_t frames = to->frames - from->frames;
    uint64_t rate = tenths(frames * 1000000, (to->time - from->time) / 1000);
    uint64_t kicks = tenths(to->kicks - from->kicks, frames);
    uint64_t polls = tenths(to->polls - from->polls, frames);
    snprintf(text, size, "%lu.%lu frames/s   %lu.%lu kicks/frame   %lu.%lu polls/frame", rate / 10,
             rate % 10, kicks / 10, kicks % 10, polls / 10, polls % 10);
}

// ---- the head-up line ----

static void hud_create(const struct options *o, int vqstat)
{
    struct hud *h = &hud;
    uint32_t rows = wheel_strip_rows(o->height);
    *h = (struct hud){.top = o->height - rows, .since = take_sample(vqstat, 0)};
    if (o->quiet)
        return;
    h->mask = (struct font_mask){malloc((size_t)o->width * rows), (int)o->width, (int)rows};
    if (h->mask.bytes == NULL)
        die("head-up line");
    memset(h->mask.bytes, 0, (size_t)o->width * rows);
}

static void hud_write(struct hud *h, const char *text)
{
    int row = h->mask.height * FONT_SUB;
    struct font_style style = {.size = row / 2, .stroke = row / 14, .ramp = FONT_SUB};
    int x = row / 2;
    memset(h->mask.bytes, 0, (size_t)h->mask.width * h->mask.height);
    for (; *text != '\0'; text++) {
        font_draw(&h->mask, *text, x, row / 4, &style);
        x += font_advance(*text, style.size);
    }
    for (unsigned i = 0; i < FB_BUFFERS; i++)
        h->shown[i] = false;
}

// Mixes the strip's colour and the text's, 0xa8b4c4.
static uint32_t hud_colour(unsigned cover)
{
    if (cover == 0)
        return WHEEL_STRIP_COLOUR;
    uint32_t red = 0x0b + (0xa8 - 0x0b) * cover / 255, green = 0x0e + (0xb4 - 0x0e) * cover / 255;
    uint32_t blue = 0x13 + (0xc4 - 0x13) * cover / 255;
    return red << 16 | green << 8 | blue;
}

bool hud_draw(struct fb *fb, unsigned buffer, struct fb_rect *damage)
{
    if (hud.mask.bytes == NULL || hud.shown[buffer])
        return false;
    const uint8_t *cover = hud.mask.bytes;
    for (int y = 0; y < hud.mask.height; y++) {
        uint32_t *row = fb->pixels[buffer] + (size_t)(hud.top + y) * (fb->info.stride / 4);
        for (int x = 0; x < hud.mask.width; x++)
            row[x] = hud_colour(*cover++);
    }
    hud.shown[buffer] = true;
    *damage = (struct fb_rect){0, hud.top, fb->info.width, fb->info.height - hud.top};
    return true;
}

static void hud_update(int vqstat, uint64_t frames, uint64_t now)
{
    struct hud *h = &hud;
    char text[96];
    if (h->mask.bytes == NULL || now - h->since.time < HUD_PERIOD)
        return;
    struct sample s = take_sample(vqstat, frames);
    describe(text, sizeof(text), &h->since, &s);
    hud_write(h, text);
    h->since = s;
}

// ---- the show ----

static void show(struct fb *fb, struct wheel *w, uint32_t frame)
{
    PROFILE_MARK(FRAME_BEGIN); // for the plugin that counts frames
    if (wheel_show(w, fb, frame) < 0) {
        key_end();
        die("present");
    }
}

// Sleeps until frame n is due. Moves the start if this is more than a quarter of a second late.
static void wait_for_turn(uint64_t *start, uint64_t n, uint64_t cap)
{
    if (cap == 0)
        return;
    uint64_t due = *start + n * SECOND / cap, now = clock_gettime();
    if (due > now)
        nanosleep(due - now);
    else if (now - due > SECOND / 4)
        *start += now - due;
}

static uint64_t spin(struct fb *fb, struct wheel *w, const struct options *o, int vqstat)
{
    uint64_t start = clock_gettime(), n = 0;
    while ((o->frames == 0 || n < o->frames) && !key_pressed()) {
        show(fb, w, (uint32_t)(o->first + n));
        n++;
        hud_update(vqstat, n, clock_gettime());
        wait_for_turn(&start, n, o->cap);
    }
    return n;
}

int main(int argc, char **argv)
{
    struct options o = {.width = 640, .height = 480, .cap = 60};
    struct fb fb;
    char text[96];
    (void)argc;

    parse(&o, argv);
    size_t bytes = wheel_memory(o.width, o.height);
    if (bytes == 0) {
        fprintf(2, "roulette: bad size %ux%u: from %dx%d to %dx%d\n", o.width, o.height,
                WHEEL_MIN_WIDTH, WHEEL_MIN_HEIGHT, FB_MAX_WIDTH, FB_MAX_HEIGHT);
        return 1;
    }
    if (fb_open(&fb, o.width, o.height) < 0)
        fb_die();
    void *memory = malloc(bytes);
    if (memory == NULL)
        die("the wheel's tables");
    if (!o.has_seed)
        o.seed = random_seed();
    struct wheel *w = wheel_create(memory, o.width, o.height, (uint32_t)o.seed);
    int vqstat = open("/dev/vqstat", O_RDONLY);
    hud_create(&o, vqstat);

    if (o.has_only) {
        show(&fb, w, (uint32_t)o.only);
    } else {
        key_begin(); // before the line below promises that a key ends it
        printf("roulette: %ux%u, seed %lu%s\n", o.width, o.height, o.seed,
               o.frames == 0 ? "; any key ends it" : "");
        struct sample before = take_sample(vqstat, 0);
        uint64_t frames = spin(&fb, w, &o, vqstat);
        int waited = fb_wait(&fb);
        key_end();
        if (waited < 0)
            die("present");
        struct sample after = take_sample(vqstat, frames);
        uint64_t ms = (after.time - before.time) / 1000000;
        describe(text, sizeof(text), &before, &after);
        if (o.summary)
            printf("roulette: %lu frames in %lu.%03lu s: %s\n", frames, ms / 1000, ms % 1000, text);
    }
    if (fb_wait(&fb) < 0)
        die("present");
    fb_close(&fb);
    return 0;
}
