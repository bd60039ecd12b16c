"""What is for people's eyes: the recording, and the list of who could turn how many wheels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from grade import ROOT
from grade.machine.job import Job
from grade.staff.leaderboard import LAB, NEEDED, read_all


def test_recording_moves(job: Job, tmp_path: Path) -> None:
    out = tmp_path / "wheel.gif"
    command = [sys.executable, "-m", "grade.show.record", "--seconds", "0.6", out]
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


def results(rate: str, right: bool = True) -> dict[str, Any]:
    tests: list[dict[str, Any]] = [{"id": id, "score": 1.0 if right or id != "picture" else 0.0, "plots": []} for id in NEEDED]
    tests[0]["plots"] = [{"title": "A frame's costs", "head": ["", "start", "now"], "rows": [["modelled frames/s", "8.1", rate]]}]
    return {"labs": [{"name": LAB, "score": 20.0, "tests": tests}]}


def test_leaderboard(tmp_path: Path) -> None:
    people = {
        "ann": ("Fast & <b>curious</b>", results("1,260.5")),
        "bob": ("\x1b[31mred\u202e\n", results("90")),
        "cem": ("wrong pixels", results("9,999", right=False)),
        "dan": ("", results("800")),  # does not want to be listed
        "eve": ("broken", {"labs": [{"name": LAB, "tests": []}]}),
    }
    for name, (alias, grade) in people.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "grade.json").write_text(json.dumps(grade))
        if alias:
            (tmp_path / name / "alias").write_text(alias)
    found = read_all(tmp_path)
    assert [entry.alias for entry in found] == ["Fast & <b>curious</b>", "[31mred"]
    assert [round(entry.wheels, 1) for entry in found] == [21.0, 1.5]


@pytest.mark.long
def test_leaderboard_reads_what_grading_writes(job: Job, tmp_path: Path) -> None:
    """The solved tree's own results are in the list, with the reference's rate."""
    folder = tmp_path / "reference"
    done = subprocess.run(
        ["make", *job.same_build, "grade", f"LAB={LAB}", f"RESULTS={folder}"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]
    (folder / "alias").write_text("the reference\n")
    (entry,) = read_all(tmp_path)
    assert entry.alias == "the reference" and entry.wheels > 10
