"""Soak: one machine with 4 harts runs under load for SOAK minutes (default: 2, times SHARE). Its kernel checks itself.

In each round, hostile programs run while a wheel turns and files are written. Then usertests must pass, and the kernel's
counts must be as after the first round. At the end, fsck must find no problem on the disk.
"""

from __future__ import annotations

import time
from typing import Callable, Iterator

from grade.machine.machine import Machine
from grade.torture import hostile
from grade.torture.frame import Row, Run

MINUTES = 2.0  # in a full run
CALLS = 20_000  # by hostile programs in one round
# These run next to them. The hostile programs may stop them; that does not matter.
BESIDE = ("roulette -n 400 -f 0", "mkfile 1M /soak 7", "cat /README | sha256sum")


def one_round(machine: Machine, seed: int) -> None:
    for command in BESIDE:
        machine.run(f"{command} >/dev/null 2>/dev/null &")
    hostile.fuzz(machine, CALLS, 8, seed)
    machine.run("wait; rm -f /soak", quiet=120)
    status, output = machine.run_status("usertests -q", quiet=120, total=3600)
    if status:
        raise hostile.Lost(f"usertests fails: {output[-2000:]}")


def live(machine: Machine, seconds: float, seed: int, rows: hostile.Rows, progress: Callable[[str], None]) -> None:
    start = time.monotonic()
    with hostile.watched(machine):
        one_round(machine, seed)
        before = hostile.counts(machine)
        while rows.calls.count < seconds or rows.leaks.count == 0:
            one_round(machine, seed + rows.leaks.count + 1)
            rows.leaks.count += 1
            hostile.compare(before, machine)
            rows.calls.count = round(time.monotonic() - start)
            progress(f"soak: {rows.calls.count} of {seconds:.0f} s, {rows.leaks.count + 1} rounds")


def run(run: Run) -> Iterator[Row]:
    seconds = 60 * (run.soak or run.share * MINUTES)
    rows = hostile.Rows(
        Row("seconds of soak", 0, detail="hostile programs, usertests, display and disk on 4 harts, the kernel checking itself"),
        Row("leak checks in it", 0, detail="after each round in use as after the first"),
    )
    seed = run.seed_for("soak")
    run.progress(f"soak: {seconds:.0f} s")
    hostile.boot_and_attack(
        run.job,
        rows,
        f"soak of {seconds:.0f} s",
        lambda machine: live(machine, seconds, seed, rows, run.progress),
        cpus=4,
        kernel=hostile.checking_kernel(run.job),
    )
    yield from rows
