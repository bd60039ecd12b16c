"""Every handout, built and graded from end to end with each compiler, and the way from one lab to the next."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from grade.course import ROOT, read_lab
from grade.handout import make_handout
from grade.tests.lab_trees import graded, graded_labs, lost, make, put_reference

pytestmark = pytest.mark.long

COMPILERS = {"gcc": "riscv64-unknown-elf-gcc", "clang": "clang"}


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", graded_labs())
def test_a_handout_scores_what_it_says(name: str, compiler: str, tmp_path: Path) -> None:
    """Without a warning; exactly its starting score as it is, full marks with the reference put back."""
    if not shutil.which(COMPILERS[compiler]):
        pytest.skip(f"{COMPILERS[compiler]} is not here")
    lab = read_lab(ROOT / "labs" / name)
    tree = tmp_path / "tree"
    make_handout(lab, tree, "s42")
    choice = ["CC=clang"] if compiler == "clang" else ["TOOLPREFIX=riscv64-unknown-elf-"]
    output = make(tree, "all", *choice, CI="1")
    assert "warning" not in output, output

    output = make(tree, "grade", *choice)
    untouched = graded(tree / "build/results")
    assert untouched["state"] == "complete" and untouched["score"] == lab.start, lost(untouched)
    assert f"{lab.start:g} of {untouched['possible']:g} points" in output
    earned = [test["id"] for test in untouched["labs"][0]["tests"] if test["status"] == "PASS"]
    assert not earned or lab.start, f"these hold before anything is written: {earned}"

    put_reference(lab, tree)
    make(tree, "grade", *choice)
    solved = graded(tree / "build/results")
    assert solved["state"] == "complete" and solved["score"] == solved["possible"], lost(solved)
    # Lab 0 has questions and no points; its answers are no file that we could put back.
    assert {test["status"] for test in solved["labs"][0]["tests"]} <= {"PASS", "LATER"} or not lab.points, lost(solved)


@pytest.mark.parametrize("earlier", ["mine", "object", "source"])
def test_going_on(earlier: str, tmp_path: Path) -> None:
    """From lab 1 to lab 2: the ring is there, in whichever way, so the kernel starts its random-number device."""
    mine, release, out = tmp_path / "mine", tmp_path / "release", tmp_path / "out"
    make_handout(read_lab(ROOT / "labs/1-virtqueue"), mine)
    put_reference(read_lab(ROOT / "labs/1-virtqueue"), mine)
    make_handout(read_lab(ROOT / "labs/2-disk"), release, earlier="object" if earlier == "object" else "source")
    make(mine, "next", "LAB=2-disk", f"RELEASE={release}", f"OUT={out}", f"EARLIER={earlier}")
    ring = (out / "kernel/virtio/virtqueue.c").read_text()
    assert ("lab_todo(" in ring) == (earlier == "object")
    assert (out / "given/kernel/virtio/virtqueue.c.o").exists() == (earlier == "object")
    make(out, "all")
    console = make(out, "qemu", "ARGS=root=initrd", stdin="hexdump -n 16 /dev/random\n", seconds=60)
    assert re.search(r"^0+ +[0-9a-f]{2}", console.replace("\r", ""), re.MULTILINE), console[-2000:]
    wrong = make(mine, "next", "LAB=2-disk", f"RELEASE={release}", f"OUT={tmp_path / 'x'}", "EARLIER=nonsense", status=2)
    assert "mine, object or source" in wrong
