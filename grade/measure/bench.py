"""make bench: measures how fast the system is, against its targets. Prints a table, and writes <build>/bench.json.

    python3 -m grade.measure.bench [--cpus N] [--mem SIZE] [--runs N] [--args BOOT-ARGUMENTS] [NAME...]

Every figure is the median over several machines. A NAME chooses all rows whose names begin with it. Whether the system
meets a target depends on the host and on what else runs there, so bench shows a missed target but does not fail. If a row's
work is a copy by the host, bench also measures how fast the host alone copies as much. A row that comes close to that is
"explained": no kernel could be much faster. `make profile` shows what limits any other row.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import os
import random
import re
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any, Callable, Iterable, NamedTuple, Optional

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job, clean_environment
from grade.machine.machine import ConsoleError, Machine
from grade.measure.growth import put_table
from grade.plugins.vqsan.sanitizer import plugin_arguments


class Row(NamedTuple):
    name: str
    what: str
    unit: str
    target: Optional[float]
    less_is_better: bool = False


ROWS = [
    Row("boot", "power-on to prompt, against QEMU + OpenSBI", "x", 1.3, True),
    Row("getpid", "the shortest system call", "k/s", 900),
    Row("fork", "fork + exit + wait", "/s", 2000),
    Row("exec", "fork + exec + wait", "/s", 800),
    Row("pipe", "round trips between two processes", "/s", 20000),
    Row("write", "buffered file write, 4 KiB calls", "MB/s", 100),
    Row("read", "cached file read, 4 KiB calls", "MB/s", 300),
    Row("raw-flush", "raw disk: 4 KiB write + flush", "/s", None),
    Row("fsync", "4 KiB write + fsync, against raw-flush", "%", 40),
    Row("create", "create + write 100 B + close + unlink", "/s", 2000),
    Row("create-sync", "the same with fsync, against raw-flush", "%", 25),
    Row("disk-4k", "raw disk: 4 KiB reads, 1 in flight", "/s", 12000),
    Row("disk-4k-32", "raw disk: 4 KiB reads, 32 in flight", "/s", 40000),
    Row("disk-1m", "raw disk: 1 MiB reads", "MB/s", 4000),
    Row("show-640", "present 640x480 without drawing", "/s", 12000),
    Row("show-1024", "present 1024x768", "/s", 7000),
    Row("show-1920", "present 1920x1080", "/s", 3000),
    Row("draw-640", "gradient and present 640x480", "/s", 770),
    Row("draw-1024", "gradient and present 1024x768", "/s", 330),
    Row("draw-1920", "gradient and present 1920x1080", "/s", 176),
    Row("roulette-640", "roulette at 640x480", "/s", 300),
    Row("roulette-1920", "roulette at 1920x1080", "/s", 60),
    Row("vqsan-fork", "fork + exit + wait: how much slower with VQSAN=1", "x", 2, True),
    Row("vqsan-write", "buffered file write, the same", "x", 2, True),
    Row("vqsan-read", "cached file read, the same", "x", 2, True),
    Row("vqsan-create", "create + write + unlink, the same", "x", 2, True),
    Row("rebuild", "touch virtqueue.c, make, boot to prompt", "s", 2, True),
]

# Rows that come from the guest's own `bench`: its name for the row, and the divisor for its figure.
IN_GUEST = {
    row.name: (row.name, 1000.0 if row.unit == "k/s" else 1.0)
    for row in ROWS
    if row.name.split("-")[0] not in ("boot", "raw", "roulette", "vqsan", "rebuild")
}
IN_GUEST["raw-flush"] = ("disk-flush", 1.0)
SHARE_OF_RAW = ("fsync", "create-sync")
HOST_ALONE = ("disk-1m", "show-1920")
EXPLAINED = 0.75  # share of the host's own speed from which on the host is the limit
WHEELS = {"roulette-640": ("640x480", 600), "roulette-1920": ("1920x1080", 200)}
BOOTS = 15

Results = dict[str, list[float]]


class Progress:
    """One line on stderr that says what the program is doing."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()

    def __call__(self, text: str) -> None:
        print(f"\r\033[K{text}" if self.terminal else text, end="" if self.terminal else "\n", file=sys.stderr, flush=True)

    def done(self) -> None:
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


