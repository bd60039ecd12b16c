"""The labs from end to end: every handout is built and graded, submissions that cheat, mutants. All of it is long."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from grade.course import ROOT, Lab, lab_names, read_lab
from grade.handout import make_handout, resolve, solved_at

pytestmark = pytest.mark.long

COMPILERS = {"gcc": "riscv64-unknown-elf-gcc", "clang": "clang"}


def make(tree: Path, *words: str, status: int = 0, **variables: str) -> str:
    """Runs make there, by itself: not as a part of the make that may run us."""
    mine = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD", "QEMU", "GDB", "CI")
    environment = {key: value for key, value in os.environ.items() if key not in mine}
    done = subprocess.run(
        ["make", *words],
        cwd=tree,
        env={**environment, "NO_COLOR": "1", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert done.returncode == status, f"make {' '.join(words)}: status {done.returncode}\n{done.stdout[-3000:]}"
    return done.stdout


def graded(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "grade.json").read_text())


def lost(results: dict[str, Any]) -> str:
    tests = [test for lab in results["labs"] for test in lab["tests"] if test["status"] in ("FAIL", "PART")]
    return "\n".join(f"{test['id']}: {test['seen'][:300]}" for test in tests)


def put_reference(lab: Lab, tree: Path) -> None:
    everything = {name: True for name in solved_at()[lab.name]}
    for name in lab.files:
        (tree / name).write_text(resolve(ROOT / name, everything) or "")


def graded_labs() -> list[str]:
    return [name for name in lab_names() if read_lab(ROOT / "labs" / name).tests]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", graded_labs())
def test_a_handout_scores_what_it_says(name: str, compiler: str, tmp_path: Path) -> None:
    if not shutil.which(COMPILERS[compiler]):
        pytest.skip(f"{COMPILERS[compiler]} is not here")
    lab = read_lab(ROOT / "labs" / name)
    tree = tmp_path / "tree"
    make_handout(lab, tree, "s42")
    choice = ["CC=clang"] if compiler == "clang" else ["TOOLPREFIX=riscv64-unknown-elf-"]
    output = make(tree, "all", *choice, CI="1")
    assert "warning" not in output, output
    make(tree, "grade", f"LAB={name}", *choice)
    untouched = graded(tree / "build/results")
    assert untouched["state"] == "complete" and untouched["score"] == lab.start, lost(untouched)
    put_reference(lab, tree)
    make(tree, "grade", f"LAB={name}", *choice)
    solved = graded(tree / "build/results")
    assert solved["score"] == solved["possible"] > 0 or lab.points == 0, lost(solved)


@pytest.mark.parametrize("earlier", ["mine", "object", "source"])
def test_going_on(earlier: str, tmp_path: Path) -> None:
    """From lab 1 to lab 2: the ring is there, in whichever way, so the kernel starts its random-number device."""
    if not {"1-virtqueue", "2-disk"} <= set(lab_names()):
        pytest.skip("labs 1 and 2 are not there yet")
    mine, release, out = tmp_path / "mine", tmp_path / "release", tmp_path / "out"
    make_handout(read_lab(ROOT / "labs/1-virtqueue"), mine)
    put_reference(read_lab(ROOT / "labs/1-virtqueue"), mine)
    make_handout(read_lab(ROOT / "labs/2-disk"), release, earlier="object" if earlier == "object" else "source")
    make(mine, "next", "LAB=2-disk", f"RELEASE={release}", f"OUT={out}", f"EARLIER={earlier}")
    ring = (out / "kernel/virtio/virtqueue.c").read_text()
    assert ("is yours to write" in ring or "lab_todo(" in ring) == (earlier == "object")
    assert (out / "given/kernel/virtio/virtqueue.c.o").exists() == (earlier == "object")
    make(out, "all")
    done = subprocess.run(
        ["make", "qemu", "ARGS=root=initrd"], cwd=out, input="hexdump /dev/random | head -n 1\n", capture_output=True, text=True
    )
    assert re.search(r"^0+ +[0-9a-f]{2}", done.stdout.replace("\r", ""), re.MULTILINE), done.stdout[-2000:]
    wrong = make(mine, "next", "LAB=2-disk", f"RELEASE={release}", f"OUT={tmp_path / 'x'}", "EARLIER=nonsense", status=2)
    assert "mine, object or source" in wrong


# ---- submissions ----


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grade-cache")


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """What a student is given for lab 1, to forge upon."""
    if "1-virtqueue" not in graded_labs():
        pytest.skip("lab 1 is not there yet")
    tree = tmp_path / "start"
    make_handout(read_lab(ROOT / "labs/1-virtqueue"), tree, git=False)
    return tree


def submit(tree: Path, results: Path, cache: Path) -> dict[str, Any]:
    words = ["grade", "LAB=1-virtqueue", f"SUBMISSION={tree}", f"RESULTS={results}"]
    build = os.environ.get("BUILD", "build")
    make(ROOT, *words, f"BUILD={build}", GRADE_CACHE=str(cache))
    return graded(results)


RING, REGISTERS = "kernel/virtio/virtqueue.c", "kernel/virtio/mmio.c"


def test_the_reference_gets_full_marks(start: Path, tmp_path: Path, cache: Path) -> None:
    put_reference(read_lab(ROOT / "labs/1-virtqueue"), start)
    found = submit(start, tmp_path / "results", cache)
    assert found["score"] == found["points"], lost(found)


FORGERIES = {
    # It says that all is well and ends the machine with success.
    "prints": (REGISTERS, "int virtio_negotiate(", """
