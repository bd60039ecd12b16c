// mkdir: makes directories.

#include "user/lib/user.h"

int main(int argc, char *argv[])
{
    if (argc < 2)
        usage("mkdir DIRECTORY...");
    int status = 0;
    for (int i = 1; i < argc; i++) {
        if (mkdir(argv[i]) < 0) {
            perror(argv[i]);
            status = 1;
        }
    }
    return status;
}
