// fbtest: shows test patterns on the display.
//
//   fbtest [-r WxH] [-n STEPS] [-w MS] [-k] NAME... | all
//
// A NAME is a pattern (patterns.c), `modes`, which shows several sizes, or `info`. The last picture
// stays on the screen. The host program draw_fbtest draws the same picture.

#include "user/fbtest/fbtest.h"
#include "user/lib/fb.h"

#define MS 1000000ull

static struct {
    uint32_t width, height;
    uint64_t steps;   // 0 means the pattern's default
    uint64_t wait_ms; // how long to wait after each pattern
    bool key;
} options = {.width = 640, .height = 480};

static struct fb fb;
static uint64_t presents; // made for the current pattern

static void fail(const char *what)
{
    key_end();
    die(what);
}

static void present(unsigned buffer, const struct fb_rect *rects, unsigned n, uint32_t flags)
{
    if (fb_present(&fb, buffer, rects, n, flags) < 0)
        fail("present");
    presents++;
}

static struct fb_rect draw(const struct pattern *pattern, uint32_t step)
{
    struct picture picture = {fb.pixels[step % pattern->buffers], fb.info.stride, fb.info.width,
                              fb.info.height};
    // cppcheck-suppress returnDanglingLifetime ; what step() returns holds no pointer
    return pattern->step(&picture, step);
}

// Draws a pattern that uses one buffer. It presents the first 32 steps one by one, and the others
// in groups of 1, 2, 3 and so on, up to the most rectangles that a present accepts.
static void draw_grouped(const struct pattern *pattern, uint32_t steps)
{
    struct fb_rect rects[FB_MAX_RECTS];
    unsigned n = 0, group = 1;
    for (uint32_t step = 0; step < steps; step++) {
        rects[n++] = draw(pattern, step);
        if (n < group && step + 1 < steps)
            continue;
        present(0, rects, n, 0);
        // A driver whose presents do not wait has its own test. It must not show wrong pictures
        // here because of that.
        if (fb_wait(&fb) < 0)
            fail("wait");
        n = 0;
        if (step >= 32)
            group = group % FB_MAX_RECTS + 1;
    }
}

// Draws a pattern that uses two buffers: into one while the other is on its way to the display.
static void draw_flipped(const struct pattern *pattern, uint32_t steps)
{
    for (uint32_t step = 0; step < steps; step++) {
        struct fb_rect rect = draw(pattern, step);
        if (fb_wait(&fb) < 0)
            fail("wait");
        present(step % pattern->buffers, &rect, 1, FB_ASYNC);
    }
    if (fb_wait(&fb) < 0)
        fail("wait");
}

static void show(const struct pattern *pattern, uint32_t width, uint32_t height)
{
    uint32_t steps =
        options.steps != 0 && pattern->steps > 1 ? (uint32_t)options.steps : pattern->steps;
    if (fb_set_mode(&fb, width, height) < 0)
        fb_die();
    if (fb.info.width != width || fb.info.height != height) {
        fprintf(2, "fbtest: asked for %ux%u, got %ux%u\n", width, height, fb.info.width,
                fb.info.height);
        exit(1);
    }
    presents = 0;
    if (pattern->buffers == 1)
        draw_grouped(pattern, steps);
    else
        draw_flipped(pattern, steps);
    printf("fbtest: %s %ux%u: %lu presents\n", pattern->name, width, height, presents);
    nanosleep(options.wait_ms * MS);
}

static void show_modes(void)
{
    for (unsigned i = 0; i < pattern_mode_count; i++)
        show(pattern_find("size"), pattern_modes[i].width, pattern_modes[i].height);
}

static void show_info(void)
{
    const struct fb_info *info = &fb.info;
    printf("fbtest: display %ux%u, picture %ux%u, %u bytes a row, %d buffers of %u bytes\n",
           info->display_width, info->display_height, info->width, info->height, info->stride,
           FB_BUFFERS, info->buffer_bytes);
}

static void show_named(const char *name)
{
    const struct pattern *pattern = pattern_find(name);
    if (strcmp(name, "info") == 0) {
        show_info();
    } else if (strcmp(name, "modes") == 0) {
        show_modes();
    } else if (strcmp(name, "all") == 0) {
        for (unsigned i = 0; i < pattern_count; i++)
            show(&patterns[i], options.width, options.height);
        show_modes();
    } else if (pattern != NULL) {
        show(pattern, options.width, options.height);
    } else {
        fprintf(2, "fbtest: no pattern %s; `fbtest` without a name lists them\n", name);
        exit(1);
    }
}

static void help(void)
{
    printf("usage: fbtest [-r WxH] [-n STEPS] [-w MS] [-k] NAME...\n"
           "  -r WxH    size of the picture (640x480)\n"
           "  -n STEPS  number of steps, for a pattern that has several\n"
           "  -w MS     wait this long after each pattern\n"
           "  -k        wait for a key at the end\n"
           "names:\n");
    for (unsigned i = 0; i < pattern_count; i++)
        printf("  %-8s  %s\n", patterns[i].name, patterns[i].meaning);
    printf("  %-8s  %u sizes, one after the other\n"
           "  %-8s  all patterns, then modes\n"
           "  %-8s  prints the sizes of the display and of the picture\n",
           "modes", pattern_mode_count, "all", "info");
    exit(2);
}

// Reads the options; returns the first argument that is not an option.
static char **parse(char **argv)
{
    for (argv++; *argv != NULL && (*argv)[0] == '-'; argv++) {
        char option = strlen(*argv) == 2 ? (*argv)[1] : '?';
        if (option == 'k') {
            options.key = true;
            continue;
        }
        if (strchr("rnw", option) == NULL || *++argv == NULL)
            help();
        bool good = option == 'r'   ? fb_parse_size(*argv, &options.width, &options.height)
                    : option == 'n' ? parse_number(*argv, &options.steps)
                                    : parse_number(*argv, &options.wait_ms);
        if (!good || options.steps > 1000000000 || options.wait_ms > 1000000)
            help();
    }
    if (options.width == 0 || options.height == 0 || options.width > FB_MAX_WIDTH ||
        options.height > FB_MAX_HEIGHT) {
        fprintf(2, "fbtest: bad size %ux%u: from 1x1 to %dx%d\n", options.width, options.height,
                FB_MAX_WIDTH, FB_MAX_HEIGHT);
        exit(1);
    }
    return argv;
}

int main(int argc, char **argv)
{
    (void)argc;
    argv = parse(argv);
    if (*argv == NULL)
        help();
    if (fb_open(&fb, 0, 0) < 0)
        fb_die();
    if (options.key)
        key_begin();
    for (; *argv != NULL; argv++)
        show_named(*argv);
    if (options.key) {
        while (!key_pressed())
            nanosleep(20 * MS);
        key_end();
    }
    fb_close(&fb);
    return 0;
}
