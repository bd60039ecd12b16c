"""Tests of the kernel, the programs and the harness."""
