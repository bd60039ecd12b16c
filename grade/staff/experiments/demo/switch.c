// kernel/virtio/demo.c of `make demo-wheel`: a program chooses the loop by writing a digit to
// /dev/vqstat.

#include "kernel/dev/device.h"
#include "kernel/mm/vm.h"
#include "kernel/virtio/barrier.h"

extern unsigned demo_loop;

long demo_write(int minor, uint64_t user_src, uint64_t n, uint64_t offset);

long demo_write(int minor, uint64_t user_src, uint64_t n, uint64_t offset)
{
    char digit;
    (void)minor, (void)offset;
    if (n == 0 || copy_from_user(&digit, user_src, 1) < 0)
        return -EFAULT;
    if (digit < '0' || digit > '3')
        return -EINVAL;
    WRITE_ONCE(demo_loop, (unsigned)(digit - '0'));
    return (long)n;
}
