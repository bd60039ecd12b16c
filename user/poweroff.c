// poweroff: writes everything to the disk and turns the machine off.

#include "user/lib/user.h"

int main(void)
{
    reboot(REBOOT_POWEROFF);
    die("power off");
}
