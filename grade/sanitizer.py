"""vqsan for tests: the arguments that put it into a machine, and what it has found.

    def test_something(machine_factory, vqsan):
        sanitizer = vqsan()
        machine = machine_factory(extra=sanitizer.arguments)
        machine.run("ls")
        assert not sanitizer.finish(machine).violations

docs/ordering.md says what the rules mean, grade/vqsan/options.h what the options do.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pytest

from grade.machine import BUILD, Machine

PLUGIN = BUILD / "host/vqsan.so"


@dataclass(frozen=True)
class Place:
    """One of the two accesses of a violation."""

    what: str  # "used->idx"
    function: str
    file: str
    line: int


@dataclass(frozen=True)
class Violation:
    rule: str  # "R1"
    missing: str  # "fence r,r"
    device: str  # "blk"
    queue: int
    count: int
    hidden: bool  # not to be shown
    first: Place
    second: Place

    def __str__(self) -> str:
        return (
            f"{self.rule} missing {self.missing}: {self.device} queue {self.queue}, "
            f"{self.first.what} in {self.first.function} ({self.first.file}:{self.first.line}), then "
            f"{self.second.what or 'a wait'} in {self.second.function} ({self.second.file}:{self.second.line}), "
            f"{self.count} times"
        )


@dataclass(frozen=True)
class Report:
    violations: list[Violation]
    queues: list[dict[str, Any]]  # counts of each queue
    fences: list[dict[str, Any]]  # executions of each fence instruction

    @property
    def rules(self) -> set[str]:
        return {violation.rule for violation in self.violations}

    def total(self, count: str) -> int:
        """The sum of a count over all queues: "completions", "injected", ..."""
        return sum(queue[count] for queue in self.queues)

    def __str__(self) -> str:
        return "\n".join(map(str, self.violations)) or "no violations"


def read_report(path: Path) -> Report:
    data = json.loads(path.read_text())

    def place(entry: dict[str, Any]) -> Place:
        return Place(entry["what"], entry["function"], entry["file"], entry["line"])

    violations = [
        Violation(
            entry["rule"],
            entry["missing"],
            entry["device"],
            entry["queue"],
            entry["count"],
            entry["hidden"],
            place(entry["first"]),
            place(entry["second"]),
        )
        for entry in data["violations"]
    ]
    return Report(violations, data["queues"], data["fences"])


def plugin_arguments(kernel: Path, options: str = "") -> list[str]:
    """QEMU's arguments for vqsan."""
    plugin = f"{PLUGIN},elf={kernel}" + (f",{options}" if options else "")
    return ["-global", "virtio-mmio.ioeventfd=off", "-plugin", plugin]


class Sanitizer:
    def __init__(self, folder: Path, options: str, kernel: Path) -> None:
        self.json = folder / "vqsan.json"
        self.log = folder / "vqsan.log"
        mine = f"json={self.json},log={self.log}"
        self.arguments = plugin_arguments(kernel, f"{mine},{options}" if options else mine)

    def report(self) -> Report:
        """What has been found so far, a tenth of a second old at most."""
        return read_report(self.json) if self.json.exists() else Report([], [], [])

    def finish(self, machine: Machine) -> Report:
        """Ends the machine; all that was found."""
        if machine.qmp is not None and machine.process is not None and machine.process.poll() is None:
            try:
                machine.qmp.command("quit")
            except Exception:  # it may be gone before it answers
                pass
            try:
                machine.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        return self.report()


@pytest.fixture
def vqsan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sanitizer]]:
    """Makes sanitizers, one for each machine."""
    if sys.platform != "linux" or not PLUGIN.exists():
        pytest.skip("vqsan needs Linux")

    def make(options: str = "", kernel: Optional[Path] = None) -> Sanitizer:
        return Sanitizer(tmp_path_factory.mktemp("vqsan"), options, kernel or BUILD / "kernel.elf")

    yield make
