"""Runs the same commands and tests on other hosts: fresh machines, other compilers, other versions of QEMU."""
