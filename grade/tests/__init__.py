"""Tests of the kernel, of the programs and of the harness."""
