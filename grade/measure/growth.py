"""make bench-growth: measures how costs grow with the size of files, directories and so on.

    python3 -m grade.measure.growth [--docs FOLDER] [NAME...]

Boots machines and runs the guest's `growth` in them. Draws a plot for each table into FOLDER/img, and puts the tables into
FOLDER/performance.md between its `table` marks. Each NAME is one of directory, file, processes, harts, damage.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple, Optional

from grade import ROOT
from grade.machine.job import Job
from grade.machine.machine import NEVER_GIVE_UP, VIRTUAL_TIME, ConsoleError, Machine

Rows = list[list[float]]

# What the build puts on its disk in addition to the programs (Makefile, DEVICES).
DEVICES = [f"dev/{name}:c:{major}:0" for major, name in enumerate("console fb0 disk0 random vqstat null kstat".split(), 1)]


class Plot(NamedTuple):
    name: str
    title: str
    x: str
    y: str
    columns: list[str]  # of the table; the first one is x
    logarithmic: bool
    measure: Callable[[Job], Rows]


def scaled(table: Rows, *factors: float) -> Rows:
    return [[value * factor for value, factor in zip(row, factors)] for row in table]


def guest_table(machine: Any, command: str) -> Rows:
    lines = machine.run(f"growth {command}", quiet=120, total=1800).splitlines()
    return [[float(word) for word in line.split()] for line in lines if re.fullmatch(r"[\d ]+", line)]


def large_disk(build: Path, folder: Path) -> Path:
    """An image with room for a file of 1 GiB and 10,000 files. Nearly all of it is a hole."""
    image = folder / "large.img"
    programs = sorted(str(path) for path in (build / "image").iterdir())
    subprocess.run(
        [build / "host/mkfs", "-s", "1200M", "-i", "16000", image, *programs, *DEVICES],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return image


def best(tables: list[Rows], choose: Callable[[Iterable[float]], float] = min) -> Rows:
    """The best value of several runs, cell by cell: other work on the host only ever makes things slower."""
    return [[choose(cells) for cells in zip(*rows)] for rows in zip(*tables)]


def on_large_disk(job: Job, command: str, **options: Any) -> Rows:
    with tempfile.TemporaryDirectory(prefix="ringfence-growth-") as folder:
        with Machine(job, disk=large_disk(job.build, Path(folder)), **options) as machine:
            return guest_table(machine, command)


def counted() -> dict[str, Any]:
    """Options for a machine in virtual time: an instruction takes a nanosecond and a device no time, so results repeat."""
    return {"cpus": 1, "args": f"poll=0 {NEVER_GIVE_UP}", "extra": VIRTUAL_TIME}


def measure_directory(job: Job) -> Rows:
    return scaled(on_large_disk(job, "directory", **counted()), 1, 1e-3, 1e-3, 1e-3)


def measure_file(job: Job) -> Rows:
    runs = [on_large_disk(job, "file", cache="writeback") for _ in range(3)]
    return scaled(best(runs), 1, 1e-3, 1e-3, 1e-3)


def measure_processes(job: Job) -> Rows:
    with Machine(job, **counted()) as machine:
        return scaled(guest_table(machine, "processes"), 1, 1e-3, 1e-3)


def measure_harts(job: Job) -> Rows:
    """Measures as many workers as harts, relative to one worker on one hart."""
    rows = []
    for harts in (1, 2, 4):
        runs = []
        with Machine(job, cpus=harts) as machine:
            for _ in range(5):
                runs.append(guest_table(machine, f"workers {harts}")[-1:])
        rows += best(runs, max)
    return [[row[0]] + [value / first for value, first in zip(row[1:], rows[0][1:])] for row in rows]


def measure_damage(job: Job) -> Rows:
    with Machine(job) as machine:
        runs = [guest_table(machine, "damage") for _ in range(5)]
    return scaled(best(runs), 1, 1e-3, 1e-3, 1e-3)


PLOTS = [
    Plot(
        "directory",
        "A directory grows to 10,000 files",
        "files in the directory",
        "thousand instructions",
        ["files", "open", "open, no such file", "create + unlink"],
        True,
        measure_directory,
    ),
    Plot(
        "file",
        "A file grows to 1 GiB",
        "MiB",
        "microseconds for 4 KiB",
        ["MiB", "append", "read in order", "read anywhere"],
        True,
        measure_file,
    ),
    Plot(
        "processes",
        "Processes that exist, asleep",
        "sleeping processes",
        "thousand instructions",
        ["sleepers", "fork + exit + wait", "pipe round trip"],
        False,
        measure_processes,
    ),
    Plot(
        "harts",
        "As many busy processes as harts",
        "harts",
        "work done, one hart = 1",
        ["harts", "compute", "getpid", "read 4 KiB", "fork + exit + wait"],
        False,
        measure_harts,
    ),
    Plot(
        "damage",
        "Rectangles in one present, 640x480",
        "rectangles",
        "microseconds",
        ["rectangles", "of 8x8", "of 64x64", "of 128x96"],
        False,
        measure_damage,
    ),
]


def draw(plot: Plot, rows: Rows, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "ringfence"  # the same numbers give the same file
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, LogLocator

    figure, axes = pyplot.subplots(figsize=(6.4, 3.6))
    for i, label in enumerate(plot.columns[1:], 1):
        axes.plot([row[0] for row in rows], [row[i] for row in rows], "o-", markersize=3, linewidth=1.2, label=label)
    if plot.logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    else:
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
    axes.set_title(plot.title, fontsize=11)
    axes.set_xlabel(plot.x)
    axes.set_ylabel(plot.y)
    axes.grid(True, which="major", linewidth=0.4, alpha=0.6)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def table(plot: Plot, rows: Rows) -> str:
    lines = ["| " + " | ".join(plot.columns) + " |", "|" + "---:|" * len(plot.columns)]
    lines += ["| " + " | ".join(number(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def put_table(page: Path, name: str, text: str) -> None:
    """Replaces the text between the marks of a table."""
    begin, end = f"<!-- table {name} -->", "<!-- end -->"
    old = page.read_text()
    if begin not in old:
        raise AssertionError(f"{page} has no line {begin}")
    before, rest = old.split(begin, 1)
    after = rest.split(end, 1)[1]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main(arguments: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", default="docs", help="folder with performance.md")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args(arguments)

    names = [plot.name for plot in PLOTS]
    wrong = [name for name in given.names if name not in names]
    if wrong:
        parser.error(f"no plot {wrong[0]}; there are {', '.join(names)}")
    job, docs = Job.from_environment(), ROOT / given.docs
    (docs / "img").mkdir(exist_ok=True)
    try:
        for plot in PLOTS:
            if given.names and plot.name not in given.names:
                continue
            print(f"bench-growth: {plot.name}", file=sys.stderr)
            rows = plot.measure(job)
            text = table(plot, rows)
            print(f"{plot.title}\n{text}\n")
            draw(plot, rows, docs / "img" / f"growth-{plot.name}.svg")
            put_table(docs / "performance.md", plot.name, text)
    except KeyboardInterrupt:
        print("bench-growth: interrupted", file=sys.stderr)
        return 130
    except (AssertionError, ConsoleError) as error:
        print(f"bench-growth: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