# ---- measuring ----


def boot_seconds(job: Job, **options: Any) -> float:
    """Seconds from the start of QEMU to the prompt."""
    with Machine(job, cache="writeback", **options) as machine:
        return time.monotonic() - machine.started


def floor_seconds(job: Job, **options: Any) -> float:
    """Seconds from the start of the same QEMU to its end, with a guest that only powers off."""
    with Machine(job, cache="writeback", kernel=job.build / "grade/measure/floor.bin", shell=False, **options) as machine:
        machine.wait()
        return time.monotonic() - machine.started


def measure_boot(results: Results, job: Job, options: dict[str, Any], say: Progress) -> None:
    """Measures floor and boot in turn. One pair says little, because both contain the host's noise: the row is the ratio of
    the medians."""
    patience.scale()  # calibrates now, not during the first measurement
    floors, boots = results["floor ms"], results["boot ms"]
    for i in range(BOOTS):
        say(f"bench: boot {i + 1} of {BOOTS}")
        floors.append(1000 * floor_seconds(job, **options))
        boots.append(1000 * boot_seconds(job, **options))
    results["boot"] = [value / median(floors) for value in boots]


def rate(operation: Callable[[], object], seconds: float = 0.11, rounds: int = 5) -> float:
    """Operations per second: the median of several rounds, as in the guest's bench."""
    rates = []
    for _ in range(rounds):
        count, start = 0, time.monotonic()
        while (passed := time.monotonic() - start) < seconds:
            operation()
            count += 1
        rates.append(count / passed)
    return median(rates)


def copies(size: int) -> float:
    """How often per second the host copies `size` bytes within its own memory."""
    with mmap.mmap(-1, size) as source, mmap.mmap(-1, size) as target:
        for pages in (source, target):
            if hasattr(mmap, "MADV_HUGEPAGE"):  # like the guest's memory in QEMU
                pages.madvise(mmap.MADV_HUGEPAGE)
            pages.write(b"\1" * size)
        from_, to = (ctypes.addressof(ctypes.c_char.from_buffer(pages)) for pages in (source, target))
        return rate(lambda: ctypes.memmove(to, from_, size))


def file_reads(path: Path, size: int) -> float:
    """How often per second the host reads `size` bytes from random places of a file in its page cache."""
    places = os.path.getsize(path) // 4096 - size // 4096
    with path.open("rb", buffering=0) as file, mmap.mmap(-1, size) as memory:
        return rate(lambda: os.preadv(file.fileno(), [memory], 4096 * random.randrange(places)))


def host_alone(name: str, machine: Any) -> float:
    """How fast the host alone does that row's work, in the row's unit. Both rows are nothing but a copy by QEMU."""
    if name == "disk-1m":
        return file_reads(machine.disk, 1 << 20) * (1 << 20) / 1e6
    return copies(1920 * 1080 * 4)


def guest_bench(machine: Any, names: Iterable[str], say: Progress, run: str) -> dict[str, float]:
    """Runs the guest's bench and returns its medians by name."""
    found = {}
    machine.send(f"bench -j {' '.join(sorted(names))}\n")
    machine.expect("BENCH-BEGIN")
    while True:
        line = machine.expect(r"^(\{.*\}|BENCH-END)$", quiet=60, total=600).group(1)
        if line == "BENCH-END":
            break
        result = json.loads(line)
        found[result["name"]] = float(result.get("median", 0))
        say(f"bench: {run}: {result['name']}")
    machine.expect(r"^\$ ")
    return found


