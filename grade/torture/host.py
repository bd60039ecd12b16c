"""The kernel's file system as a host program with sanitizers, on a RAM disk that stops, fails and lies.

grade/torture/fscheck/main.c says what each test does.
"""

from __future__ import annotations

import os
import subprocess
from typing import Iterator

from grade.machine import patience
from grade.torture.frame import Row, Run

# Test, disk size, log blocks, how many in a full run, what they are, details.
TESTS = [
    ("crash", "4M", 64, 1200, "crash states of a RAM disk", "calls whole or absent; six workloads"),
    ("errors", "8M", 128, 500, "workloads on a failing RAM disk", "1 request in up to 60 fails"),
    ("corrupt", "4M", 64, 600, "corrupt file systems, mounted and used", "up to 40 words changed"),
]
PIECE = 60  # at a time, so that you see progress


def fscheck(run: Run, test: str, size: str, log: int, seed: int, count: int) -> str:
    """Runs one test of fscheck. Returns what went wrong, or ""."""
    image = run.folder / "disk.img"
    subprocess.run([run.job.build / "host/mkfs", "-s", size, "-l", str(log), image, run.job.build / "image/README"], check=True)
    command = [str(run.job.build / "host/fscheck"), test, str(image), str(seed), str(count)]
    done = subprocess.run(
        command,
        env={**os.environ, "FSCK": str(run.job.build / "host/fsck"), "ASAN_OPTIONS": "detect_leaks=0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=600 * patience.scale(),
    )
    if done.returncode == 0 and f"{test}: ok" in done.stdout and "runtime error" not in done.stdout:
        return ""
    return f"fscheck {test} on {size}, log {log}, seed {seed}:\n{done.stdout[-3000:]}"


def run(run: Run) -> Iterator[Row]:
    for test, size, log, full, what, how in (entry for entry in TESTS if run.wants(entry[0])):
        total, lost = run.times(full), []
        first = run.seed_for(test) % 1_000_000
        for done in range(0, total, PIECE):
            run.progress(f"host: {done:,} of {total:,} {what}")
            trouble = fscheck(run, test, size, log, first + done, min(PIECE, total - done))
            lost += [trouble] if trouble else []
        yield Row(what, total, lost, how)
