"""The grader is tested by wrong solutions and by right ones that differ from ours: `make mutants`."""

from __future__ import annotations

import os

import pytest

from grade.course import ROOT
from grade.tests.lab_trees import graded_labs, make

# One after the other: each of them keeps both cores busy.
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("mutants")]


@pytest.mark.parametrize("name", [name for name in graded_labs() if list((ROOT / "labs" / name).glob("mutants/*.patch"))])
def test_mutants(name: str) -> None:
    make(ROOT, "mutants", f"LAB={name}", f"BUILD={os.environ.get('BUILD', 'build')}", seconds=1800)
