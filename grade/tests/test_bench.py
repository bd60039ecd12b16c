"""make bench and make bench-growth: what they print, write and refuse. These tests do not check any speed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job
from grade.machine.machine import Machine
from grade.measure import bench, growth, profile
from grade.tests.test_clean import await_end


def run(job: Job, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"grade.measure.{script}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=job.environment(),
        timeout=300 * patience.scale(),
    )


def test_every_figure_of_the_guest_has_a_row(machine_factory: Callable[..., Machine]) -> None:
    names = {line.split()[0] for line in machine_factory().run("bench -l").splitlines()}
    assert names == {name for name, _ in bench.IN_GUEST.values()}


def test_table_and_json(job: Job, build: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = run(job, "bench", "--runs", "1", "--json", str(out), "getpid", "fsync")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(out.read_text())["rows"]}
    assert set(rows) == {"getpid", "fsync"}
    assert rows["getpid"]["target"] == 900 and rows["getpid"]["median"] > 0
    assert rows["getpid"]["met"] == (rows["getpid"]["ratio"] >= 1)
    for name, row in rows.items():
        line = next(line for line in done.stdout.splitlines() if line.startswith(name + " "))
        assert ("missed" in line) != row["met"], line


def test_less_can_be_better() -> None:
    text = bench.table({"boot": [1.0, 1.2, 9.0], "rebuild": [4.0], "pipe": [10000.0], "raw-flush": [500.0]})
    verdicts = {line.split()[0]: line.split()[-2:] for line in text.splitlines()[1:]}
    assert verdicts["boot"] == ["1.08", "met"]  # the median of three; the target is 1.3
    assert verdicts["rebuild"] == ["0.50", "missed"]
    assert verdicts["pipe"] == ["0.50", "missed"]
    assert "met" not in verdicts["raw-flush"] and "missed" not in verdicts["raw-flush"]


def test_a_miss_is_explained_if_the_host_alone_is_slow_too() -> None:
    def verdict(**values: list[float]) -> str:
        return bench.verdict_of(next(row for row in bench.ROWS if row.name == "show-1920"), values)

    alone = "show-1920 by the host alone"
    assert verdict(**{"show-1920": [3000.0], alone: [9000.0]}) == "met"
    assert verdict(**{"show-1920": [2400.0], alone: [2500.0]}) == "explained: the host alone does 2,500"
    assert verdict(**{"show-1920": [1000.0], alone: [2500.0]}) == "missed; the host alone does 2,500"
    assert verdict(**{"show-1920": [2400.0]}) == "missed"


@pytest.mark.needs("linux")
def test_profile_counts_every_instruction_between_the_marks(job: Job, tmp_path: Path) -> None:
    first, again = (profile.count_instructions(job, tmp_path, "getpid") for _ in range(2))
    each = [sum(counts.functions.values()) / counts.operations for counts in (first, again)]
    assert each[0] == pytest.approx(each[1], rel=0.01)
    # Assembly, which no compiler changes: it restores 31 registers once per call.
    once_a_call = first.functions["user_return"] / first.operations
    assert 31 <= once_a_call < 62 and once_a_call == pytest.approx(round(once_a_call), abs=0.1)
    assert first.functions["(program)"] / first.operations > 3


def test_unknown_row(job: Job) -> None:
    done = run(job, "bench", "nonsense")
    assert done.returncode == 2
    assert "no row of that name; there are boot, getpid, " in done.stderr


def children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:  # the process has just ended
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.needs("linux")
def test_interrupt_ends_the_machine(job: Job) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "grade.measure.bench", "getpid", "fork"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=job.environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "getpid" in line:  # the guest is working
            break
    machines = children(process.pid)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60 * patience.scale())
    assert process.returncode == 130 and errors.endswith("bench: interrupted\n")
    assert machines, "no machine was running"
    for pid in machines:
        await_end(pid)


@pytest.mark.parametrize("command", ["directory 30", "file 2", "processes 8", "workers 2", "damage 3"])
def test_growth_prints_a_table_and_leaves_nothing(machine_factory: Callable[..., Machine], command: str) -> None:
    machine = machine_factory()
    before = machine.run("ls")
    rows = growth.guest_table(machine, command)
    assert len(rows) > 1 and len({len(row) for row in rows}) == 1
    assert all(value > 0 for row in rows for value in row[1:])
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert machine.run("ls") == before


def test_growth_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- table x -->\nold\n<!-- end -->\nb\n<!-- table y -->\n<!-- end -->\n")
    growth.put_table(page, "x", "new")
    growth.put_table(page, "x", "newer")
    assert page.read_text() == "a\n<!-- table x -->\nnewer\n<!-- end -->\nb\n<!-- table y -->\n<!-- end -->\n"
    with pytest.raises(AssertionError, match="has no line <!-- table z -->"):
        growth.put_table(page, "z", "text")
    # The real page has a place for every plot.
    text = (ROOT / "docs/performance.md").read_text()
    for plot in growth.PLOTS:
        assert f"<!-- table {plot.name} -->" in text and f"img/growth-{plot.name}.svg" in text
