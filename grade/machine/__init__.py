"""Drives a virtual machine: starts QEMU with a kernel, uses its console, controls and debugs it, looks at its screen."""