#include "kernel/boot/boot.h"
static void forge(void) { kprintf("ALL TESTS PASSED\\n$ "); sbi_shutdown(); }
"""),
    # It prints what QEMU's trace would hold.
    "imitates the trace": (REGISTERS, "int virtio_negotiate(", """
static void forge(void)
{
    for (unsigned status = 0; status < 16; status = status * 2 + 1)
        kprintf("virtio_mmio_write_offset virtio_mmio_write offset 0x70 value 0x%x\\n", status);
    kprintf("$ ");
}
"""),
    # Where the unit tests run, it ends them before they begin.
    "ends the tests": (RING, "", """
#ifndef RINGFENCE_KERNEL
extern int printf(const char *, ...);
extern void _exit(int);
__attribute__((constructor)) static void forge(void) { printf("PASS\\nall tests passed\\n"); _exit(0); }
#endif
"""),
    # It takes the place of what the unit tests report failures by.
    "stands in for the library": (RING, "", """
#ifndef RINGFENCE_KERNEL
int printf(const char *format, ...) { return format == 0; }
void exit(int status) { (void)status; for (;;) ; }
#endif
"""),
    # It looks for the solution on the disk of whoever grades.
    "includes the solution": (RING, "", f'\n#include "{ROOT}/kernel/virtio/virtqueue.c"\n'),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_gets_no_point(name: str, start: Path, tmp_path: Path, cache: Path) -> None:
    file, call_from, code = FORGERIES[name]
    path = start / file
    text = path.read_text()
    if call_from:
        at = text.index(call_from)
        body = text.index("{", at) + 1
        text = text[:at] + code + text[at:body] + "\n    forge();" + text[body:]
    else:
        text += code
    path.write_text(text)
    found = submit(start, tmp_path / "results", cache)
    assert found["score"] == 0, [test["id"] for test in found["labs"][0]["tests"] if test["score"]]
    # Graded and found wanting, or refused for what it tries; never because the grader could not.
    refused = re.search(r"does what no driver has to do|does not build", found.get("reason", ""))
    assert found["state"] == "complete" if call_from else refused, found.get("reason")


def test_other_files_of_a_submission_count_for_nothing(start: Path, tmp_path: Path, cache: Path) -> None:
    """A grader, tests, a Makefile and programs of the student's own."""
    (start / "grade/score.py").write_text("print('full marks')\n")
    (start / "Makefile").write_text("all grade:\n\t@echo full marks\n")
    for path in start.glob("labs/1-virtqueue/test_*.py"):
        path.write_text("def test_nothing(): pass\n")
    for path in (start / "labs/1-virtqueue/host").glob("*.c"):
        path.write_text('#include <stdio.h>\nint main(void) { puts("all tests passed"); return 0; }\n')
    found = submit(start, tmp_path / "results", cache)
    assert found["state"] == "complete" and found["score"] == 0


def test_what_does_not_compile_is_told_so(start: Path, tmp_path: Path, cache: Path) -> None:
    (start / RING).write_text("int virtq_init(struct virtq *q\n")
    found = submit(start, tmp_path / "results", cache)
    assert found["score"] == 0 and "does not build" in found["reason"] and "virtqueue.c:" in found["reason"]


def test_mutants() -> None:
    make(ROOT, "mutants", f"BUILD={os.environ.get('BUILD', 'build')}")
