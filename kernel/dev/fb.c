// /dev/fb0: the framebuffer as programs see it (abi.h). Checks every argument; a display driver
// (virtio/gpu.c) does the work. One call at a time reaches the driver.

#include "kernel/dev/dev.h"
#include "kernel/dev/device.h"
#include "kernel/mm/vm.h"
#include "kernel/proc/proc.h"

#define DEFAULT_WIDTH 640
#define DEFAULT_HEIGHT 480

static const struct fb_driver *driver; // NULL: there is no display
static struct mutex fb_mutex;          // held around each call of the driver

void fb_register(const struct fb_driver *display)
{
    mutex_init(&fb_mutex, "fb0");
    driver = display;
}

// There is no picture before the first program asks for one: boot does not wait for it.
static int ensure_mode(void)
{
    uint64_t pages;
    return driver->pixels(&pages) ? 0 : driver->set_mode(DEFAULT_WIDTH, DEFAULT_HEIGHT);
}

static int fb_get_info(uint64_t user_info)
{
    struct fb_info info;
    driver->info(&info);
    return copy_to_user(user_info, &info, sizeof(info));
}

static int fb_set_mode(uint64_t user_mode)
{
    struct fb_mode mode;
    if (copy_from_user(&mode, user_mode, sizeof(mode)) < 0)
        return -EFAULT;
    if (mode.width == 0 || mode.width > FB_MAX_WIDTH || mode.height == 0 ||
        mode.height > FB_MAX_HEIGHT)
        return -EINVAL;
    return driver->set_mode(mode.width, mode.height);
}

static bool inside(const struct fb_rect *rect, const struct fb_info *info)
{
    return rect->width > 0 && rect->height > 0 && rect->x < info->width && rect->y < info->height &&
           rect->width <= info->width - rect->x && rect->height <= info->height - rect->y;
}

static int fb_present_checked(uint64_t user_present)
{
    struct fb_present request;
    struct fb_info info;
    if (copy_from_user(&request, user_present, offsetof(struct fb_present, rects)) < 0)
        return -EFAULT;
    if (request.buffer >= FB_BUFFERS || (request.flags & ~(uint32_t)FB_ASYNC) ||
        request.nrects > FB_MAX_RECTS)
        return -EINVAL;
    if (copy_from_user(request.rects, user_present + offsetof(struct fb_present, rects),
                       request.nrects * sizeof(request.rects[0])) < 0)
        return -EFAULT;
    driver->info(&info);
    for (uint32_t i = 0; i < request.nrects; i++)
        if (!inside(&request.rects[i], &info))
            return -EINVAL;
    if (request.nrects == 0) {
        request.nrects = 1;
        request.rects[0] = (struct fb_rect){0, 0, info.width, info.height};
    }
    return driver->present(&request);
}

static int fb_open(int minor)
{
    (void)minor;
    if (!driver)
        return -ENODEV;
    mutex_lock(&fb_mutex);
    int error = ensure_mode();
    mutex_unlock(&fb_mutex);
    return error;
}

static long dispatch(uint64_t request, uint64_t user_argument)
{
    switch (request) {
    case FB_GET_INFO:
        return fb_get_info(user_argument);
    case FB_SET_MODE:
        return fb_set_mode(user_argument);
    case FB_PRESENT:
        return fb_present_checked(user_argument);
    case FB_WAIT:
        return driver->wait();
    default:
        return -ENOTTY;
    }
}

static long fb_ioctl(int minor, uint64_t request, uint64_t user_argument)
{
    (void)minor;
    if (!driver)
        return -ENODEV;
    mutex_lock(&fb_mutex);
    long result = dispatch(request, user_argument);
    mutex_unlock(&fb_mutex);
    return result;
}

// Maps both buffers, or the first `length` bytes of them.
static long fb_mmap(int minor, uint64_t length, uint64_t offset)
{
    uint64_t pages;
    long result = -EINVAL;
    (void)minor;
    if (!driver)
        return -ENODEV;
    mutex_lock(&fb_mutex);
    void *first = driver->pixels(&pages);
    if (first && offset == 0 && length > 0 && length <= pages * PAGE_SIZE)
        result =
            vm_map_device(&current_proc()->space, first, ALIGN_UP(length, PAGE_SIZE) / PAGE_SIZE);
    mutex_unlock(&fb_mutex);
    return result;
}

const struct device fb_device = {.open = fb_open, .ioctl = fb_ioctl, .mmap = fb_mmap};
