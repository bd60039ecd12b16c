"""make calibrate: measures on this host the costs behind the prices of the model (grade/rate/model.py).

    kick, MiB     times presents of three sizes; each is one kick, and we wait for its answer. In a straight line through
                  these times, the value at size 0 is the kick, and the slope is the MiB
    byte          times the printing of a file
    instruction   times the wheel and divides by its counted instructions. The price is that of the model's processor, which
                  is faster than an emulated one

Times are by the host's clock; of several rounds the fastest counts. A price gives the order of magnitude: it holds if this
host takes between 1/TOLERANCE and TOLERANCE times as long. On a busy host the result means nothing.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from grade.machine import patience
from grade.machine.job import Job
from grade.machine.machine import Machine
from grade.rate import watch
from grade.rate.model import PRICES, model

SIZES = {"show-640": (640, 480), "show-1024": (1024, 768), "show-1920": (1920, 1080)}
ROUNDS = 3
TOLERANCE = 4.0
BUSY = 1.5  # times slower than the reference host (grade/machine/patience.py)


def presents(machine: Machine) -> tuple[float, float]:
    """Measures a kick and a MiB, in nanoseconds."""
    points = []
    for name, (width, height) in SIZES.items():
        rates = []
        for _ in range(ROUNDS):
            text = machine.run(f"bench -q -j {name}", quiet=60)
            lines = text[text.index("BENCH-BEGIN") : text.index("BENCH-END")].splitlines()[1:]
            rates += [json.loads(line)["high"] for line in lines]
        points.append((width * height * 4 / 2**20, 1e9 / max(rates)))
    mean_x, mean_y = (statistics.fmean(values) for values in zip(*points))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return mean_y - slope * mean_x, slope


def console(machine: Machine) -> float:
    """Measures a byte of console output, in nanoseconds."""
    command = "cat" + 20 * " README"
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        count = len(machine.run(command, quiet=60))
        found.append((time.perf_counter() - start, count))
    return min(seconds * 1e9 / count for seconds, count in found)


def instruction(machine: Machine) -> float:
    """Measures the mean time of an instruction in the wheel, in nanoseconds."""
    counted = model(watch.watch(machine.job, 640, 480, 1, 1))
    seconds = []
    for _ in range(ROUNDS):
        short, long = (_wheel(machine, frames) for frames in (100, 1100))
        seconds.append((long - short) / 1000)
    return min(seconds) * 1e9 / counted.instructions


def _wheel(machine: Machine, frames: int) -> float:
    start = time.perf_counter()
    machine.run(f"roulette -q -f 0 -s 1 -n {frames}", quiet=60)
    return time.perf_counter() - start


def holds(price: float, here: float) -> bool:
    return price / TOLERANCE <= here <= price * TOLERANCE


def main() -> int:
    job = Job.from_environment()
    if not watch.plugin(job).exists():
        print(f"calibrate: {watch.plugin(job)} does not exist: make builds it only on Linux", file=sys.stderr)
        return 2
    with Machine(job, cpus=2) as machine:
        kick, mib = presents(machine)
        rows = [
            ("an instruction", 1.0, instruction(machine)),
            ("a kick", PRICES.kick, kick),
            ("a MiB to the display", PRICES.mib, mib),
            ("a byte of the console", PRICES.byte, console(machine)),
        ]
    print(f"{'':24}{'price, ns':>12}{'here, ns':>14}{'instructions':>14}")
    far = 0
    for name, price, here in rows:
        seen = f"{here:14,.1f}{here / rows[0][2]:14,.0f}" if here > 0 else f"{'(too busy to tell)':>28}"
        off = name != rows[0][0] and not holds(price, here)
        far += off
        print(f"{name:24}{price:12,.0f}{seen}{'   far from its price' if off and here > 0 else ''}")
    prices = len(rows) - 1
    print(f"{prices - far} of {prices} prices hold within {TOLERANCE:g} times: see grade/rate/model.py, docs/grading.md")
    if (slow := patience.scale(again=True)) > BUSY:
        print(f"This host is {slow:.1f} times slower than the reference host: try again when nothing else runs.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
