// uptime: prints how long the system has been running.

#include "user/lib/user.h"

int main(void)
{
    uint64_t ms = clock_gettime() / 1000000;
    printf("up %lu:%02lu:%02lu.%03lu, %d ticks of %d ms\n", ms / 3600000, ms / 60000 % 60,
           ms / 1000 % 60, ms % 1000, uptime(), TICK_MS);
    return 0;
}
