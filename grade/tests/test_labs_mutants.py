"""The grader is tested by wrong solutions and by right ones that differ from ours: `make mutants`."""

from __future__ import annotations

import os

import pytest

from grade.course import ROOT
from grade.tests.lab_trees import make


@pytest.mark.long
def test_mutants() -> None:
    make(ROOT, "mutants", f"BUILD={os.environ.get('BUILD', 'build')}", seconds=1800)
