"""Builds and grades every handout from end to end with each compiler, and takes the step from one lab to the next."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job, clean_environment
from grade.marking.course import read_lab
from grade.staff.handout import make_handout
from grade.tests.support.lab_trees import graded, graded_labs, lost, make, put_reference

pytestmark = pytest.mark.long

# For each compiler: the command that must exist, and the arguments for make. One GCC, by any of its names, and clang.
PREFIXES = ("riscv64-unknown-elf-", "riscv64-linux-gnu-", "riscv64-elf-")
GCC = next((prefix for prefix in PREFIXES if shutil.which(f"{prefix}gcc")), PREFIXES[0])
COMPILERS = {"gcc": (f"{GCC}gcc", ["CC=", f"TOOLPREFIX={GCC}"]), "clang": ("clang", ["CC=clang"])}


@pytest.mark.parametrize("compiler", [pytest.param(name, marks=pytest.mark.needs(tool)) for name, (tool, _) in COMPILERS.items()])
@pytest.mark.parametrize("name", graded_labs())
def test_a_handout_gets_its_starting_score_and_then_full_marks(job: Job, name: str, compiler: str, tmp_path: Path) -> None:
    """A handout builds without a warning. Untouched, it gets exactly its starting score; with the reference solution, full
    marks."""
    choice = COMPILERS[compiler][1]
    lab = read_lab(ROOT / "labs" / name)
    tree = tmp_path / "tree"
    make_handout(job, lab, tree, "s42")
    output = make(tree, "all", *choice, CI="1")
    assert "warning" not in output, output

    output = make(tree, "grade", *choice)
    untouched = graded(tree / "build/results")
    assert untouched["state"] == "complete" and untouched["score"] == lab.start, lost(untouched)
    assert f"{lab.start:g} of {untouched['possible']:g} points" in output
    earned = [test["id"] for test in untouched["labs"][0]["tests"] if test["status"] == "PASS"]
    assert not earned or lab.start, f"these tests pass before the student writes anything: {earned}"

    put_reference(lab, tree, *choice)
    make(tree, "grade", *choice)
    solved = graded(tree / "build/results")
    assert solved["state"] == "complete" and solved["score"] == solved["possible"], lost(solved)
    # Lab 0 asks questions, which the next test answers.
    assert {test["status"] for test in solved["labs"][0]["tests"]} <= {"PASS", "LATER"} or not lab.points, lost(solved)


# Runs in a handout. Finds the answers with GDB and the monitor, as the tour says; lab 0's own tests use QEMU's trace.
ANSWERS = """
import re
from grade.machine.gdb import run_gdb
from grade.machine.job import Job
from grade.machine.machine import Machine
job = Job.from_environment()
with Machine(job) as machine:
    shown = machine.run("vqstat -d fbtest bars")
    row = {line.split("  ")[0]: line.split()[-3:] for line in shown.splitlines()}
    tree = machine.monitor("info qtree").split("dev: virtio-mmio")
    registers = next(re.search(r"mmio ([0-9a-f]{16})/", slot)[1] for slot in tree if "virtio-blk-device" in slot)
with Machine(job, gdb=True, shell=False) as machine:
    commands = ["info address poll_used", "break read_super", "continue", "print blk.queue.virtq.used"]
    commands += ["python gdb.execute('monitor gva2gpa %d' % int(gdb.parse_and_eval('blk.queue.virtq.used')))", "kill"]
    text = run_gdb(machine, commands)
print("disk_registers = 0x" + registers)
print("handshake = [1, 3, 11, 15]")
print("rng_queue_size =", row["descriptors"][2])
print("bars_kicks =", row["kicks"][0])
print("poll_used =", re.search(r"is a function at address (0x[0-9a-f]+)", text)[1])
print("disk_used_ring =", re.search(r"gpa: (0x[0-9a-f]+)", text)[1])
"""


def test_the_tour_can_be_answered(job: Job, tmp_path: Path) -> None:
    lab = read_lab(ROOT / "labs/0-tour")
    make_handout(job, lab, tmp_path / "tree", "s42")
    make(tmp_path / "tree", "all")
    done = subprocess.run(
        [sys.executable, "-c", ANSWERS],
        cwd=tmp_path / "tree",
        env={**clean_environment(), "BUILD": "build", "PYTHONPATH": str(tmp_path / "tree")},
        stdout=subprocess.PIPE,
        text=True,
        timeout=600 * patience.scale(),
    )
    (tmp_path / "tree" / lab.files[0]).write_text(done.stdout)
    make(tmp_path / "tree", "grade")
    found = graded(tmp_path / "tree/build/results")
    assert [test["status"] for test in found["labs"][0]["tests"]] == ["PASS"] * len(lab.tests), f"{lost(found)}\n{done.stdout}"


@pytest.mark.parametrize("earlier", ["mine", "object", "source"])
def test_the_step_to_the_next_lab(job: Job, earlier: str, tmp_path: Path) -> None:
    """From lab 1 to lab 2: each way brings a working ring, so the kernel starts its random-number device."""
    mine, release, out = tmp_path / "mine", tmp_path / "release", tmp_path / "out"
    make_handout(job, read_lab(ROOT / "labs/1-virtqueue"), mine)
    put_reference(read_lab(ROOT / "labs/1-virtqueue"), mine)
    make_handout(job, read_lab(ROOT / "labs/2-disk"), release, earlier="object" if earlier == "object" else "source")
    make(mine, "next", "LAB=2-disk", f"RELEASE={release}", f"OUT={out}", f"EARLIER={earlier}")
    ring = (out / "kernel/virtio/virtqueue.c").read_text()
    assert ("lab_todo(" in ring) == (earlier == "object")
    assert (out / "given/kernel/virtio/virtqueue.c.o").exists() == (earlier == "object")
    make(out, "all")
    console = make(out, "qemu", "ARGS=root=initrd", stdin="hexdump -n 16 /dev/random\n", seconds=60)
    assert re.search(r"^0+ +[0-9a-f]{2}", console.replace("\r", ""), re.MULTILINE), console[-2000:]
    wrong = make(mine, "next", "LAB=2-disk", f"RELEASE={release}", f"OUT={tmp_path / 'x'}", "EARLIER=nonsense", status=2)
    assert "mine, object or source" in wrong
