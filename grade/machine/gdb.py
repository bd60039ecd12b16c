"""Runs a GDB session from a script, on a machine that was started with gdb=True."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Callable, Iterable, Optional

from grade import ROOT
from grade.machine import patience
from grade.machine.machine import Machine


def run_gdb(
    machine: Machine,
    commands: Iterable[str],
    drive: Optional[Callable[[], object]] = None,
    seconds: float = 60.0,
    kernel: Optional[Path] = None,
) -> str:
    """Starts GDB with the project's .gdbinit, runs the commands, and returns everything that GDB printed.

    While GDB runs, we call `drive`: it makes the machine do what GDB waits for. If the machine does not run the build's
    kernel, pass its `kernel`. Raises AssertionError if `drive` fails, or if GDB needs more than `seconds` (scaled).
    """
    command = [machine.job.gdb, "-q", "-nx", "-batch", "-iex", f"directory {ROOT}", "-x", str(ROOT / ".gdbinit")]
    for line in commands:
        command += ["-ex", line]
    session = subprocess.Popen(
        command + [str(kernel or machine.job.build / "kernel.elf")],
        cwd=machine.folder,  # .gdbinit looks for the machine's socket here
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        if drive is not None:
            try:
                drive()
            except Exception as error:
                session.kill()
                raise AssertionError(f"{error}\nGDB had printed:\n{session.communicate()[0]}") from error
        return session.communicate(timeout=seconds * patience.scale())[0]
    except subprocess.TimeoutExpired:
        session.kill()
        raise AssertionError(f"GDB did not end; it had printed:\n{session.communicate()[0]}") from None
    finally:
        session.kill()
        session.wait()
