"""The kernel's file system, compiled for the host with sanitizers, on a RAM disk that crashes and fails
(grade/torture/fscheck)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from grade.machine import patience

# Test, disk size, log blocks, and the number of runs or calls if the test takes one.
SHORT = [
    ("stale", "4M", 64, None),
    ("share", "48M", 1024, None),
    ("full", "4M", 64, None),
    ("model", "4M", 64, 300),
    ("stress", "4M", 64, 300),
    ("crash", "4M", 64, 2),
    ("errors", "4M", 64, 10),
    ("corrupt", "4M", 64, 20),
]
LONG = [("model", "16M", 256, 3000), ("crash", "4M", 64, 20), ("crash", "16M", 256, 5), ("errors", "8M", 128, 60)]


def run(host: Path, tmp_path: Path, test: str, size: str, log: int, count: int | None, seed: int) -> None:
    image = tmp_path / "disk.img"
    subprocess.run([host / "mkfs", "-s", size, "-l", str(log), image, host.parent / "image" / "README"], check=True)
    command = [str(host / "fscheck"), test, str(image), str(seed)] + ([str(count)] if count else [])
    environment = {**os.environ, "FSCK": str(host / "fsck"), "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=600 * patience.scale(),
    )
    assert done.returncode == 0, f"seed {seed}:\n{done.stdout[-4000:]}"
    assert f"{test}: ok" in done.stdout and "runtime error" not in done.stdout


@pytest.mark.parametrize("test, size, log, count", SHORT, ids=[case[0] for case in SHORT])
def test_file_system(host: Path, tmp_path: Path, test: str, size: str, log: int, count: int | None, seed: int) -> None:
    run(host, tmp_path, test, size, log, count, seed)


@pytest.mark.long
@pytest.mark.parametrize("test, size, log, count", LONG)
def test_file_system_at_length(host: Path, tmp_path: Path, test: str, size: str, log: int, count: int | None, seed: int) -> None:
    run(host, tmp_path, test, size, log, count, seed)
