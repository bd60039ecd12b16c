"""The virtqueue's unit tests on the host, built with the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from grade.machine import patience


def test_virtqueue(host: Path) -> None:
    done = subprocess.run(
        [host / "virtqueue_test"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300 * patience.scale()
    )
    assert done.returncode == 0, done.stdout
    assert "runtime error" not in done.stdout and "Sanitizer" not in done.stdout, done.stdout
