// reboot: writes everything to the disk and restarts the machine.

#include "user/lib/user.h"

int main(void)
{
    reboot(REBOOT_RESTART);
    die("restart");
}
