"""The code that lab 4 hands out: it is wrong where it must be, with every compiler, and right elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from grade import ROOT
from grade.explore.loop import disassemble
from grade.machine.job import Job, clean_environment
from grade.machine.machine import Machine
from grade.marking.course import read_lab
from grade.plugins.vqsan.sanitizer import Report, Sanitizer, vqsan  # noqa: F401
from grade.tests.support import lab_trees

pytestmark = [pytest.mark.long, pytest.mark.needs("linux")]  # vqsan is for Linux

COMPILERS = {
    "TOOLPREFIX=riscv64-unknown-elf-": "riscv64-unknown-elf-gcc",
    "TOOLPREFIX=riscv64-linux-gnu-": "riscv64-linux-gnu-gcc",
    "CC=clang": "clang",
}
EACH_COMPILER = [pytest.param(choice, marks=pytest.mark.needs(name)) for choice, name in COMPILERS.items()]
RING = "kernel/virtio/virtqueue.c"
# What a student may add to count the loop's turns.
COUNTED = ("        got = poll_used(q, done);\n", "        __atomic_fetch_add(&q->stats.polls, 1, __ATOMIC_RELAXED);\n")


def make(tree: Path, *words: str) -> None:
    done = subprocess.run(["make", *words], cwd=tree, env=clean_environment("CC", "TOOLPREFIX"), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def tree_of_the_kernel(folder: Path) -> Path:
    for name in ("kernel", "Makefile", "labs/start.mk", "grade/setup/tools.sh"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target)
        else:
            shutil.copy2(ROOT / name, target)
    return folder


def looks_in_each_turn(job: Job, kernel: Path) -> bool:
    """Whether each turn of the compiled loop looks: it loads from a ring, or calls a function that does."""
    return any(
        any(each.shared for each in body) or (any(each.calls for each in body) and any(each.shared for each in callee.code))
        for callee in [disassemble(job, kernel, "poll_used")]
        for body in disassemble(job, kernel, "virtq_poll").loops()
    )


def run(boot: Callable[..., Machine], sanitizer: Sanitizer, kernel: Path, cpus: int) -> Report:
    """Runs the display under load."""
    machine = boot(kernel=kernel, cpus=cpus, disk=None, rng=False, extra=sanitizer.arguments)
    machine.run("fbtest -r 1920x1080 -n 300 rects", quiet=60)
    return sanitizer.finish(machine)


@pytest.mark.parametrize("choice", EACH_COMPILER)
def test_the_start(job: Job, machine_factory: Callable[..., Machine], vqsan: Callable[..., Sanitizer], tmp_path: Path, choice: str) -> None:  # noqa: F811
    tree = tree_of_the_kernel(tmp_path)
    text = (tree / RING).read_text()
    assert COUNTED[0] in text
    cases: tuple[tuple[str, list[str], bool], ...] = (
        # variant, arguments for make, whether the loop is right
        ("-O2", ["START=4-slow-wheel"], False),
        ("counted", ["START=4-slow-wheel"], True),
        ("-O0", ["START=4-slow-wheel", "EXTRA_FLAGS=-O0"], True),
        ("solved", [], True),
    )
    for what, words, right in cases:
        (tree / RING).write_text(text.replace(COUNTED[0], COUNTED[1] + COUNTED[0]) if what == "counted" else text)
        make(tree, choice, *words, "BUILD=build", "build/kernel.elf")
        kernel = tmp_path / f"{what}.elf"
        shutil.copy2(tree / "build/kernel.elf", kernel)
        assert looks_in_each_turn(job, kernel) == right, f"{choice}, {what}: virtq_poll()'s loop"
        for cpus in (1, 2):
            report = run(machine_factory, vqsan("", kernel=kernel), kernel, cpus)
            loads = report.loads_per_turn("gpu")
            told = f"{choice}, {what}, {cpus} harts: {loads:.3f} loads of the index a turn; {report}"
            # A variant that still sleeps until the tick may do so on a busy host, even if its loop is right.
            found = [v for v in report.violations if what == "solved" or not v.asleep]
            assert {v.rule for v in found} == (set() if right else {"R7"}), told
            assert loads > 0.95 if right else loads < 0.05, told


def test_the_earlier_labs_get_full_marks(tmp_path: Path) -> None:
    """The fault at the start costs no point in labs 1 to 3: that is why nobody has noticed it."""
    for name in ("1-virtqueue", "2-disk", "3-gpu"):
        results = tmp_path / name
        lab_trees.make(
            ROOT, "grade", f"LAB={name}", "START=4-slow-wheel", f"RESULTS={results}", f"BUILD={tmp_path / 'build'}", seconds=600
        )
        found = lab_trees.graded(results)
        assert found["state"] == "complete" and found["score"] == found["possible"] > 0, f"{name}: {lab_trees.lost(found)}"


@pytest.mark.needs("sandbox")
def test_a_diagnosis_must_be_about_your_own_copy(job: Job, tmp_path: Path) -> None:
    """A right diagnosis of one handout, submitted by somebody with another handout, gets only part of the points."""
    lab = read_lab(ROOT / "labs/4-slow-wheel")
    for file in lab.files:
        (tmp_path / "s" / file).parent.mkdir(parents=True, exist_ok=True)
    lab_trees.put_reference(lab, tmp_path / "s")
    words = ["grade", f"LAB={lab.name}", f"SUBMISSION={tmp_path / 's'}", f"RESULTS={tmp_path / 'results'}", "ID=s43"]
    lab_trees.make(ROOT, *words, f"BUILD={job.build_for_make}", GRADE_CACHE=str(tmp_path / "cache"))
    found = lab_trees.graded(tmp_path / "results")
    status = {test["id"]: test["status"] for test in found["labs"][0]["tests"]}
    assert status.pop("diagnosis") == "PART" and set(status.values()) == {"PASS"}, lab_trees.lost(found)
    assert "not so for this build: pc" in lab_trees.lost(found)
