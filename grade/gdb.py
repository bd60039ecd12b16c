"""Running a GDB session by script against a machine that was started with gdb=True."""

from __future__ import annotations

import os
import subprocess
from typing import Iterable

from grade import calibrate
from grade.machine import BUILD, ROOT, Machine

GDB = os.environ.get("GDB") or "gdb-multiarch"


def run_gdb(machine: Machine, commands: Iterable[str], seconds: float = 60.0) -> str:
    """Starts GDB with the project's .gdbinit, runs the commands, and returns all it printed."""
    command = [GDB, "-q", "-nx", "-batch", "-x", str(ROOT / ".gdbinit")]
    for line in commands:
        command += ["-ex", line]
    try:
        done = subprocess.run(
            command + [str(BUILD / "kernel.elf")],
            cwd=machine.folder,  # where .gdbinit finds the machine's socket
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds * calibrate.scale(),
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        raise AssertionError(f"GDB did not end; it had printed:\n{output.decode(errors='replace')}") from None
    return done.stdout
