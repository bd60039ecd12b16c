// ln: gives a file a second name.

#include "user/lib/user.h"

int main(int argc, char *argv[])
{
    if (argc != 3)
        usage("ln FILE NAME");
    if (link(argv[1], argv[2]) < 0)
        die(argv[2]);
    return 0;
}
