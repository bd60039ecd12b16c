"""vqsan for tests: the QEMU arguments that load it, and what it has found.

    def test_something(machine_factory, vqsan):
        sanitizer = vqsan("inject=rmb,seed=3")
        machine = machine_factory(extra=sanitizer.arguments)
        machine.run("ls")
        report = sanitizer.finish(machine)
        assert not report.violations, report
        assert report.loads_per_turn("gpu") > 0.9

docs/ordering.md explains the rules; grade/plugins/vqsan/options.h lists the options. vqsan writes its JSON ten times a
second and when QEMU exits. The JSON has three lists, and a Report has the same three:

    violations   one for each rule, queue and pair of places in the code
        rule, missing    "R1", "fence r,r": what is missing between the accesses
        device, slot, queue, hart     where; the first hart that did it
        count            how often
        hidden           true: not printed, because of the option hide=
        first, second    the two accesses: what ("used->idx"; "" is a wait), function, file, line, pc
    queues       one for each queue; counts continue after the device is reset
        device, slot, queue, size
        polls, spins     loads of used->idx; how many of them found nothing new
        publishes, kicks, kicks_saved     stores of avail->idx; doorbells; kicks that the device did not want
        completions      elements that the driver has taken off the used ring
        deepest          most chains in flight at once
        sleeps           times that a hart went to sleep (wfi) with chains in flight, after a look that found nothing
        sleeps_unnotified    sleeps with notifications off: no answer ends them, only a timer
        lost_wakeups     times that all harts slept, woke and slept again with notifications on, while an answer was there
        loops            loops in which a hart waited: function, file, line of the jump back; turns; and looks: how many
                         of the turns loaded used->idx
        injected, corrupted    how often vqsan itself interfered (inject=, device=)
        accesses, violations   accesses to the ring; violations in total
    fences       one for each fence instruction that the kernel executed: kind ("fence r,r"), function, file, line,
                 count
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Optional

import pytest

from grade.machine import patience
from grade.machine.job import Job
from grade.machine.machine import Machine


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
    hart: int
    count: int
    hidden: bool  # the option hide= hides it
    first: Place
    second: Place

    @property
    def asleep(self) -> bool:
        """R7, found after a sleep and not in a loop: the hart slept without looking first. On a busy host this happens to
        any driver that polls and then sleeps until the next tick."""
        return self.rule == "R7" and self.second.function == "idle_loop"

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

    def of(self, device: str) -> list[Violation]:
        """Violations on the queues of a device: "gpu"."""
        return [violation for violation in self.violations if violation.device == device]

    def loads_per_turn(self, device: str, files: str = "kernel/virtio/") -> float:
        """How often a device's driver looks while it waits: the share of turns of its waiting loops in these files that
        loaded used->idx. 1 if every turn looks, and also if the driver never had to wait."""
        loops = [loop for queue in self.queues if queue["device"] == device for loop in queue["loops"]]
        loops = [loop for loop in loops if loop["file"].startswith(files)]
        turns = sum(loop["turns"] for loop in loops)
        return sum(loop["looks"] for loop in loops) / turns if turns else 1.0

    def fences_per_completion(self, files: str = "kernel/virtio/", kinds: Iterable[str] = ()) -> float:
        """Fences of these kinds (none: all) executed in these files, per element taken from any queue."""
        chosen = [fence for fence in self.fences if fence["file"].startswith(files)]
        wanted = set(kinds)
        count = sum(fence["count"] for fence in chosen if not wanted or fence["kind"] in wanted)
        return count / max(1, self.total("completions"))

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
            entry["hart"],
            entry["count"],
            entry["hidden"],
            place(entry["first"]),
            place(entry["second"]),
        )
        for entry in data["violations"]
    ]
    return Report(violations, data["queues"], data["fences"])


def plugin_arguments(build: Path, options: str = "", kernel: Optional[Path] = None) -> list[str]:
    """QEMU's arguments for the vqsan in `build`. It watches `kernel`, or the build's own kernel."""
    plugin = f"{build / 'host/vqsan.so'},elf={kernel or build / 'kernel.elf'}" + (f",{options}" if options else "")
    return ["-plugin", plugin]


class Sanitizer:
    def __init__(self, job: Job, folder: Path, options: str = "", kernel: Optional[Path] = None) -> None:
        self.job = job
        self.json = folder / "vqsan.json"
        self.log = folder / "vqsan.log"
        mine = f"json={self.json},log={self.log}"
        self.arguments = plugin_arguments(job.build, f"{mine},{options}" if options else mine, kernel)

    def report(self) -> Report:
        """What vqsan has found so far; at most 0.1 s old."""
        return read_report(self.json) if self.json.exists() else Report([], [], [])

    def finish(self, machine: Machine) -> Report:
        """Ends the machine and returns everything that vqsan found."""
        if machine.qmp is not None and machine.process is not None and machine.process.poll() is None:
            try:
                machine.qmp.command("quit")
            except Exception:  # QEMU may exit before it answers
                pass
            try:
                machine.process.wait(20 * patience.scale())
            except subprocess.TimeoutExpired:
                pass
        return self.report()


@pytest.fixture(scope="session")
def vqsan(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sanitizer]]:
    """Makes sanitizers. Each machine needs its own."""
    if sys.platform != "linux":
        pytest.skip("vqsan needs Linux")
    assert (job.build / "host/vqsan.so").exists(), "run make first"

    def make(options: str = "", kernel: Optional[Path] = None) -> Sanitizer:
        return Sanitizer(job, tmp_path_factory.mktemp("vqsan"), options, kernel)

    yield make
