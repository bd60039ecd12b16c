"""Hostile programs and hostile images.

Hostile programs run on the booted kernel: random system calls, changed programs, kills at any moment (user/fuzz).
Afterwards the kernel's counts (pages, processes, open files, inodes, buffers) must be as before, the virtqueues must be
empty, the shell must answer, and fsck must find no problem on the disk. Some runs use the kernel that checks itself (`make
SAN=1`): undefined behaviour, arrays on the stack, lock order.

image_fuzzer.c feeds hostile images to the host's code that reads images (mkfs/), guided by coverage. The suite host attacks
the kernel's own code for that.
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

from grade.machine.job import Job
from grade.machine.machine import ConsoleError, Machine
from grade.torture.frame import Row, Run

RUNS = [  # name, harts, memory, processes, calls in a full run
    ("one", 1, "64M", 8, 400_000),
    ("two", 2, "256M", 12, 1_600_000),
    ("four", 4, "256M", 12, 1_000_000),
    ("eight", 8, "256M", 24, 400_000),
    ("checking-two", 2, "256M", 12, 600_000),
    ("checking-four", 4, "256M", 12, 600_000),
    ("checking-eight", 8, "256M", 24, 400_000),
]
IMAGES = 120_000  # in a full run
PIECE = 50_000  # calls between two comparisons of the kernel's counts
WARM_UP = 1000  # calls; afterwards things allocated once, such as page tables of kernel stacks, exist
COUNTED = {  # in the output of `free`
    "KiB of memory in use": r"(\d+) KiB used",
    "processes": r"processes\s+(\d+)",
    "open files": r"open files\s+(\d+)",
    "inodes in memory": r"inodes in memory (\d+)",
}
TRIES = 10  # how often to look again if something may still be going on


def checking_kernel(job: Job) -> Path:
    """The kernel that checks itself, built by `make san`."""
    return job.build / "san/kernel.elf"


class Rows(NamedTuple):
    """Two rows of the table: the calls tried, and how often the kernel's counts were compared."""

    calls: Row
    leaks: Row


class Lost(Exception):
    """The kernel broke a promise; the text says which."""


class Leak(Lost):
    """The kernel's counts are not as before."""


def counts(machine: Machine) -> dict[str, int]:
    machine.run("sync")
    for _ in range(TRIES):
        text = machine.run("free")
        found = {name: re.search(pattern, text) for name, pattern in COUNTED.items()}
        held = re.search(r"buffers +(\d+) in use, (\d+) of them wait", text)
        if held is None or None in found.values():
            raise Lost(f"`free` printed only: {text}")
        if held[1] == held[2]:  # read-ahead uses more of them for a moment
            break
    assert held
    numbers = {name: int(match[1]) for name, match in found.items() if match}
    return {**numbers, "buffers that are not the log's": int(held[1]) - int(held[2])}


def compare(before: dict[str, int], machine: Machine) -> None:
    """Raises Leak unless all counts are as before."""
    after = counts(machine)
    if after != before:
        changed = [name for name in after if after[name] != before[name]]
        raise Leak("; ".join(f"{name}: {before[name]:,} before, {after[name]:,} after" for name in changed))


def fuzz(machine: Machine, calls: int, processes: int, seed: int) -> int:
    """Runs the program. Returns how many calls it made."""
    text = machine.run(f"fuzz -s {seed} -n {calls} -p {processes}", quiet=60, total=3600)
    match = re.search(r"fuzz: seed \d+: (\d+) calls", text)
    if not match:
        raise Lost(f"fuzz did not finish: {text[-2000:]}")
    return int(match.group(1))


def leftovers(machine: Machine) -> list[str]:
    """Requests that stay in flight, and protocol errors, in any virtqueue."""
    # If a program was killed, nobody waited for its present: the display's driver takes those answers at the next present.
    machine.run_status("fbtest border")
    left = []
    for _ in range(TRIES):  # the log writes once a second, so something may be in flight for a moment
        rows = re.findall(r"^(in flight now|protocol errors)\s+(.*)$", machine.run("vqstat"), re.MULTILINE)
        left = [f"{name}: {numbers}" for name, numbers in rows if set(numbers.split()) != {"0"}]
        if not left:
            break
    return left


