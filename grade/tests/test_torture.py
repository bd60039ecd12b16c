"""make torture: runs a tenth of it from a seed, and checks that it reports each loss."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import types
from pathlib import Path
from typing import Callable, Iterator

import pytest

from grade.machine import patience
from grade.machine.job import Job
from grade.tests.support.needs import here
from grade.torture import crashes, faults, hostile, main
from grade.torture.frame import Row, Run


@pytest.mark.long
def test_a_tenth(job: Job, build: Path, tmp_path: Path, seed: int) -> None:
    out = tmp_path / "torture.json"
    done = subprocess.run(
        [sys.executable, "-m", "grade.torture.main", "--share", "0.1", "--seed", str(seed), "--json", out],
        stdout=subprocess.PIPE,
        text=True,
        env=job.environment(),
        timeout=1200 * patience.scale(),
    )
    assert done.returncode == 0, done.stdout
    result = json.loads(out.read_text())
    assert result["seed"] == seed and set(result["seconds"]) == set(main.SUITES)
    assert not any(row["lost"] for row in result["rows"])
    idle = [row["what"] for row in result["rows"] if row["count"] == 0]
    assert idle == ([] if here("fuzzer") else ["hostile images, read by fsck"]), f"not tried at all: {', '.join(idle)}"


@pytest.mark.long
@pytest.mark.needs("fuzzer")
def test_hostile_images(job: Job, tmp_path: Path, seed: int) -> None:
    """Without the fuzzer, the suite skips hostile images; this test needs it."""
    row = hostile.fuzz_images(Run(job, seed, 0.02, tmp_path, print))
    assert row.count > 0 and not row.lost, row


def test_crash_points_of_a_short_workload(job: Job, tmp_path: Path, seed: int) -> None:
    recording = crashes.Recording(job, crashes.WORKS[1], tmp_path, seed, 25)
    replayed = recording.replay("-n", 60, "-r", seed)
    assert replayed.returncode == 0, f"seed {seed}: {replayed.stdout}"
    found = crashes.summary(replayed.stdout)
    assert found["calls"] == 25 * crashes.WORKS[1].processes and found["states"] > 60


def suite_that_loses(run: Run) -> Iterator[Row]:
    yield Row("whole things", run.times(100))
    yield Row("broken things", 2, ["the second one"])


def suite_that_breaks(run: Run) -> Iterator[Row]:
    yield Row("whole things", run.times(100))
    raise OSError("no machine")


@pytest.mark.parametrize("suite, said", [(suite_that_loses, "the second one"), (suite_that_breaks, "no machine")])
def test_losses_are_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], suite: object, said: str
) -> None:
    module = types.ModuleType("grade.torture.fake")
    module.run = suite  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(main, "SUITES", ("fake",))
    monkeypatch.setattr(sys, "argv", ["main.py", "--seed", "7", "--share", "0.25", "--json", f"{tmp_path}/torture.json"])
    assert main.main() == 1
    printed = capfd.readouterr().out
    assert said in printed and "LOST" in printed and "SEED=7" in printed
    rows = json.loads((tmp_path / "torture.json").read_text())["rows"]
    assert rows[0]["count"] == 25 and sum(len(row["lost"]) for row in rows) == 1


@pytest.mark.parametrize("fault", [faults.log_write_fails_once, faults.display_stops_to_answer], ids=lambda fault: fault.__name__)
def test_a_fault(job: Job, tmp_path: Path, fault: Callable[[faults.Ground], None], seed: int) -> None:
    assert faults.try_fault(job, fault, tmp_path / "fault", random.Random(seed)) == ""