def measure_guest(
    results: Results, job: Job, wanted: set[str], options: dict[str, Any], runs: int, say: Progress
) -> None:
    chosen = [row.name for row in ROWS if row.name in IN_GUEST and row.name in wanted]
    for i in range(runs):
        run = f"machine {i + 1} of {runs}"
        say(f"bench: {run}")
        # With the host's real flushes, like `make qemu`, so that durable writes cost what they really cost.
        with Machine(job, cache="writeback", **options) as machine:
            for name in chosen:
                guest_name, divisor = IN_GUEST[name]
                # Measures what a row is compared with right next to it.
                beside = {"disk-flush"} if name in SHARE_OF_RAW else set()
                found = guest_bench(machine, {guest_name} | beside, say, run)
                value = found.get(guest_name, 0) / divisor
                if name in SHARE_OF_RAW:
                    results[f"{name} /s"].append(value)
                    value *= 100 / (found.get("disk-flush") or float("inf"))
                if value > 0:
                    results[name].append(value)
                if name in HOST_ALONE:
                    results[f"{name} by the host alone"].append(host_alone(name, machine))
            for name in WHEELS:
                if name in wanted:
                    say(f"bench: {run}: {name}")
                    results[name].append(wheel_rate(machine, *WHEELS[name]))


def measure_sanitizer(
    results: Results, job: Job, wanted: set[str], options: dict[str, Any], runs: int, say: Progress
) -> None:
    """Does the same work on two machines, one after the other, without vqsan and with it."""
    names = [row.name for row in ROWS if row.name.startswith("vqsan-") and row.name in wanted]
    for i in range(runs):
        rates = []
        ways: dict[str, list[str]] = {"without": [], "with": plugin_arguments(job.build)}
        for how, extra in ways.items():
            with Machine(job, extra=extra, **options) as machine:  # without the host's flushes, which vary too much
                asked = [name.partition("-")[2] for name in names]
                rates.append(guest_bench(machine, asked, say, f"{how} vqsan, {i + 1} of {runs}"))
        for name in names:
            plain, watched = (rate.get(name.partition("-")[2], 0) for rate in rates)
            if plain and watched:
                results[name].append(plain / watched)


def wheel_rate(machine: Any, size: str, frames: int) -> float:
    output = machine.run(f"roulette -r {size} -n {frames} -s 1 -f 0 -b", quiet=60)
    match = re.search(r"([\d.]+) frames/s", output)
    if not match:
        raise AssertionError(f"roulette printed no frame rate:\n{output}")
    return float(match.group(1))


