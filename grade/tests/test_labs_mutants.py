"""Tests the grader with wrong solutions, and with right ones that differ from ours: `make mutants`."""

from __future__ import annotations

import pytest

from grade import ROOT
from grade.machine.job import Job
from grade.tests.support.lab_trees import graded_labs, make

# One at a time: each of them keeps both cores busy.
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("mutants")]


@pytest.mark.parametrize("name", [name for name in graded_labs() if list((ROOT / "labs" / name).glob("mutants/*.patch"))])
def test_mutants(job: Job, name: str) -> None:
    make(ROOT, "mutants", f"LAB={name}", f"BUILD={job.build_for_make}", seconds=1800)


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param("TOOLPREFIX=riscv64-linux-gnu-", marks=pytest.mark.needs("riscv64-linux-gnu-gcc")),
        pytest.param("CC=clang", marks=pytest.mark.needs("clang")),
    ],
)
def test_mutants_of_lab_4(job: Job, choice: str) -> None:
    """In lab 4, the effect of a fix depends on the compiler."""
    name = choice.split("=")[1]
    make(ROOT, "mutants", "LAB=4-slow-wheel", "CC=", choice, f"BUILD={job.build_for_make}/ci-{name}", seconds=1800)
