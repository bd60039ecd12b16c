"""Plugins of QEMU. They run inside its process and are written in C; Python only starts them and reads their results."""
