"""The guest's own tests of its system calls, judged line by line; afterwards the disk is checked from outside."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable

import pytest

from grade.machine import Machine

Boot = Callable[..., Machine]
Fsck = Callable[[Path], str]


def judge(machine: Machine, command: str, fsck: Fsck) -> None:
    names = machine.run(f"{command} -l").split("\n")
    names = [line.split()[0] for line in names if line.strip()]
    _, output = machine.run_status(command, quiet=120, total=900)
    results = dict(re.findall(r"^test (\S+): (.*)$", output, re.MULTILINE))
    failed = {name: result for name, result in results.items() if not result.startswith(("ok", "skipped"))}
    assert not failed, "\n".join(f"{name}: {result}" for name, result in failed.items())
    assert "ALL TESTS PASSED" in output
    missing = [name for name in names if name not in results]
    assert not missing, f"these never ran: {' '.join(missing)}"
    assert "panic" not in machine.text
    machine.power_off()
    assert machine.disk is not None
    fsck(machine.disk)


def test_usertests_quick(machine_factory: Boot, fsck: Fsck) -> None:
    judge(machine_factory(), "usertests -q", fsck)


def test_xv6tests(machine_factory: Boot, fsck: Fsck) -> None:
    """Programs that know nothing but xv6's interface."""
    machine = machine_factory()
    status, output = machine.run_status("xv6tests", quiet=120, total=600)
    assert status == 0 and "FAILED" not in output, output
    machine.power_off()
    assert machine.disk is not None
    fsck(machine.disk)


@pytest.mark.long
@pytest.mark.parametrize("cpus, mem", [(1, "128M"), (2, "64M"), (2, "2G"), (4, "256M")])
def test_usertests_all(machine_factory: Boot, fsck: Fsck, cpus: int, mem: str) -> None:
    judge(machine_factory(cpus=cpus, mem=mem), "usertests", fsck)


@pytest.mark.long
def test_usertests_in_memory(machine_factory: Boot) -> None:
    """The same on the initrd, with no disk at all, and waiting by interrupt alone."""
    machine = machine_factory(disk=None, gpu=False, args="poll=0")
    _, output = machine.run_status("usertests -q", quiet=120, total=900)
    assert "FAILED" not in output and "ALL TESTS PASSED" in output, output
