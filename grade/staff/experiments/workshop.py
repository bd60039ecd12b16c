"""Code that the experiments share: a copy of the tree to change, kernels from it, a stopwatch, and a command line.

The copy is build/experiments/tree, in the state at the start of lab 4. A variant replaces poll_used() in its virtqueue.c;
wheel_main.c is its wheel. All numbers come from outside the machine: QEMU's trace, vqsan, pictures of the display.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Optional

from grade import ROOT
from grade.machine.job import Job, clean_environment
from grade.machine.machine import ConsoleError, Machine
from grade.machine.trace import TraceEvent
from grade.measure.growth import DEVICES, put_table

HERE = Path(__file__).resolve().parent

START = "4-slow-wheel"
RING = "kernel/virtio/virtqueue.c"
WAIT = "kernel/virtio/gpu_wait.c"
POLL_USED = re.compile(r"^#if SOLVED_WHEEL\n(?:(?!^#(?:if|endif)).*\n)*?.*poll_used\((?:.*\n)*?^#endif // SOLVED_WHEEL\n", re.MULTILINE)
EVENTS = ("virtio_gpu_cmd_res_flush", "virtio_queue_notify")


class WorkshopError(Exception):
    """The experiment cannot run. The text says why."""


def progress(text: str) -> None:
    """Shows progress on stderr. On a terminal each line replaces the one before."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


# ---- kernels ----


def variant_text(name: str) -> str:
    return (HERE / f"variants/{name}.c").read_text()


def put_poll_used(source: str, poll_used: str) -> str:
    """Returns `source`, the text of virtqueue.c, with another poll_used()."""
    text, count = POLL_USED.subn(lambda _: poll_used, source)
    if count != 1:
        raise WorkshopError(f"{RING} has changed: workshop.py cannot find the two poll_used() in it")
    return text


def _write(path: Path, data: bytes) -> None:
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class Workshop:
    """A copy of the tree, and its builds. Kernels and the image stay for the next experiment."""

    def __init__(
        self, job: Job, folder: str = "experiments", changed: Optional[dict[str, str]] = None
    ) -> None:
        """`changed` maps names of files to the text that they have in the copy."""
        self.job = job
        self.folder = job.build / folder
        self.tree = self.folder / "tree"
        self._copy(changed or {"user/roulette/main.c": (HERE / "wheel_main.c").read_text()})

    def _copy(self, changed: dict[str, str]) -> None:
        """Updates the copy. Files that are equal keep their time, so make does not build them again."""
        wanted = {}
        for top in ("Makefile", "README.md", "kernel", "user", "mkfs", "grade", "labs/start.mk"):
            for path in [ROOT / top] if (ROOT / top).is_file() else (ROOT / top).rglob("*"):
                if path.is_file() and path.suffix != ".pyc":
                    wanted[self.tree / path.relative_to(ROOT)] = path.read_bytes()
        wanted.update({self.tree / name: text.encode() for name, text in changed.items()})
        for path in self.tree.rglob("*"):
            if path.is_file() and path not in wanted and path.relative_to(self.tree).parts[0] != "build":
                path.unlink()
        for target, data in wanted.items():
            _write(target, data)

    def make(self, target: str, *words: str) -> Path:
        """Makes the file `target`, a path in the copy, and returns its full path. Raises WorkshopError if make fails."""
        done = subprocess.run(
            ["make", *words, *self.job.same_compiler, target],
            cwd=self.tree,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise WorkshopError(f"make {target} failed:\n{done.stdout[-2000:]}")
        return self.tree / target

    def kernel(self, variant: str, wait: Optional[str] = None) -> Path:
        """Builds a kernel with this poll_used() and, if given, with the file `wait` of this folder as gpu_wait.c."""
        _write(self.tree / RING, put_poll_used((ROOT / RING).read_text(), variant_text(variant)).encode())
        _write(self.tree / WAIT, (HERE / wait if wait else ROOT / WAIT).read_bytes())
        made = self.make(f"build/{START}/kernel.elf", f"START={START}")
        kept = self.folder / f"{variant}{'-' + Path(wait).stem if wait else ''}.elf"
        shutil.copy2(made, kept)
        return kept

    def initrd(self) -> Path:
        """Builds an image with the build's programs and our wheel."""
        wheel = self.make("build/solved/user/roulette.elf", "BUILD=build/solved")
        files = [path for path in sorted((self.job.build / "image").iterdir()) if path.name != "roulette"]
        folder = self.folder / "image"
        folder.mkdir(exist_ok=True)
        shutil.copy2(wheel, folder / "roulette")
        image = self.folder / "initrd.img"
        subprocess.run(
            [self.job.build / "host/mkfs", "-s", "4M", image, *files, folder / "roulette", *DEVICES],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return image


def boot(job: Job, kernel: Path, initrd: Path, **options: Any) -> Any:
    """A machine without a disk."""
    extra = ["-initrd", str(initrd), *options.pop("extra", ())]
    return Machine(job, kernel=kernel, disk=None, initrd=False, rng=False, extra=extra, args="root=initrd", **options)


# ---- the stopwatch ----


def trimmed(times: list[float]) -> float:
    """The mean of the fastest nine tenths; 0 if there are no times."""
    kept = sorted(times)[: max(1, len(times) * 9 // 10)]
    return sum(kept) / len(kept) if kept else 0.0


@dataclass
class Timing:
    """The times of the frames in QEMU's trace, without the first frame."""

    rates: list[float]  # frames per second, one entry per run
    within: list[float]  # seconds from each kick to the next of the same frame
    between: list[float]  # seconds from the last kick of a frame to the first of the next
    kicks: int  # per frame

    @property
    def rate(self) -> float:
        """The rate of the fastest run: other work on the host only makes runs slower."""
        return max(self.rates)

    @property
    def undisturbed(self) -> float:
        """Frames per second without the slowest tenth of the kicks. Occasional other work hardly changes this."""
        return 1 / ((self.kicks - 1) * trimmed(self.within) + trimmed(self.between))

    def kick(self, share: float) -> float:
        """A percentile of the time from kick to kick, in seconds. `share` is 0 to 1. If a frame has only one kick, it is
        the time from frame to frame."""
        times = sorted(self.within or self.between)
        return times[min(int(len(times) * share), len(times) - 1)]


def merge(timings: list[Timing]) -> Timing:
    """Combines several runs into one Timing."""
    return Timing(
        [rate for timing in timings for rate in timing.rates],
        [time for timing in timings for time in timing.within],
        [time for timing in timings for time in timing.between],
        timings[0].kicks,
    )


def read_trace(events: Iterable[TraceEvent], height: int) -> Timing:
    """Reads a trace. A frame ends with the flush that reaches the last row. Skips everything before the first kick of the
    second frame. Raises WorkshopError if there are too few frames."""
    ends: list[float] = []
    frames: list[list[float]] = [[]]  # the kicks of each frame
    for event in events:
        if event.name == "virtio_queue_notify":
            frames[-1].append(event.time)
        elif event.number("y") + event.number("h") == height:
            ends.append(event.time)
            frames.append([])
    whole = [frame for frame in frames[1:-1] if frame]
    if len(whole) != len(ends) - 1 or not whole:
        raise WorkshopError(f"the trace shows {len(ends)} frames, but kicks for {len(whole)}: too few, or not in order")
    starts = [frame[0] for frame in frames[1:] if frame]
    last = [frame[-1] for frame in frames[:-1]]
    return Timing(
        [len(whole) / (ends[-1] - ends[0])],
        [b - a for frame in whole for a, b in zip(frame, frame[1:])],
        [b - a for a, b in zip(last, starts)],
        round(statistics.median(map(len, whole))),
    )


def time_wheel(machine: Any, arguments: str, height: int = 480) -> Timing:
    """Runs the wheel and waits for its end. Returns its Timing."""
    before = len(machine.trace())
    machine.run(f"roulette {arguments}", quiet=60)
    # This machine uses only the display's queue, so all kicks are the display's.
    return read_trace(machine.trace()[before:], height)


# ---- tables and plots ----


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    line = lambda row: "| " + " | ".join(word.ljust(width) for word, width in zip(row, widths)) + " |"  # noqa: E731
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(columns), rule, *map(line, rows)])


def digits(value: float) -> str:
    """Formats a number; digits beyond the third are not worth reading."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def bars(path: Path, title: str, unit: str, labels: list[str], values: list[float], emphasis: Iterable[str] = ()) -> None:
    """Draws horizontal bars on a logarithmic axis. The same numbers give the same SVG file."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "ringfence"
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    figure, axes = pyplot.subplots(figsize=(7.2, 0.6 + 0.34 * len(labels)))
    marked = set(emphasis)
    colours = ["#b3423a" if label in marked else "#3f6ea3" for label in labels]
    axes.barh(range(len(labels)), [max(value, 1e-3) for value in values], color=colours, height=0.62)
    axes.set_yticks(range(len(labels)), labels, fontsize=9)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, min(values) / 2 or 0.5), max(values) * 4)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    for i, value in enumerate(values):
        axes.text(value * 1.08, i, digits(value), va="center", fontsize=8)
    axes.set_xlabel(unit, fontsize=9)
    axes.set_title(title, fontsize=11)
    axes.grid(True, axis="x", which="major", linewidth=0.4, alpha=0.6)
    axes.set_axisbelow(True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def scratch() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="ringfence-experiment-")


