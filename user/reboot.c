// reboot: brings everything to the disk and starts the machine again.

#include "user/lib/user.h"

int main(void)
{
    reboot(REBOOT_RESTART);
    die("restart");
}
