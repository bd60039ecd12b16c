"""Computes how fast the wheel would turn on the course's model machine.

The frame rate of a real machine depends on what else runs on the host. We therefore count what a frame costs:

    frame time = instructions x 1 ns  +  kicks x PRICES.kick  +  MiB shown x PRICES.mib  +  console bytes x PRICES.byte
    modelled frames/s = 1 / (median over groups of eight frames of their mean frame time)

With the mean of eight frames, nobody can hide work in every other frame. The median removes rare events. Work of the host
costs the guest no instructions, so it has a fixed price (docs/grading.md); `make calibrate` measures what it costs on this
host. Units: nanoseconds, MiB of 2^20 bytes, frames/s.
"""

from __future__ import annotations

import bisect
import statistics
from dataclasses import dataclass

from grade.rate.watch import FIRST, GROUP, Run


@dataclass(frozen=True)
class Prices:
    """Prices, in nanoseconds, of work that costs the guest no instructions."""

    kick: float = 50_000  # a doorbell write: leave the guest, let the device answer, and return
    mib: float = 50_000  # copying and showing a MiB of pixels
    byte: float = 2_000  # a byte of the serial console


PRICES = Prices()


@dataclass(frozen=True)
class Model:
    """The cost of a frame, and the frames per second. Except rate and frame_ns, all values are means per frame."""

    rate: float
    frame_ns: float
    instructions: float
    kicks: float
    mib: float
    console: float
    polls: float
    waits: float
    ahead: float  # the share of frames that the device had not finished when the program began the next

    def parts(self, prices: Prices = PRICES) -> dict[str, float]:
        """The parts of a frame's time, in nanoseconds."""
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
    """Measurements by the host's clock. They never count for points. rate: frames/s; p50, p95, p99: percentiles of the time
    from frame to frame, in milliseconds; jank: the share of frames that took more than 1.5 times the median. Skips the
    pauses in which we took pictures."""
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
