"""Measures how slow this host is now. Callers multiply every time limit by the result.

Limits are written for the reference machine: two cores, and the workload below takes REFERENCE_SECONDS when nothing else
runs. Scaled, the same limits also work on a busy laptop.
"""

from __future__ import annotations

import hashlib
import time

REFERENCE_SECONDS = 0.030
_slowest = 0.0


def _workload() -> float:
    start = time.perf_counter()
    data = b"ringfence"
    for _ in range(40_000):
        data = hashlib.sha256(data).digest()
    return time.perf_counter() - start


def scale(again: bool = False) -> float:
    """Returns the largest factor measured so far, at least 1. With `again`, measures first: use it before you time out."""
    global _slowest
    if not _slowest or again:
        _slowest = max(_slowest, min(_workload() for _ in range(3)) / REFERENCE_SECONDS)
    return max(1.0, _slowest)
