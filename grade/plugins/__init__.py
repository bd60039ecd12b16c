"""QEMU plugins. They are written in C and run inside QEMU; Python only starts them and reads their results."""
