"""Counts the instructions of a frame by function and by purpose."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from grade.machine import binutils
from grade.rate.watch import Run


@dataclass(frozen=True)
class Function:
    name: str
    file: str  # "kernel/virtio/gpu.c"; "" if the debug information does not name it
    instructions: float  # per frame
    turns: float  # executions of its busiest block, per kick


def functions(run: Run) -> list[Function]:
    """The functions that ran while the wheel turned, the most expensive first."""
    found: dict[tuple[str, str], list[float]] = {}
    kicks = sum(frame.kicks for frame in run.frames) or 1
    for elf, high in ((run.build / "kernel.elf", True), (run.build / "user/roulette.elf", False)):
        addresses = [address for address in run.profile if (address >> 32 != 0) == high]
        command = [binutils.find("addr2line"), "-f", "-e", str(elf)]
        done = subprocess.run(command, input="\n".join(map(hex, addresses)), stdout=subprocess.PIPE, text=True, check=True)
        lines = done.stdout.splitlines()
        for address, name, place in zip(addresses, lines[::2], lines[1::2]):
            file = re.match(r"(?:.*/)?((?:kernel|user)/[^:]*):", place)
            entry = found.setdefault((name, file[1] if file else ""), [0.0, 0.0])
            executions, instructions = run.profile[address]
            entry[0] += instructions / len(run.frames)
            entry[1] = max(entry[1], executions / kicks)
    return sorted((Function(*key, *value) for key, value in found.items()), key=lambda f: -f.instructions)


# The purpose of a function follows from its file. The first pattern that matches counts.
PLACES = [
    ("draw", r"user/"),
    ("console", r"kernel/(printf|dev/(uart|console))"),
    ("submit", r"kernel/(virtio|dev/fb)"),
    ("wait", r"kernel/(proc/(sched|lock|trap)|dev/plic|dev/timer)"),
    ("copy", r"kernel/(mm|string)"),
    ("rest", r""),
]


def budget(run: Run) -> dict[str, float]:
    """The instructions of a frame by purpose; PLACES has the names."""
    split = {name: 0.0 for name, _ in PLACES}
    for function in functions(run):
        split[next(name for name, pattern in PLACES if re.match(pattern, function.file))] += function.instructions
    return split


def busiest(run: Run) -> Function:
    """The kernel function whose loop turns most often per kick. Leaves out functions that fill memory or wait for the
    serial port: those loops have a purpose and pay for their instructions. Raises LookupError if no kernel function ran."""
    purpose = r"kernel/(string|printf|dev/(uart|console))"
    mine = [f for f in functions(run) if f.file.startswith("kernel/") and not re.match(purpose, f.file)]
    if not mine:
        raise LookupError("the profile shows no kernel function, so we know nothing about the kernel's loops")
    return max(mine, key=lambda f: f.turns)
