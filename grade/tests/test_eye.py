"""Output that people look at: the recording, and the leaderboard of who could turn how many wheels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from grade import ROOT
from grade.machine.job import Job
from grade.marking import results as rs
from grade.staff.leaderboard import LAB, METRIC, NEEDED, read_all


def test_recording_moves(job: Job, tmp_path: Path) -> None:
    out = tmp_path / "wheel.gif"
    command = [sys.executable, "-m", "grade.show.record", "--seconds", "0.6", str(out)]
    done = subprocess.run(command, cwd=ROOT, env=job.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    with Image.open(out) as recording:
        assert recording.size == (640, 480) and recording.n_frames >= 2, done.stdout
        first = recording.convert("RGB")
        recording.seek(recording.n_frames - 1)
        assert ImageChops.difference(first, recording.convert("RGB")).getbbox(), "the wheel stands still"


def test_recording_to_nowhere() -> None:
    done = subprocess.run([sys.executable, "-m", "grade.show.record", "wheel.mov"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and ".gif" in done.stderr


def results(rate: float, right: bool = True) -> rs.Results:
    promises = [rs.PromiseResult(id, id, 1, "visible", score=float(right or id != "picture")) for id in NEEDED]
    promises[0].metrics = {METRIC: rate}
    return rs.Results("1", "abc", "now", {}, labs=[rs.LabResult(LAB, "", 20, promises)])


def test_leaderboard(tmp_path: Path) -> None:
    people = {
        "ann": ("Fast & <b>curious</b>", results(1260.5)),
        "bob": ("\x1b[31mred\u202e\n", results(90)),
        "cem": ("wrong pixels", results(9999, right=False)),
        "dan": ("", results(800)),  # does not want to be listed
        "eve": ("broken", None),
    }
    for name, (alias, grade) in people.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "grade.json").write_text(json.dumps(rs.as_json(grade)) if grade else "{}")
        if alias:
            (tmp_path / name / "alias").write_text(alias)
    found = read_all(tmp_path)
    assert [entry.alias for entry in found] == ["Fast & <b>curious</b>", "[31mred"]
    assert [round(entry.wheels, 1) for entry in found] == [21.0, 1.5]


@pytest.mark.long
def test_leaderboard_reads_what_grading_writes(job: Job, tmp_path: Path) -> None:
    """The solved tree's own results are on the leaderboard, with the reference solution's rate."""
    folder = tmp_path / "reference"
    done = subprocess.run(
        ["make", *job.same_build, "grade", f"LAB={LAB}", f"RESULTS={folder}"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]
    (folder / "alias").write_text("the reference\n")
    (entry,) = read_all(tmp_path)
    assert entry.alias == "the reference" and entry.wheels > 10
