"""Lab 4's experiments: the tables show what docs/stale-index.md says they show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from grade import calibrate
from grade.machine import BUILD, ROOT

# They share the copy of the tree in build/experiments.
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("experiments")]

HERE = ROOT / "labs/4-slow-wheel/experiments"


def run(name: str, out: Path, *options: str) -> Any:
    given = [word for word in os.environ.get("SAME_BUILD", "").split() if not word.startswith(("BUILD=", "START="))]
    words = [sys.executable, str(HERE / f"{name}.py"), "--build", str(BUILD), "--json", str(out), *options, *given]
    done = subprocess.run(
        words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=600 * calibrate.scale(),
    )
    assert done.returncode == 0, done.stdout
    return json.loads(out.read_text())


def test_barriers(tmp_path: Path) -> None:
    results = {row["variant"]: row for row in run("barriers", tmp_path / "out.json", "--rounds", "1", "--seconds", "0.3")}
    # What is reported, and what injection shows of it.
    assert {name: row["verdict"] for name, row in results.items()} == {
        "hoisted": "R7",
        "volatile": "R1",
        "fence-before": "R1",
        "fence-after": "clean",
        "both": "clean",
        "acquire": "clean",
        "full-every-poll": "clean",
    }
    assert {name for name, row in results.items() if row["bite"] != "none"} == {"volatile", "fence-before"}
    # How often the index is loaded, and what the fences are counted by: turns of the loop, or commands (two a band).
    for name, row in results.items():
        assert (row["loads_per_turn"] < 0.1) == (name == "hoisted") and (row["loads_per_turn"] > 0.9) == (name != "hoisted")
        if name in ("hoisted", "fence-after"):
            assert row["fences"] == 480
        elif name == "volatile":
            assert row["fences"] == 0
        else:
            assert row["fences"] >= row["polls"] > 480
    assert results["hoisted"]["rate"] < min(row["rate"] for name, row in results.items() if name != "hoisted")


def test_case(tmp_path: Path) -> None:
    results = run("case", tmp_path / "out.json", "--rounds", "1", "--seconds", "0.3")
    rate = {row["what"].strip(): row["rate"] for row in results}
    assert len(rate) == len(results) and all(value > 0 for value in rate.values())
    # Where the plain load is hoisted, each of three things that have nothing to do with a cache cures it.
    for cure in ("C: fence before the plain load", "C: the first with a counter", "C: the first by interrupt"):
        assert rate[cure] > 2 * rate["C: plain load, fence behind"], rate
    assert rate["one present and bulk copies"] > rate["bulk copies, not pixel by pixel"], rate
