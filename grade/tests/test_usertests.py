"""The guest's own tests of its system calls, judged line by line. Afterwards fsck checks the disk from outside."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable

import pytest

from grade.machine.job import Job
from grade.machine.machine import Machine
from grade.torture.hostile import checking_kernel

Boot = Callable[..., Machine]
Fsck = Callable[[Path], str]


def results(output: str) -> dict[str, str]:
    """Each test's result, the last word that it prints. Kernel messages about killed processes may come before it."""
    pieces = re.split(r"^test (\S+): ", output, flags=re.MULTILINE)
    words: dict[str, str] = {}
    for name, piece in zip(pieces[1::2], pieces[2::2]):
        found = re.findall(r"(?:ok|skipped: .*|FAILED.*)$", piece, re.MULTILINE)
        words[name] = found[-1] if found else f"no result; {piece.strip()}"
    return words


def judge(machine: Machine, options: str, fsck: Fsck, may_skip: str = "$^") -> None:
    """Runs usertests and checks the results. `may_skip` matches the reasons for which a test may be skipped on this
    machine."""
    listed = [line.split()[0] for line in machine.run("usertests -l").split("\n") if line.strip()]
    _, output = machine.run_status(f"usertests {options}", quiet=120, total=900)
    words = results(output)
    failed = {name: word for name, word in words.items() if not word.startswith(("ok", "skipped"))}
    assert not failed, "\n".join(f"{name}: {word}" for name, word in failed.items())
    assert "ALL TESTS PASSED" in output
    missing = [name for name in listed if name not in words]
    assert "-q" in options or not missing, f"these tests never ran: {' '.join(missing)}"
    assert len(words) > len(listed) // 2
    skipped = [f"{name}: {word}" for name, word in words.items() if word.startswith("skipped") and not re.search(may_skip, word)]
    assert not skipped, "\n".join(skipped)
    assert "panic" not in machine.text
    machine.power_off()
    if machine.disk is not None:
        fsck(machine.disk)


def test_usertests_quick(machine_factory: Boot, fsck: Fsck) -> None:
    judge(machine_factory(), "-q", fsck)


def test_xv6tests(machine_factory: Boot, fsck: Fsck) -> None:
    """These programs use only xv6's interface."""
    machine = machine_factory()
    status, output = machine.run_status("xv6tests", quiet=120, total=600)
    assert status == 0 and "FAILED" not in output, output
    machine.power_off()
    assert machine.disk is not None
    fsck(machine.disk)


@pytest.mark.long
@pytest.mark.parametrize(
    "cpus, mem, may_skip", [(1, "128M", "$^"), (2, "64M", "$^"), (2, "2G", "more than 600 MiB are free"), (4, "256M", "$^")]
)
def test_usertests_all(machine_factory: Boot, fsck: Fsck, cpus: int, mem: str, may_skip: str) -> None:
    judge(machine_factory(cpus=cpus, mem=mem), "", fsck, may_skip)


@pytest.mark.long
def test_usertests_without_polling(machine_factory: Boot, fsck: Fsck) -> None:
    """Every wait for a device sleeps until its interrupt."""
    judge(machine_factory(args="poll=0"), "-q", fsck)


@pytest.mark.long
@pytest.mark.parametrize("cpus", [2, 8])
def test_usertests_of_the_kernel_that_checks_itself(job: Job, machine_factory: Boot, fsck: Fsck, cpus: int) -> None:
    """make SAN=1 finds no undefined behaviour, array overrun or lock-order violation. It preempts at random moments."""
    judge(machine_factory(cpus=cpus, kernel=checking_kernel(job)), "-q", fsck)


@pytest.mark.long
def test_usertests_in_memory(machine_factory: Boot, fsck: Fsck) -> None:
    """Runs from the initrd, without disk and display."""
    judge(machine_factory(disk=None, gpu=False), "-q", fsck, "no GPU|no disk")