def make_again(job: Job) -> None:
    done = subprocess.run(
        ["make", *job.same_build, "all"],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise AssertionError(f"make failed:\n{done.stdout}")


def measure_rebuild(results: Results, job: Job, options: dict[str, Any], runs: int, say: Progress) -> None:
    make_again(job)  # afterwards only virtqueue.c will be out of date
    for i in range(runs):
        say(f"bench: rebuild {i + 1} of {runs}")
        start = time.monotonic()
        Path("kernel/virtio/virtqueue.c").touch()
        make_again(job)
        boot_seconds(job, **options)
        results["rebuild"].append(time.monotonic() - start)


# ---- showing ----


def ratio_of(row: Row, value: float) -> Optional[float]:
    """The share of the target that the value reaches; 1 or more meets the target."""
    if row.target is None:
        return None
    return row.target / value if row.less_is_better else value / row.target


def verdict_of(row: Row, results: Results) -> str:
    value, alone = median(results[row.name]), results.get(f"{row.name} by the host alone")
    ratio = ratio_of(row, value)
    if ratio is None:
        return ""
    if ratio >= 1:
        return "met"
    if not alone:
        return "missed"
    word = "explained:" if value >= EXPLAINED * median(alone) else "missed;"
    return f"{word} the host alone does {number(median(alone))}"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(results: Results) -> str:
    lines = [f"{'':13} {'':43} {'median':>8} {'(low to high)':>19} {'':5} {'target':>7} {'ratio':>6}"]
    for row in ROWS:
        values = results.get(row.name)
        if not values:
            continue
        value = median(values)
        ratio = ratio_of(row, value)
        spread = f"({number(min(values))} to {number(max(values))})"
        verdict = "" if ratio is None else f"{number(row.target or 0):>7} {ratio:6.2f} {verdict_of(row, results)}"
        lines.append(f"{row.name:13} {row.what:43} {number(value):>8} {spread:>19} {row.unit:5} {verdict}".rstrip())
    return "\n".join(lines)


def markdown(results: Results) -> str:
    lines = ["| | | median | low to high | | target | ratio | |", "|---|---|---:|---:|---|---:|---:|---|"]
    for row in ROWS:
        values = results.get(row.name)
        if not values:
            continue
        ratio = ratio_of(row, median(values))
        target = "" if row.target is None else number(row.target)
        share = "" if ratio is None else f"{ratio:.2f}"
        spread = f"{number(min(values))} to {number(max(values))}"
        cells = [row.name, row.what, number(median(values)), spread, row.unit, target, share, verdict_of(row, results)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def as_json(results: Results, host: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for row in ROWS:
        values = results.get(row.name)
        if not values:
            continue
        ratio = ratio_of(row, median(values))
        rows.append(
            {
                "name": row.name,
                "what": row.what,
                "unit": row.unit,
                "values": values,
                "median": median(values),
                "target": row.target,
                "ratio": ratio,
                "met": None if ratio is None else ratio >= 1,
                "verdict": verdict_of(row, results),
            }
        )
    extra = {name: values for name, values in results.items() if " " in name}
    return {"host": host, "rows": rows, "also": extra}


def describe_host(job: Job, options: dict[str, Any]) -> dict[str, Any]:
    version = subprocess.run([job.qemu, "--version"], stdout=subprocess.PIPE, text=True).stdout.splitlines()[0]
    return {
        "qemu": version,
        "host cpus": os.cpu_count(),
        "load before": round(os.getloadavg()[0], 2),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **options,
    }


def host_line(host: dict[str, Any]) -> str:
    return (
        f"{host['qemu']}, {host['host cpus']} host cores, load {host['load before']} before the run, "
        f"{host['cpus']} harts, {host['mem']}:"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--mem", default="256M")
    parser.add_argument("--runs", type=int, default=3, help="number of machines; each figure is their median")
    parser.add_argument("--args", default="", help="kernel boot arguments")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE instead of BUILD/bench.json")
    parser.add_argument("--docs", action="store_true", help="also put the table into docs/performance.md")
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows to measure; none: all")
    given = parser.parse_args()

    wanted = {row.name for row in ROWS if not given.names or row.name.startswith(tuple(given.names))}
    if not wanted:
        parser.error(f"no row of that name; there are {', '.join(row.name for row in ROWS)}")

    os.chdir(ROOT)
    options = {"cpus": given.cpus, "mem": given.mem, "args": given.args}
    job = Job.from_environment()
    host = describe_host(job, options)
    results: Results = defaultdict(list)
    say = Progress()
    try:
        if host["load before"] > 1:
            print(f"bench: this host is busy (load {host['load before']}): figures will be low", file=sys.stderr)
        if "boot" in wanted:
            measure_boot(results, job, options, say)
        if wanted & (set(IN_GUEST) | set(WHEELS)):
            measure_guest(results, job, wanted, options, given.runs, say)
        if any(name.startswith("vqsan-") for name in wanted) and (job.build / "host/vqsan.so").exists():
            measure_sanitizer(results, job, wanted, options, given.runs, say)
        if "rebuild" in wanted:
            measure_rebuild(results, job, options, given.runs, say)
    except KeyboardInterrupt:
        say.done()
        print("bench: interrupted", file=sys.stderr)
        return 130
    except (AssertionError, ConsoleError) as error:
        say.done()
        print(f"bench: {error}", file=sys.stderr)
        return 1
    say.done()
    print(table(results))
    (given.json or job.build / "bench.json").write_text(json.dumps(as_json(results, host), indent=1) + "\n")
    if given.docs:
        put_table(ROOT / "docs/performance.md", "bench", f"{host_line(host)}\n\n{markdown(results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
