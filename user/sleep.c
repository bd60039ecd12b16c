// sleep: waits for a number of seconds, which may have decimals.

#include "user/lib/user.h"

int main(int argc, char *argv[])
{
    char *p;
    if (argc != 2)
        usage("sleep SECONDS");
    uint64_t ns = strtoul(argv[1], &p, 10) * 1000000000;
    if (*p == '.') {
        uint64_t unit = 100000000;
        for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
            ns += (*p - '0') * unit;
    }
    if (*p != 0 || p == argv[1])
        usage("sleep SECONDS");
    if (nanosleep(ns) < 0)
        die(argv[1]);
    return 0;
}
