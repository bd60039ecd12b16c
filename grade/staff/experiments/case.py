"""make experiment-case: tests the theories of a public bug report, one at a time and together.

    python3 -m grade.staff.experiments.case [--docs FOLDER] [--rounds N] [--seconds S]

Each row is a kernel and a way to draw. `commit` is the commit in which the report's kernel made that change. We count
frames in QEMU's trace. Prints a table, writes it between the marks in FOLDER/stale-index.md, and draws FOLDER/img/case.svg.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple, Optional

from grade.staff.experiments import workshop
from grade.staff.experiments.workshop import Timing, Workshop, boot, digits, merge, progress, time_wheel

BANDS, WHOLE = "-b 2", "-b 0"


class Row(NamedTuple):
    """A row of the table. `wheel` holds options of wheel_main.c."""

    what: str
    commit: str
    variant: str
    wheel: str
    wait: Optional[str] = None
    group: int = 0


INTERRUPT = "gpu_wait_interrupt.c"
ROWS = [
    # The state where the report starts, and each of its changes alone. Its loads are always volatile.
    Row("as the report began", "", "report-start", f"{BANDS} -v"),
    Row("fence behind the comparison", "2281464", "fence-after", f"{BANDS} -v"),
    Row("  the same, with a log line", "2281464", "fence-after", f"{BANDS} -v -l"),
    Row("fence back before the read", "8e97a69", "report-back", f"{BANDS} -v"),
    Row("a log line for each frame", "6ecca7e", "report-start", f"{BANDS} -v -l"),
    Row("atomic counters in the loop", "5840d01", "report-counters", f"{BANDS} -v"),
    Row("bulk copies, not pixel by pixel", "79c0308", "report-start", BANDS),
    Row("interrupts, no polling", "6abc7a5", "report-start", f"{BANDS} -v", INTERRUPT),
    # Changes that the report did not try.
    Row("one present, no bands", "", "report-start", f"{WHOLE} -v", None, 1),
    Row("one present, by interrupt", "", "report-start", f"{WHOLE} -v", INTERRUPT, 1),
    Row("one present and bulk copies", "", "report-start", WHOLE, None, 1),
    Row("all of these together", "", "fence-after", WHOLE, INTERRUPT, 1),
    # The same source with a plain load, as C has it.
    Row("C: plain load, fence behind", "", "hoisted", f"{BANDS} -v", None, 2),
    Row("C: fence before the plain load", "", "fence-before", f"{BANDS} -v", None, 2),
    Row("C: the first with a counter", "", "hoisted-counters", f"{BANDS} -v", None, 2),
    Row("C: the first by interrupt", "", "hoisted", f"{BANDS} -v", INTERRUPT, 2),
]


def measure(shop: Workshop, rounds: int, seconds: float) -> list[tuple[Row, Timing]]:
    kernels: dict[tuple[str, Optional[str]], Path] = {}
    for row in ROWS:
        if (row.variant, row.wait) not in kernels:
            progress(f"case: building {row.variant}{' with interrupts' if row.wait else ''}")
            kernels[row.variant, row.wait] = shop.kernel(row.variant, row.wait)
    progress("case: building the wheel")
    initrd = shop.initrd()
    runs: list[list[Timing]] = [[] for _ in ROWS]
    for i in range(rounds):
        for row, timings in zip(ROWS, runs):
            progress(f"case: round {i + 1} of {rounds}, {row.what.strip()}")
            with boot(shop.job, kernels[row.variant, row.wait], initrd, trace=workshop.EVENTS) as machine:
                timings.append(time_wheel(machine, f"{row.wheel} -n 2 -t {int(seconds * 1000)}"))
    progress("")
    return [(row, merge(timings)) for row, timings in zip(ROWS, runs)]


def table(results: list[tuple[Row, Timing]]) -> str:
    base = results[0][1].undisturbed
    return workshop.markdown(
        ["changed", "commit", "frames/s", "undisturbed", "against the start"],
        [
            [row.what.strip(), row.commit, digits(timing.rate), digits(timing.undisturbed), f"x {timing.undisturbed / base:.2f}"]
            for row, timing in results
        ],
    )


def plain(result: tuple[Row, Timing]) -> dict[str, Any]:
    row, timing = result
    return {**row._asdict(), "rate": timing.undisturbed}


def draw(path: Path, results: list[tuple[Row, Timing]]) -> None:
    workshop.bars(
        path, "What each theory is worth", "frames per second undisturbed, 640x480",
        [row.what.strip() for row, _ in results], [timing.undisturbed for _, timing in results],
        [row.what.strip() for row, _ in results if row.group == 2],
    )


if __name__ == "__main__":
    sys.exit(workshop.experiment("case", __doc__, measure, table, plain, draw))