@contextmanager
def watched(machine: Machine) -> Iterator[None]:
    """Checks that the code inside leaves the machine well, then powers it off. Raises Lost."""
    try:
        yield
        if left := leftovers(machine):
            raise Lost(f"left in the queues: {'; '.join(left)}")
        machine.power_off()
    except (AssertionError, ConsoleError) as error:
        panic = machine.text.find("panic: ")
        raise Lost(machine.text[panic : panic + 600] if panic >= 0 else str(error)) from error
    check(machine.job, machine.disk)


def attack(machine: Machine, calls: int, processes: int, seed: int, rows: Rows) -> None:
    """Runs the whole attack on a machine at its prompt and powers it off. Counts what it tried. Raises Lost."""
    with watched(machine):
        fuzz(machine, WARM_UP, processes, seed)
        before = counts(machine)
        end = rows.calls.count + calls
        while rows.calls.count < end:
            seed += 1
            rows.calls.count += fuzz(machine, min(PIECE, end - rows.calls.count), processes, seed)
            rows.leaks.count += 1
            compare(before, machine)


def check(job: Job, disk: Path | None) -> None:
    done = subprocess.run([job.build / "host/fsck", str(disk)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Lost(f"fsck says: {done.stdout[:1000]}")


def fuzz_images(run: Run) -> Row:
    row = Row("hostile images, read by fsck", 0, detail="libFuzzer, address and undefined-behaviour sanitizers")
    fuzzer = run.job.build / "host/image_fuzzer"
    if not fuzzer.exists():
        row.detail = "not done: clang has no libFuzzer here (Debian: apt-get install clang libclang-rt-14-dev)"
        return row
    tree = run.folder / "tree"
    (tree / "sub" / "deep").mkdir(parents=True)
    for name, size in (("small", 10), ("sub/file", 5000), ("sub/deep/large", 60_000)):
        (tree / name).write_bytes(bytes(size % 251 for size in range(size)))
    image = run.folder / "good.img"
    subprocess.run([run.job.build / "host/mkfs", "-s", "512K", "-l", "64", "-i", "32", image, f"{tree}/"], check=True)
    run.progress(f"{run.times(IMAGES):,} hostile images")
    command = [str(fuzzer), f"-runs={run.times(IMAGES)}", f"-seed={run.seed_for('images')}", "-max_len=400"]
    done = subprocess.run(
        command, cwd=run.folder, env={**os.environ, "IMAGE": str(image)}, capture_output=True, text=True, errors="replace"
    )
    match = re.search(r"Done (\d+) runs", done.stderr)
    row.count = int(match.group(1)) if match else 0
    if done.returncode or not match:
        row.lost.append(f"seed {run.seed_for('images')}: {done.stderr[-3000:]}")
    return row


def boot_and_attack(job: Job, rows: Rows, again: str, act: Callable[[Machine], None], **options: Any) -> None:
    """Boots a machine and runs `act`. Adds losses to the rows, with the text `again` that says how to repeat them."""
    try:
        with Machine(job, **options) as machine:
            act(machine)
    except Leak as leak:
        rows.leaks.lost.append(f"{again}: did not come back: {leak}")
    except (Lost, ConsoleError) as lost:  # ConsoleError: while it boots
        rows.calls.lost.append(f"{again}: {lost}")


def run(run: Run) -> Iterator[Row]:
    if run.only in ("", "images"):
        yield fuzz_images(run)
    leaks = Row("leak checks", 0, detail="pages, processes, files, inodes, buffers: in use as before")
    for checking in (False, True):
        rows = Rows(Row("calls of hostile programs" + (", the kernel checking itself" if checking else ""), 0), leaks)
        harts: list[str] = []
        for name, cpus, mem, processes, full in RUNS:
            if name.startswith("checking") != checking or not name.startswith(run.only):
                continue
            seed, calls = run.seed_for(f"hostile {name}"), run.times(full)
            run.progress(f"hostile programs on {cpus} harts, {mem}{', checking itself' if checking else ''}")
            again = f"{cpus} harts, {mem}, `fuzz -s {seed} -n {calls} -p {processes}`"
            kernel = checking_kernel(run.job) if checking else None
            boot_and_attack(
                run.job, rows, again, lambda machine: attack(machine, calls, processes, seed, rows), cpus=cpus, mem=mem, kernel=kernel
            )
            harts.append(str(cpus))
        rows.calls.detail = f"on {', '.join(harts)} harts; no panic, the shell answers, disk sound"
        if harts:
            yield rows.calls
    if leaks.count or leaks.lost:
        yield leaks
