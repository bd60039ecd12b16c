// init: the first process. It opens the console and starts the shell, then waits for every process
// whose parent has ended. When the shell ends, it turns the machine off.

#include "user/lib/user.h"

// Opens the console as file descriptors 0, 1 and 2. Every later process inherits them.
static void open_console(void)
{
    int fd = open("/dev/console", O_RDWR);
    if (fd < 0) { // the image has no /dev
        mknod("console", DEV_CONSOLE, 0);
        fd = open("console", O_RDWR);
    }
    if (fd != 0)
        reboot(REBOOT_POWEROFF);
    dup(0);
    dup(0);
}

static int start_shell(void)
{
    char *arguments[] = {"sh", NULL};
    int pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        exec("/sh", arguments);
        die("/sh");
    }
    return pid;
}

int main(void)
{
    open_console();
    int shell = start_shell();
    int status, pid;
    do {
        pid = wait(&status);
    } while (pid >= 0 && pid != shell);
    if (status == 0)
        printf("init: the shell has ended: power off\n");
    else
        printf("init: the shell has ended with status %d: power off\n", status);
    reboot(REBOOT_POWEROFF);
    die("power off");
}
