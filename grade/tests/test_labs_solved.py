"""The solved tree gets full marks in every lab. This detects a test that fails because of a new QEMU or compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from grade import ROOT
from grade.machine.job import Job
from grade.tests.support.lab_trees import graded


@pytest.mark.needs("solved-tree")
def test_the_solved_tree_gets_full_marks(job: Job, tmp_path: Path) -> None:
    """Grades all labs in one run, like `make grade`."""
    words = [sys.executable, "-m", "grade.marking.mark", "--results", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, env=job.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    results = graded(tmp_path)
    assert results["state"] == "complete", results["reason"]
    lost = [
        f"{lab['name']}, {test['id']}: {test['score']:g} of {test['points']:g} points. {test['seen']}\n"
        for lab in results["labs"]
        for test in lab["tests"]
        if test["score"] < test["points"]  # lab 0 gives no points: each student answers its questions
    ]
    assert not lost, "\n".join(lost)
    assert {lab["name"][0] for lab in results["labs"] if lab["score"]} == set("12345")
