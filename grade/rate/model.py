"""How fast the wheel would turn on the course's model machine.

A real machine's frame rate depends on who else uses the host. So what a frame costs is counted, not timed:

    frame time = instructions x 1 ns  +  kicks x PRICES.kick  +  MiB shown x PRICES.mib  +  console bytes x PRICES.byte
    modelled frames/s = 1 / (median over groups of eight frames of their mean frame time)

The mean of eight keeps anyone from hiding work in every other frame; the median keeps a rare event out. What the host
does costs no instruction and has a price instead (docs/grading.md; `make calibrate` measures what it costs here). Units:
nanoseconds, MiB of 2^20 bytes, frames/s.
"""

from __future__ import annotations

import bisect
import statistics
from dataclasses import dataclass

from grade.rate.watch import FIRST, GROUP, Run


@dataclass(frozen=True)
class Prices:
    """Nanoseconds for what costs the guest no instruction."""

    kick: float = 50_000  # a doorbell: out of the machine, the device's answer, and back
    mib: float = 50_000  # copying and showing a MiB of pixels
    byte: float = 2_000  # a byte of the serial console


PRICES = Prices()


@dataclass(frozen=True)
class Model:
    """What a frame costs, and how many there would be in a second. Means for each frame, but for rate and frame_ns."""

    rate: float
    frame_ns: float
    instructions: float
    kicks: float
    mib: float
    console: float
    polls: float
    waits: float
    ahead: float  # share of the frames that were still with the device when the next was begun

    def parts(self, prices: Prices = PRICES) -> dict[str, float]:
        """Where a frame's time goes, in nanoseconds."""
        return {
            "instructions": self.instructions,
            "kicks": self.kicks * prices.kick,
            "pixels to the display": self.mib * prices.mib,
            "console": self.console * prices.byte,
        }


COUNTED = ("instructions", "kicks", "mib", "polls", "waits", "ahead")


def model(run: Run, prices: Prices = PRICES) -> Model:
    frames = run.kept
    cost = [f.instructions + f.kicks * prices.kick + f.mib * prices.mib for f in frames]
    groups = [statistics.fmean(cost[i : i + GROUP]) for i in range(0, len(cost), GROUP)]
    frame_ns = statistics.median(groups) + run.console * prices.byte
    each = {name: statistics.fmean(getattr(f, name) for f in frames) for name in COUNTED}
    return Model(1e9 / frame_ns, frame_ns, console=run.console, **each)


def wall(run: Run) -> dict[str, float]:
    """Of the host's clock, never scored: frames/s; median, 95th and 99th percentile of the milliseconds from frame to frame;
    and jank, the share of frames that took more than half as long again as the median. Pauses are left out."""
    pauses = sorted(shot.place for shot in run.shots)
    times = []
    for a, b in zip(run.frames[FIRST:], run.frames[FIRST + 1 :]):
        paused = bisect.bisect(pauses, a.last_flush) != bisect.bisect(pauses, b.last_flush + 1)
        if a.wall and b.wall and not paused:
            times.append((b.wall - a.wall) * 1000)
    if not times:
        return {}
    times.sort()

    def percentile(share: float) -> float:
        return times[min(len(times) - 1, int(share * len(times)))]

    late = sum(t > 1.5 * percentile(0.5) for t in times) / len(times)
    return {"rate": 1000 / statistics.fmean(times), "p50": percentile(0.5), "p95": percentile(0.95), "p99": percentile(0.99), "jank": late}
