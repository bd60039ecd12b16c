"""Hostile programs (user/fuzz.c): random system calls, changed programs, kills at any moment. Nothing of it may matter."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Callable

import pytest

from grade.machine import Machine

Boot = Callable[..., Machine]
Fsck = Callable[[Path], str]

COUNTED = {  # of what `free` prints: what must be after as it was before
    "memory": r"(\d+) KiB used",
    "processes": r"processes\s+(\d+)",
    "open files": r"open files\s+(\d+)",
    "inodes": r"inodes in memory (\d+)",
}


def counts(machine: Machine) -> dict[str, int]:
    machine.run("sync")
    text = machine.run("free")
    found = {name: re.search(pattern, text) for name, pattern in COUNTED.items()}
    return {name: int(match.group(1)) for name, match in found.items() if match}


def fuzz(machine: Machine, calls: int, processes: int, seed: int) -> int:
    """Runs it; the calls that were made."""
    text = machine.run(f"fuzz -s {seed} -n {calls} -p {processes}", quiet=60, total=1800)
    assert "panic" not in machine.text, machine.text[-3000:]
    match = re.search(r"fuzz: seed \d+: (\d+) calls", text)
    assert match, text[-3000:]
    return int(match.group(1))


def hostile(machine: Machine, calls: int, processes: int, fsck: Fsck) -> None:
    """Leaves the machine as it was, alive and with a sound disk. What is counted is read before and after."""
    seed = random.randrange(1, 1 << 30)  # shown when it fails
    fuzz(machine, 1000, processes, seed)  # what is made only once, such as page tables of kernel stacks
    before = counts(machine)
    assert len(before) == len(COUNTED)
    assert fuzz(machine, calls, processes, seed + 1) >= calls
    assert counts(machine) == before, f"seed {seed}: something did not come back"
    queues = machine.run("vqstat")
    for row in ("in flight now", "protocol errors"):
        assert set(re.search(rf"{row}\s+(.*)", queues).group(1).split()) == {"0"}, queues  # type: ignore[union-attr]
    assert machine.run("echo alive") == "alive\n"
    machine.power_off()
    assert machine.disk is not None
    fsck(machine.disk)


def test_hostile_programs(machine_factory: Boot, fsck: Fsck) -> None:
    hostile(machine_factory(), calls=20_000, processes=6, fsck=fsck)


@pytest.mark.long
@pytest.mark.parametrize("cpus, mem", [(1, "64M"), (2, "256M"), (4, "256M"), (8, "256M")])
def test_hostile_programs_at_length(machine_factory: Boot, fsck: Fsck, cpus: int, mem: str) -> None:
    """A million calls altogether."""
    hostile(machine_factory(cpus=cpus, mem=mem), calls=250_000, processes=12, fsck=fsck)
