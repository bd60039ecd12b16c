"""Machines of every size boot, work and power off."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Callable

import pytest

from grade.machine.console import ConsoleError
from grade.machine.machine import Machine

Boot = Callable[..., Machine]
Fsck = Callable[[Path], str]


@pytest.mark.parametrize("cpus", [1, 2, 4, 8])
def test_harts(machine_factory: Boot, cpus: int) -> None:
    machine = machine_factory(cpus=cpus)
    assert len(re.findall(r"CPU #\d", machine.monitor("info cpus"))) == cpus
    assert re.search(rf"Ringfence: {cpus} hart", machine.text)
    # More processes than harts, all running at once.
    machine.run("; ".join(["sha256sum /usertests >/dev/null &"] * 6) + " wait", quiet=30)
    # Each hart idles on its own stack.
    assert len({machine.hart_stack(cpu) for cpu in range(cpus)}) == cpus
    machine.power_off()


@pytest.mark.parametrize("mem", ["64M", "128M", "1G", "2G"])
def test_memory(machine_factory: Boot, mem: str) -> None:
    machine = machine_factory(mem=mem)
    size = int(mem[:-1]) * (1024 if mem.endswith("G") else 1)
    announced = re.search(r"Ringfence: \d+ harts?, (\d+) MiB", machine.text)
    # The firmware keeps its first 2 MiB.
    assert announced and size - 4 <= int(announced.group(1)) <= size
    assert "README" in machine.run("ls")
    machine.run("mkfile 3M big 7 && sha256sum big")
    machine.power_off()


@pytest.mark.needs("linux")
def test_boot_touches_little_memory(machine_factory: Boot) -> None:
    """The host clears the memory that the guest touches, in pages of up to 2 MiB: a large part of a boot's time."""
    machine = machine_factory(mem="256M")
    assert machine.process is not None
    smaps = Path(f"/proc/{machine.process.pid}/smaps").read_text()
    resident = {int(size): int(rss) for size, rss in re.findall(r"^Size: +(\d+) kB(?:\n.*){2}\nRss: +(\d+) kB", smaps, re.M)}
    assert resident[256 << 10] <= 24 << 10, "the guest has touched too many KiB of memory at the first prompt"


def test_two_machines_at_once(machine_factory: Boot, fsck: Fsck) -> None:
    first, second = machine_factory(), machine_factory()
    first.run("echo one > which")
    second.run("echo two > which")
    assert first.run("cat which") == "one\n"
    assert second.run("cat which") == "two\n"
    for machine in (first, second):
        machine.power_off()
        assert machine.disk is not None
        fsck(machine.disk)


def test_files_survive_power_off(machine_factory: Boot, fsck: Fsck) -> None:
    first = machine_factory()
    first.run("mkdir d; echo kept > d/file")
    first.power_off()
    assert first.disk is not None
    fsck(first.disk)
    second = machine_factory(disk=first.disk)
    assert second.run("cat d/file") == "kept\n"


def test_reboot(machine_factory: Boot) -> None:
    machine = machine_factory()
    machine.run("echo kept > file")
    machine.send("reboot\n")
    machine.expect(r"Ringfence: ")
    machine.expect(r"^\$ ")
    assert machine.run("cat file") == "kept\n"
    machine.power_off()


def test_end_of_input_powers_off(machine_factory: Boot) -> None:
    machine = machine_factory()
    machine.send("\x04")
    assert machine.wait() == 0


def test_initrd_as_root(machine_factory: Boot) -> None:
    machine = machine_factory(disk=None)
    assert "sh" in machine.run("ls").split()
    machine.run("echo written > file && cat file")
    machine.power_off()


def test_boot_argument_chooses_the_root(machine_factory: Boot) -> None:
    machine = machine_factory(args="root=initrd")
    machine.run("echo lost > lost")
    machine.power_off()
    assert "lost" not in machine_factory(disk=machine.disk).run("ls")


@pytest.mark.needs("linux")
def test_idle_harts_sleep(machine_factory: Boot) -> None:
    """At the prompt, the machine uses almost no processor time of the host."""
    machine = machine_factory(cpus=2)
    machine.run("true")
    start, before = time.monotonic(), cpu_seconds(machine)
    with pytest.raises(ConsoleError, match="of silence"):
        machine.expect("never printed", quiet=2.0, total=2.0)
    assert cpu_seconds(machine) - before < (time.monotonic() - start) / 4


def cpu_seconds(machine: Machine) -> float:
    """The processor time that QEMU has used."""
    assert machine.process is not None
    fields = Path(f"/proc/{machine.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.long
@pytest.mark.parametrize("cpus", [2, 8])
def test_many_boots(machine_factory: Boot, cpus: int) -> None:
    """The first program reboots at once. Finds faults that occur once in some hundred boots."""
    boots = 250
    machine = machine_factory(cpus=cpus, args="init=/reboot", shell=False)
    for _ in range(boots):
        machine.expect(r"root: disk0", quiet=30, total=600)
    text = machine.text
    assert "panic" not in text
    assert "does not start" not in text
    # No second hart booted the kernel. The next boot may have begun.
    assert text.count("Ringfence:") - text.count("root: disk0") in (0, 1)
