"""Runs a small driver under vqsan. You choose the driver's fences (grade/tests/support/vqsan/selftest/driver.c).

`make fences` tries every fence in every place and prints which fences are enough there. The tests of vqsan use the same
tables.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job
from grade.machine.machine import SLOTS
from grade.plugins.vqsan.sanitizer import Report, plugin_arguments, read_report

DRIVER = ROOT / "grade/tests/support/vqsan/selftest/driver.c"

GOOD, BITTEN = 0, 1  # exit status of the guest; BITTEN: a request went wrong
MANY = 10_000  # requests; the run ends early, at the first that goes wrong

# These are numbered as in driver.c.
SHAPES = (
    *("none", "r,r", "r,rw", "rw,rw", "tso", "w,w", "rw,w", "w,r", "w,rw", "rw,r", "fence.i"),
    *("amo", "amo.aq", "amo.aqrl", "amo.rl amo.aq", "w,o", "iorw,iorw", "load.aq", "address", "amo.rl idx", "ld"),
)
SLEEP, EVENT, INDIRECT, RESET, EARLY, HOISTED, NO_IR, FORGET = (1 << bit for bit in range(8))
RIGHT = {"rmb": "r,r", "wmb": "w,w", "kick": "w,r", "enable": "w,r", "iob": "w,o"}

# For each place: the rule, the injection, fences that are enough, and fences that are not.
PLACES = {
    "rmb": (
        "R1",
        "rmb",
        ("r,r", "r,rw", "rw,rw", "tso", "iorw,iorw", "amo.aqrl", "amo.rl amo.aq", "load.aq", "address"),
        ("none", "w,w", "rw,w", "w,r", "fence.i", "amo", "amo.aq", "ld"),
    ),
    "wmb": (
        "R3",
        "wmb",
        ("w,w", "rw,w", "rw,rw", "tso", "iorw,iorw", "amo.aqrl", "amo.rl amo.aq", "amo.rl idx"),
        ("none", "r,r", "w,r", "r,rw", "fence.i", "amo", "amo.aq", "w,o"),
    ),
    "kick": (
        "R6",
        "mb",
        ("w,r", "w,rw", "rw,r", "rw,rw", "iorw,iorw", "amo.aqrl", "amo.rl amo.aq"),
        ("none", "w,w", "r,r", "rw,w", "r,rw", "tso", "amo", "amo.aq", "w,o"),
    ),
    "enable": (
        "R5",
        "mb",
        ("w,r", "w,rw", "rw,r", "rw,rw", "iorw,iorw", "amo.aqrl", "amo.rl amo.aq"),
        ("none", "w,w", "r,r", "rw,w", "r,rw", "tso", "amo", "amo.aq", "w,o"),
    ),
    "iob": (
        "R4",
        "iob",
        ("w,o", "iorw,iorw"),
        ("none", "rw,rw", "w,w", "tso", "amo", "amo.aqrl", "amo.rl amo.aq"),
    ),
}


@dataclass
class Run:
    status: int
    console: str
    log: str
    report: Report

    def __str__(self) -> str:
        return f"status {self.status}\n{self.console}{self.log}{self.report}"


class Guest:
    """Runs the driver with the given fences."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job, self.folder = job, folder
        self.kernel = job.build / "vqsan/driver.elf"

    def __call__(
        self, options: str = "", mode: int = 0, harts: int = 1, requests: int = 200, memfd: bool = False,
        fences: Mapping[str, str] = {},
    ) -> Run:
        json, log = self.folder / "report.json", self.folder / "report.log"
        json.unlink(missing_ok=True)
        chosen = [SHAPES.index(fences.get(place, RIGHT[place])) for place in RIGHT]
        parameters = bytes(chosen + [mode, requests // 100, harts])
        command = [self.job.qemu, "-machine", "virt", "-m", "32M", "-smp", str(harts), "-bios", "none", "-kernel", str(self.kernel)]
        command += ["-display", "none", "-nodefaults", "-serial", "stdio", "-monitor", "none"]
        command += [*SLOTS, "-object", "rng-builtin,id=rng"]
        command += ["-device", "virtio-rng-device,rng=rng,bus=virtio-mmio-bus.0"]
        command += ["-device", f"loader,addr=0x80100000,data={int.from_bytes(parameters, 'little'):#x},data-len=8"]
        command += plugin_arguments(self.job.build, ",".join(filter(None, (f"json={json},log={log}", options))), self.kernel)
        if memfd:
            command += ["-object", "memory-backend-memfd,id=ram,size=32M,share=on", "-machine", "memory-backend=ram"]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30 * patience.scale(),
        )
        console = done.stdout.decode(errors="replace")
        assert json.exists(), f"there is no report; QEMU printed:\n{console}"
        return Run(done.returncode, console, log.read_text(), read_report(json))


def mode_for(place: str) -> int:
    return SLEEP if place == "enable" else 0


WHAT = {
    "rmb": "read used->idx, then the element",
    "wmb": "write the entry, then avail->idx",
    "kick": "write avail->idx, then read used->flags",
    "enable": "enable interrupts, then read used->idx",
    "iob": "write avail->idx, then ring the doorbell",
}
OTHERS = (
    ("the element read before the index", EARLY, "R2"),
    ("the index read once, then a register in a loop", HOISTED, "R7"),
    ("asleep, with no interrupt asked for", FORGET, "R7"),
    ("the index after the interrupt, no fence i,r", SLEEP | NO_IR, "R8"),
)


def main() -> int:
    """For each place and fence, prints what vqsan reports, and whether the run works without and with injection."""
    mistakes = 0
    with tempfile.TemporaryDirectory() as folder:
        guest = Guest(Job.from_environment(), Path(folder))
        for place, (rule, injection, enough, not_enough) in PLACES.items():
            print(f"\n{WHAT[place]}\n  {'fence':16} {'reported':10} {'as it is':10} {'injected':10}")
            for shape in enough + not_enough:
                plain = guest("", mode_for(place), fences={place: shape})
                injected = guest(f"inject={injection}", mode_for(place), requests=MANY, fences={place: shape})
                reported = ",".join(sorted(injected.report.rules)) or "-"
                ends = ["works" if run.status == GOOD else "FAILS" for run in (plain, injected)]
                print(f"  {shape:16} {reported:10} {ends[0]:10} {ends[1]:10}", flush=True)
                mistakes += (reported == "-") != (shape in enough) or (ends[1] == "works") != (shape in enough)
        print(f"\nwhere no fence between two accesses is at fault\n  {'':46} reported")
        for what, mode, rule in OTHERS:
            reported = ",".join(sorted(guest("", mode).report.rules)) or "-"
            print(f"  {what:46} {reported}", flush=True)
            mistakes += rule not in reported
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
