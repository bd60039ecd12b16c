"""make torture [SEED=] [SHARE=] [SOAK=minutes] [TORTURE=suite]: tries to break the system.

It prints one table that says what it tried and what was lost. A loss is a broken promise.

Each suite is a module in this folder (frame.py describes it). The table also goes into <build>/torture.json (or --json
FILE). The exit status is 1 if anything was lost. --docs puts the table into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from grade import ROOT
from grade.machine.job import Job
from grade.measure.bench import Progress
from grade.measure.growth import put_table
from grade.staff.handout import commit
from grade.torture.frame import Row, Run

# They run in this order. `make torture TORTURE="a b"` runs suites a and b; TORTURE=a:x runs the parts of a with x in the
# name.
SUITES = ("host", "crashes", "faults", "hostile", "soak")


def run_suite(name: str, run: Run) -> tuple[list[Row], float]:
    """Runs a suite. Returns its rows and how many seconds it took. A suite that raises an exception counts as a loss."""
    start = time.monotonic()
    rows: list[Row] = []
    try:
        for row in importlib.import_module(f"grade.torture.{name}").run(run):
            rows.append(row)
            run.progress(f"{name}: {row.count:,} {row.what}, {len(row.lost)} lost")
    except Exception:  # noqa: BLE001
        rows.append(Row(f"{name}: ended early", 0, [traceback.format_exc()]))
    return rows, time.monotonic() - start


def table(rows: list[Row]) -> str:
    width = max(len(row.what) for row in rows)
    lines = [f"{'tried':>12}  {'':{width}}  {'lost':>5}"]
    lines += [f"{row.count:>12,}  {row.what:{width}}  {len(row.lost):>5}  {row.detail}".rstrip() for row in rows]
    return "\n".join(lines)


def markdown(rows: list[Row]) -> str:
    lines = ["| tried | | lost | how |", "|---:|---|---:|---|"]
    return "\n".join(lines + [f"| {r.count:,} | {r.what} | {len(r.lost)} | {r.detail} |" for r in rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="", help="repeat the random choices of an earlier run")
    parser.add_argument("--share", type=float, default=1.0, help="how much of the full work to do")
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES", help="how long to soak, instead of its share")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table to FILE instead of BUILD/torture.json")
    parser.add_argument("--docs", action="store_true", help="also put the table into docs/reliability.md")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"some of: {' '.join(SUITES)}")
    given = parser.parse_args()
    chosen = [suite.partition(":")[::2] for suite in given.suites] or [(name, "") for name in SUITES]
    unknown = {name for name, _ in chosen} - set(SUITES)
    if unknown or given.share <= 0 or given.soak < 0 or not given.seed.isdigit() and given.seed:
        parser.error(f"suites are {', '.join(SUITES)}; a share must be greater than 0; a seed must be a number")

    job = Job.from_environment()
    seed = int(given.seed) if given.seed else random.SystemRandom().randrange(1 << 32)
    head = f"seed {seed}, share {given.share:g}, tree {commit()}"
    print(f"torture: {head}", flush=True)
    say = Progress()
    start = time.monotonic()
    rows: list[Row] = []
    seconds: dict[str, int] = {}
    try:
        for name, only in chosen:
            with tempfile.TemporaryDirectory(prefix="torture-") as folder:
                more, took = run_suite(name, Run(job, seed, given.share, Path(folder), say, given.soak, only))
            rows += more
            seconds[name] = round(took)
    except KeyboardInterrupt:
        say.done()
        print("torture: interrupted", file=sys.stderr)
        return 130
    say.done()

    lost = [f"{row.what}: {text}" for row in rows for text in row.lost]
    for text in lost:
        print(f"LOST  {text}\n")
    print(table(rows))
    minutes, rest = divmod(round(time.monotonic() - start), 60)
    spent = ", ".join(f"{name} {took} s" for name, took in seconds.items())
    print(f"{len(lost)} lost in {minutes} min {rest:02} s ({spent})")
    if lost:
        print(f"To repeat this run: make torture SEED={seed} SHARE={given.share:g}")
    result = {"seed": seed, "share": given.share, "tree": commit(), "seconds": seconds, "rows": [vars(row) for row in rows]}
    (given.json or job.build / "torture.json").write_text(json.dumps(result, indent=1) + "\n")
    if given.docs:
        put_table(ROOT / "docs/reliability.md", "torture", f"{head}, {minutes} min {rest:02} s:\n\n{markdown(rows)}")
    return 1 if lost else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
