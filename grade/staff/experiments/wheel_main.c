// The wheel of the experiments. It replaces user/roulette/main.c. Each theory about the slow wheel
// that is not about the ring is an option here.
//
//   roulette [-r WxH] [-n FRAMES] [-t MS] [-o FRAME] [-b ROWS] [-v] [-l]
//
// One process draws each frame into its own memory, copies it to the display's buffer, presents it,
// and waits for the device.

#include "user/lib/fb.h"
#include "user/roulette/roulette.h"

struct options {
    uint32_t width, height;
    uint64_t frames, ms; // show at least this many frames, for at least this time
    uint64_t first;
    uint64_t rows; // in a band; 0: one present for the whole picture
    bool pixelwise, log;
};

static const char usage_text[] =
    "roulette [-r WxH] [-n FRAMES] [-t MS] [-o FRAME] [-b ROWS] [-v] [-l]\n"
    "  -b ROWS  present bands of this many rows, one by one (0: the whole picture at once)\n"
    "  -v       copy pixel by pixel, with volatile stores\n"
    "  -l       print a line on the console for each frame";

static uint64_t number(const char *text)
{
    uint64_t value;
    if (text == NULL || !parse_number(text, &value))
        usage(usage_text);
    return value;
}

static void parse(struct options *o, char **argv)
{
    while (*++argv != NULL) {
        if (strcmp(*argv, "-v") == 0)
            o->pixelwise = true;
        else if (strcmp(*argv, "-l") == 0)
            o->log = true;
        else if (strcmp(*argv, "-r") == 0) {
            if (!fb_parse_size(*++argv, &o->width, &o->height))
                usage(usage_text);
        } else if (strcmp(*argv, "-n") == 0)
            o->frames = number(*++argv);
        else if (strcmp(*argv, "-t") == 0)
            o->ms = number(*++argv);
        else if (strcmp(*argv, "-o") == 0)
            o->first = number(*++argv);
        else if (strcmp(*argv, "-b") == 0)
            o->rows = number(*++argv);
        else
            usage(usage_text);
    }
}

static void copy(uint32_t *to, const uint32_t *from, size_t pixels, bool pixelwise)
{
    if (!pixelwise) {
        memcpy(to, from, pixels * sizeof(*to));
        return;
    }
    volatile uint32_t *out = to;
    for (size_t i = 0; i < pixels; i++)
        out[i] = from[i];
}

// Shows the picture from top to bottom, `rows` at a time.
static int show(struct fb *fb, const uint32_t *picture, const struct options *o)
{
    uint32_t width = fb->info.width, height = fb->info.height;
    uint32_t rows = o->rows == 0 || o->rows > height ? height : (uint32_t)o->rows;
    for (uint32_t y = 0; y < height; y += rows) {
        struct fb_rect band = {0, y, width, rows < height - y ? rows : height - y};
        size_t at = (size_t)y * width;
        copy(fb->pixels[0] + at, picture + at, (size_t)width * band.height, o->pixelwise);
        if (fb_present(fb, 0, &band, 1, 0) < 0)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {.width = 640, .height = 480, .frames = 1, .rows = 2};
    struct fb fb;
    (void)argc;

    parse(&o, argv);
    if (fb_open(&fb, o.width, o.height) < 0)
        fb_die();
    void *memory = malloc(wheel_memory(o.width, o.height));
    uint32_t *picture = malloc((size_t)o.width * o.height * sizeof(*picture));
    if (memory == NULL || picture == NULL)
        die("memory");
    struct wheel *w = wheel_create(memory, o.width, o.height, 1);
    uint64_t start = clock_gettime();
    for (uint64_t n = 0; n < o.frames || clock_gettime() - start < o.ms * 1000000; n++) {
        struct fb_rect damage[WHEEL_MAX_DAMAGE + 1];
        wheel_draw(w, 0, picture, o.width * sizeof(*picture), (uint32_t)(o.first + n), damage);
        if (show(&fb, picture, &o) < 0)
            die("present");
        if (o.log)
            printf("frame %lu: %lu ms since the first\n", n, (clock_gettime() - start) / 1000000);
    }
    return 0;
}
