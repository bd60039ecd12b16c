"""Drive a virtual machine: start QEMU with a kernel, type and read on its console, control and debug it, look at its screen."""
