"""make profile: shows where the instructions and the time of a row of `make bench` go.

    python3 -m grade.measure.profile [--most N] NAME...

A NAME is one of the guest's benchmarks (`bench -l`), or `boot` for the time from power-on to the prompt. For each:

- the guest's instructions for one operation, by kernel function. A plugin (profile.c) counts them on one hart, in virtual
  time and with poll=0, where they repeat;
- how long each thread of QEMU ran, on a machine like that of `make bench`: one thread per hart, and the main loop, which
  runs every device;
- if perf is installed and allowed: the functions of QEMU, its libraries and the host's kernel that took the time. Code
  that QEMU has generated from the guest's code has no names: it shows as "(guest)".
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Hashable, Mapping, NamedTuple, Optional, TypeVar

from grade.machine.job import Job
from grade.machine.machine import NEVER_GIVE_UP, VIRTUAL_TIME, ConsoleError, Machine

Key = TypeVar("Key", bound=Hashable)
NAMED_THREADS = ["-name", "ringfence,debug-threads=on"]


class Counts(NamedTuple):
    operations: int
    functions: Counter[str]


# ---- instructions ----


def read_counts(path: Path) -> Counter[str]:
    functions: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        count, name = line.split(" ", 1)
        functions[name] += int(count)
    return functions


def run_bench(machine: Any, name: str, count: int = 0) -> dict[str, Any]:
    """Runs only that benchmark, with `count` operations per round unless that is 0. Returns its JSON result."""
    machine.send(f"bench -j {f'-n {count} ' if count else ''}{name}\n")
    while True:
        result = json.loads(machine.expect(r"^(\{.*\})$", quiet=60, total=600).group(1))
        if result["name"] == name:
            break
    machine.expect("BENCH-END")
    if "skipped" in result:
        raise AssertionError(f"{name} cannot be measured: {result['skipped']}")
    return result


def count_instructions(job: Job, folder: Path, name: str, count: int = 0, idle: bool = True) -> Counts:
    """Counts what the benchmark executes on one hart, with `count` operations per round unless that is 0. Without `idle`,
    it ignores needless wake-ups of the idle hart."""
    out = folder / "counts"
    plugin = f"{job.build}/host/profile.so,elf={job.build}/kernel.elf,out={out}"
    boot = name == "boot"
    # No virtual time for boot: an idle hart would skip from tick to tick, and the counts would include the ticks.
    extra = ["-plugin", plugin if boot else f"{plugin},marked=on{'' if idle else ',idle=off'}", *([] if boot else VIRTUAL_TIME)]
    with Machine(job, cpus=1, args=f"poll=0 {NEVER_GIVE_UP}", extra=extra) as machine:
        operations = 1 if boot else run_bench(machine, name, count)["operations"]
        assert machine.qmp is not None
        machine.qmp.command("quit")
        machine.wait()
    return Counts(operations, read_counts(out))


def show_instructions(name: str, counts: Counts, most: int) -> None:
    total = sum(counts.functions.values())
    print(f"{name}: {total / counts.operations:,.0f} instructions per operation")
    for function, count in counts.functions.most_common(most):
        print(f"  {count / counts.operations:14,.1f} {count / total:6.1%}  {function}")


# ---- time ----


def thread_seconds(pid: int) -> dict[str, float]:
    """Seconds that each of QEMU's threads has run so far."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            seconds[name] += int((task / "schedstat").read_text().split()[0]) / 1e9
        except OSError:  # the thread has just ended
            pass
    return seconds


def largest_first(shares: Mapping[Key, float]) -> list[tuple[Key, float]]:
    return sorted(shares.items(), key=lambda item: -item[1])


def friendly(thread: str) -> str:
    hart = re.fullmatch(r"CPU (\d+)/TCG", thread)
    return f"hart {hart.group(1)}" if hart else "main loop" if thread.startswith("qemu-system") else thread


class Perf:
    """Runs perf on a process; does nothing if perf is missing or not allowed."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.data = folder / "perf.data"
        self.process: Optional[subprocess.Popen[bytes]] = None
        if shutil.which("perf"):
            command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "997", "-o", str(self.data), "-p", str(pid)]
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> list[tuple[float, str, str]]:
        """Percentages, threads and functions; the largest percentage first."""
        if not self.process:
            return []
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        command = ["perf", "report", "-i", str(self.data), "--stdio", "-q", "-t", "|", "-F", "overhead,comm,dso,sym"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        shares: defaultdict[tuple[str, str], float] = defaultdict(float)
        for line in done.stdout.splitlines():
            fields = [field.strip() for field in line.split("|")]
            if len(fields) == 4 and fields[0].endswith("%"):
                known = re.match(r"\[[.k]\] (?!0x)(.*)", fields[3])
                guest = not fields[2].startswith(("qemu", "lib", "["))
                what = known.group(1) if known else "(guest)" if guest else f"somewhere in {fields[2]}"
                shares[(friendly(fields[1]), what)] += float(fields[0][:-1])
        return [(share, thread, what) for (thread, what), share in largest_first(shares)]


def show_time(job: Job, folder: Path, name: str, most: int) -> None:
    with Machine(job, cache="writeback", extra=NAMED_THREADS) as machine:
        assert machine.process is not None
        pid = machine.process.pid
        perf = Perf(folder, pid)
        before, start = thread_seconds(pid), time.monotonic()
        result = run_bench(machine, name)
        wall = time.monotonic() - start
        used = {name: seconds - before.get(name, 0) for name, seconds in thread_seconds(pid).items()}
        shares = perf.stop()
    print(f"{name}: {result['median']:,} {result['unit']}; meanwhile each thread of QEMU ran")
    for thread, seconds in largest_first(used):
        if seconds / wall >= 0.01:
            print(f"  {seconds / wall:21.0%}  {friendly(thread)}")
    if shares:
        print("and of their total running time")
    for share, thread, what in shares[:most]:
        if share >= 1:
            print(f"  {share:20.1f}%  {thread}: {what}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=12, help="functions to show")
    parser.add_argument("names", nargs="+", metavar="NAME")
    given = parser.parse_args()
    job = Job.from_environment()

    try:
        for name in given.names:
            with tempfile.TemporaryDirectory(prefix="ringfence-profile-") as folder:
                show_instructions(name, count_instructions(job, Path(folder), name), given.most)
                if name != "boot":
                    show_time(job, Path(folder), name, given.most)
            print()
    except KeyboardInterrupt:
        print("profile: interrupted", file=sys.stderr)
        return 130
    except (AssertionError, ConsoleError) as error:
        print(f"profile: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
