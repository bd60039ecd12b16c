"""How slow is this host now? Every time limit is multiplied by the answer.

A limit is stated for the machine the project was written on: two cores, where the workload below takes
REFERENCE_SECONDS when nothing else runs. A limit that was right there must hold on a loaded laptop too.
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
    """At least 1; the worst seen so far. `again` measures anew, for one whose time is just running out."""
    global _slowest
    if not _slowest or again:
        _slowest = max(_slowest, min(_workload() for _ in range(3)) / REFERENCE_SECONDS)
    return max(1.0, _slowest)
