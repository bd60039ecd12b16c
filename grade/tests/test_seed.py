"""SEED= repeats the random choices of a test; a test that fails says which SEED it had."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grade import ROOT


INNER = """
def test_one(seed): assert 0, f"chose {seed}"
def test_two(seed): assert 0, f"chose {seed}"
"""


def run(folder: Path, *options: str) -> tuple[str, list[str]]:
    """The reported seed, and what the two tests chose from it."""
    (folder / "test_inner.py").write_text(INNER)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "grade.machine.fixtures"]
        + ["-c", os.devnull, "--rootdir", folder, *options, folder],
        cwd=folder,
        env={**{key: value for key, value in os.environ.items() if "XDIST" not in key}, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    told = re.findall(r"make the same choices again -+\nSEED=(\w+)$", done.stdout, re.MULTILINE)
    assert len(told) == 2 and len({*told}) == 1, done.stdout
    chosen = re.findall(r"^E +AssertionError: chose (\d+)$", done.stdout, re.MULTILINE)
    assert len({*chosen}) == 2, done.stdout
    return told[0], sorted(chosen)


def test_seed_brings_choices_back(tmp_path: Path) -> None:
    seed, chosen = run(tmp_path)
    assert run(tmp_path, f"--seed={seed}") == (seed, chosen)
    assert run(tmp_path)[1] != chosen


@pytest.mark.needs("xdist")
def test_workers_share_a_seed(tmp_path: Path) -> None:
    seed, chosen = run(tmp_path, "-n", "2")
    assert run(tmp_path, f"--seed={seed}") == (seed, chosen)