# ---- the command line ----


def command_line(description: Optional[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    return parser


def attempt(name: str, work: Callable[[], None]) -> int:
    """Calls `work` and returns the exit status. Prints an error as one line."""
    try:
        work()
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted", file=sys.stderr)
        return 130
    except (WorkshopError, ConsoleError, AssertionError) as error:
        print(f"\n{name}: {error}", file=sys.stderr)
        return 1
    return 0


def experiment(
    name: str,
    description: Optional[str],
    measure: Callable[[Workshop, int, float], list[Any]],
    table: Callable[[list[Any]], str],
    plain: Callable[[Any], dict[str, Any]],
    draw: Callable[[Path, list[Any]], None],
) -> int:
    """Runs an experiment as a command: measures, prints the table, and writes the files that the options ask for. Returns
    the exit status.

    `measure(shop, rounds, seconds)` returns the results, `plain` converts one of them for JSON, and `draw` plots them.
    """
    parser = command_line(description)
    parser.add_argument("--docs", default="", help="folder with stale-index.md; empty: only print")
    parser.add_argument("--rounds", type=int, default=5, help="number of runs; the best one counts")
    parser.add_argument("--seconds", type=float, default=0.5, help="least length of each run")
    parser.add_argument("--json", default="", help="also write the results to this file")
    given = parser.parse_args()

    def work() -> None:
        started = time.monotonic()
        results = measure(Workshop(Job.from_environment()), given.rounds, given.seconds)
        print(table(results))
        print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
        if given.json:
            Path(given.json).write_text(json.dumps([plain(result) for result in results], indent=1))
        if given.docs:
            docs = ROOT / given.docs
            (docs / "img").mkdir(exist_ok=True)
            put_table(docs / "stale-index.md", name, table(results))
            draw(docs / f"img/{name}.svg", results)

    return attempt(f"experiment-{name}", work)
