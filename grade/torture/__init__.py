"""Tries to break the kernel: crashes, faults, hostile programs and images, load, and models of its protocols."""
