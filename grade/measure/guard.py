"""make guard: counts the instructions of the kernel's main paths and compares them with a committed file.

    python3 -m grade.measure.guard [--update] [NAME...]

Each NAME is a benchmark of the guest (`bench -l`). It runs on one hart in virtual time, where the count of instructions is
the same in each run and on every host; profile.py counts them. instructions.toml holds the earlier counts for one
operation, for each version of GCC. A path that takes more instructions than its limit allows fails. If a path takes so much
less, record it with `make guard UPDATE=1`, and say why in the commit. Exit status 2: no counts for this compiler.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Mapping, Optional

from grade.machine.job import Job
from grade.machine.machine import ConsoleError
from grade.measure.profile import count_instructions

HERE = Path(__file__).resolve().parent
FILE = HERE / "instructions.toml"
LIMIT = 0.03
# A device answers from another thread of QEMU. The host decides whether the answer comes before the kernel goes to sleep,
# and so how often the kernel pays for sleeping: show-640 varied from 2,632 to 2,779 instructions.
LIMIT_WITH_DEVICE = 0.08
HEAD = f"""\
# Instructions for one operation of each benchmark, on one hart in virtual time. `make guard` fails if a count grows by
# more than {LIMIT:.0%}, or {LIMIT_WITH_DEVICE:.0%} with a device. `make guard UPDATE=1` writes it; the commit must say why.
"""
# The benchmarks that spend their time in the kernel, and the number of operations in a round. Left out: benchmarks that
# draw, because the program takes the time; and those that wait for one request at a time (fsync, disk-4k), because chance
# decides most of their count.
PATHS = {
    "getpid": 10_000,
    "fork": 200,
    "exec": 100,
    "pipe": 2_000,
    "write": 1_000,
    "read": 2_000,
    "create": 500,
    "disk-4k-32": 200,
    "disk-1m": 50,
    "show-640": 500,
}
WITH_DEVICE = {"disk-4k-32", "disk-1m", "show-640"}

Table = dict[str, float]


def compiler_name(command: str) -> str:
    """The compiler's name in the file: gcc-12, clang-14."""
    done = subprocess.run([command, "--version"], stdout=subprocess.PIPE, text=True, check=True)
    version = re.search(r" (\d+)\.\d+\.\d+", done.stdout)
    return f"{'clang' if 'clang' in done.stdout else 'gcc'}-{version[1] if version else 'unknown'}"


def read_tables(file: Path) -> dict[str, Table]:
    """The counts, by compiler."""
    tables: dict[str, Table] = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        if head := re.fullmatch(r"\[(.*)\]", line):
            table = tables.setdefault(head[1], {})
        elif row := re.fullmatch(r"([\w-]+) = ([\d.]+)", line):
            table[row[1]] = float(row[2])
    return tables


def write_tables(file: Path, tables: Mapping[str, Table]) -> None:
    text = HEAD
    for compiler, table in sorted(tables.items()):
        text += f"\n[{compiler}]\n" + "".join(f"{name} = {count:.1f}\n" for name, count in table.items())
    file.write_text(text)


def verdict(name: str, now: float, before: Optional[float]) -> str:
    if before is None:
        return "new: record it with make guard UPDATE=1"
    change, limit = now / before - 1, LIMIT_WITH_DEVICE if name in WITH_DEVICE else LIMIT
    if change > limit:
        return f"FAILED: {change:+.1%}"
    return f"{change:+.1%}" + ("; record it with make guard UPDATE=1" if change < -limit else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the counts into the file")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args()

    job = Job.from_environment()
    tables, compiler = read_tables(FILE), compiler_name(job.compiler)
    if compiler not in tables and not given.update:
        print(f"guard: {FILE.name} has no counts for {compiler}, only for {', '.join(tables)}", file=sys.stderr)
        return 2
    table = tables.setdefault(compiler, {})
    failed = []
    print(f"{'path':12} {compiler:>12} {'before':>12}")
    try:
        for name in given.names or PATHS:
            with tempfile.TemporaryDirectory(prefix="ringfence-guard-") as folder:
                counts = count_instructions(job, Path(folder), name, PATHS.get(name, 0), idle=False)
            now, before = round(sum(counts.functions.values()) / counts.operations, 1), table.get(name)
            said = verdict(name, now, before)
            print(f"{name:12} {now:12,.1f} {before or 0:12,.1f}  {said}", flush=True)
            failed += [name] if said.startswith("FAILED") else []
            table[name] = now
    except KeyboardInterrupt:
        print("guard: interrupted", file=sys.stderr)
        return 130
    except (AssertionError, ConsoleError) as error:
        print(f"guard: {error}", file=sys.stderr)
        return 1
    if given.update:
        write_tables(FILE, tables)
        return 0
    if failed:
        print(f"guard: {', '.join(failed)} became slower. `make profile PROFILE={failed[0]}` shows where. If it must be, "
              "run `make guard UPDATE=1` and say why in the commit")  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
