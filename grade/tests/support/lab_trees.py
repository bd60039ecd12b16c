"""Shared by the tests of the labs: a small lab, make in a handout, and reading the results of grading."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job, clean_environment
from grade.marking.course import Lab, Promise, find_lab, lab_names, read_lab
from grade.staff.handout import resolve, solved_at

LAB = Lab(
    name="9-try",
    folder=Path("labs/9-try"),
    title="Try",
    points=4,
    files=("kernel/virtio/blk.c", "kernel/virtio/gpu.c"),
    tests=(
        Promise("a", "a holds", 2, spec="1.1", hint="look at a"),
        Promise("b", "b holds", 1, visible="hidden", hint="nobody sees this"),
        Promise("c", "c holds", 1, visible="after_due", hint="nor this"),
    ),
)


def make(tree: Path, *words: str, status: int = 0, seconds: float = 180, stdin: str = "", **variables: str) -> str:
    """Runs make in `tree` and returns its output. It is independent of the make and the pytest that run this test."""
    process = subprocess.Popen(
        ["make", *words],
        cwd=tree,
        env={**clean_environment("QEMU", "GDB", "CI"), "NO_COLOR": "1", **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        output = process.communicate(stdin, timeout=seconds * patience.scale())[0]
    except subprocess.TimeoutExpired:
        process.terminate()  # make stops its children
        output = process.communicate()[0]
        raise AssertionError(f"make {' '.join(words)} does not end; it printed:\n{output[-3000:]}") from None
    assert process.returncode == status, f"make {' '.join(words)}: status {process.returncode}\n{output[-3000:]}"
    return output


def graded(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "grade.json").read_text())


def lost(results: dict[str, Any]) -> str:
    """Says why the results are not full marks."""
    tests = [test for lab in results["labs"] for test in lab["tests"] if test["status"] in ("FAIL", "PART")]
    return results.get("reason", "") + "\n".join(f"{test['id']}: {test['seen'][:300]}" for test in tests)


def put_reference(lab: Lab, tree: Path, *choice: str) -> None:
    """Solves the lab in a fresh handout. `choice` selects a compiler (as in "CC=clang"): some answers depend on it."""
    everything = {name: True for name in solved_at()[lab.name]}
    facts = lab.folder / "staff_facts.py"
    if facts.exists():
        subprocess.run([sys.executable, facts, tree, *choice], env=Job.from_environment().environment(), check=True)
    for name in lab.files:
        if (ROOT / name).with_name(f"staff_{Path(name).name}").exists():
            continue  # staff_facts.py has written these answers
        (tree / name).write_text(resolve(ROOT / name, everything) or "")


def graded_labs() -> list[str]:
    return [name for name in lab_names() if read_lab(ROOT / "labs" / name).tests]


def submit(tree: Path, lab: str, results: Path, cache: Path) -> dict[str, Any]:
    """Grades `tree` as staff do, and returns the results."""
    job = Job.from_environment()
    words = ["grade", f"LAB={find_lab(lab).name}", f"SUBMISSION={tree}", f"RESULTS={results}"]
    make(ROOT, *words, f"BUILD={job.build_for_make}", GRADE_CACHE=str(cache))
    return graded(results)
