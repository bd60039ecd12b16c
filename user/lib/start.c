// Calls main(): sets the program's name for messages first, and exits with main's result.

#include "user/lib/user.h"

int errno;
const char *program_name = "?";

int main(int argc, char *argv[]);
void start_main(int argc, char *argv[]) __attribute__((noreturn));

void start_main(int argc, char *argv[])
{
    if (argc > 0) {
        const char *slash = strrchr(argv[0], '/');
        program_name = slash ? slash + 1 : argv[0];
    }
    exit(main(argc, argv));
}
