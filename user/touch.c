// touch: creates files that do not exist, empty. (The file system stores no times.)

#include "user/lib/user.h"

int main(int argc, char *argv[])
{
    if (argc < 2)
        usage("touch FILE...");
    int status = 0;
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_CREATE | O_WRONLY);
        if (fd < 0) {
            perror(argv[i]);
            status = 1;
        } else {
            close(fd);
        }
    }
    return status;
}
