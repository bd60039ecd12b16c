// kill: ends processes.

#include "user/lib/user.h"

int main(int argc, char *argv[])
{
    if (argc < 2)
        usage("kill PID...");
    int status = 0;
    for (int i = 1; i < argc; i++) {
        uint64_t pid;
        if (!parse_number(argv[i], &pid) || pid > INT32_MAX)
            usage("kill PID...");
        if (kill(pid) < 0) {
            perror(argv[i]);
            status = 1;
        }
    }
    return status;
}
