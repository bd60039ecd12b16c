"""A job: what make says of it reaches the commands that it starts, and pytest gets it back whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from grade import ROOT
from grade.machine import binutils
from grade.machine.job import Job, clean_environment


def test_make_describes_a_job() -> None:
    job = Job.from_environment({"BUILD": "build/x", "QEMU": "/opt/qemu", "GDB": "", "CHOICE": "CC=clang START=2-disk SAN=1 CI=1"})
    assert job.build == ROOT / "build/x" and job.qemu == "/opt/qemu" and job.gdb == "gdb-multiarch"
    assert job.same_compiler == ["CC=clang"] and job.same_build == ["BUILD=build/x", "CC=clang", "START=2-disk", "SAN=1", "CI=1"]
    assert Job.from_environment({}) == Job()


def test_a_command_works_on_the_same_job() -> None:
    for build in (ROOT / "build/x", Path("/elsewhere/build")):
        job = Job(build=build, qemu="/opt/qemu", choice=("CC=clang", "CI=1"))
        assert Job.from_environment(job.environment()) == job


def test_pytest_gets_the_job_back() -> None:
    job = Job(build=Path("/tree/build"), choice=("CC=clang",), sandbox=True, handout=Path("/handout"))
    assert Job.from_json(job.to_json()) == job
    other = dataclasses.replace(job, sandbox=False, handout=None)
    assert Job.from_json(other.to_json()) == other != job


def test_a_make_of_its_own_is_told_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAKEFLAGS", "MAKELEVEL", "BUILD", "CHOICE", "PYTEST_XDIST_WORKER", "CI"):
        monkeypatch.setenv(name, "1")
    assert {"MAKEFLAGS", "MAKELEVEL", "BUILD", "CHOICE", "PYTEST_XDIST_WORKER"}.isdisjoint(clean_environment())
    assert clean_environment()["CI"] == "1" and "CI" not in clean_environment("CI")


def test_a_symbol_that_is_missing_is_an_error(build: Path) -> None:
    assert binutils.address(build / "kernel.elf", "poll_used") > 1 << 38
    with pytest.raises(LookupError, match="no symbol poll_use$"):
        binutils.address(build / "kernel.elf", "poll_use")
