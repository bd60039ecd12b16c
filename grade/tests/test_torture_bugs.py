"""`make torture` finds bugs that we plant: each patch in grade/torture/bugs, and some of the labs' mutants, in a copy of
the tree.

The text before a patch says what is wrong, which suite of `make torture` must fail because of it, and what it prints:

    A commit sends no FLUSH.
    By: crashes:one             (as in `make torture TORTURE=crashes:one`)
    Says: it was synced         (a regular expression)
    Share: 0.05                 (as in `make torture SHARE=0.05`; optional)
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job
from grade.staff.mutants import apply, copy_tree, undo

BUGS = ROOT / "grade/torture/bugs"
SHARE = "0.02"
BUILT = {  # what to build for a suite; a unit test needs only itself
    "host": ["build/host/fscheck"],
    "crashes": ["all", "build/host/replay"],
    "faults": ["all"],
    "hostile": ["all"],
    "hostile:checking": ["all", "san"],
    "soak": ["all", "san"],
}


class Bug(NamedTuple):
    patch: Path
    by: str  # a suite of make torture, or the path of a unit test in the build
    says: str
    share: str = SHARE


def read_bug(patch: Path) -> Bug:
    fields = dict(re.findall(r"^(By|Says|Share): *(.*?) *$", patch.read_text().split("\n--- ", 1)[0], re.MULTILINE))
    return Bug(patch, fields["By"], fields["Says"], fields.get("Share", SHARE))


CASES = [read_bug(patch) for patch in sorted(BUGS.glob("*.patch"))] + [
    Bug(ROOT / "labs/1-virtqueue/mutants/no-second-look.patch", "host/virtqueue_test", "a lost wake-up"),
    Bug(ROOT / "labs/2-disk/mutants/flush-is-write.patch", "crashes:one", "LOST", "0.1"),
]


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    job = Job.from_environment()
    return subprocess.run(
        command,
        cwd=tree,
        env=dataclasses.replace(job, build=ROOT / "build").environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=600 * patience.scale(),
    )


def build_in(tree: Path, targets: list[str]) -> None:
    done = run(tree, "make", *Job.from_environment().same_compiler, "CI=", *targets)
    assert done.returncode == 0, done.stdout[-2000:]


def look(tree: Path, bug: Bug, seed: int) -> subprocess.CompletedProcess[str]:
    if bug.by.startswith("host/"):
        return run(tree, f"build/{bug.by}")
    return run(tree, sys.executable, "-m", "grade.torture.main", "--share", bug.share, "--seed", str(seed), bug.by)


@pytest.fixture(scope="module")
def tree(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("planted") / "tree"
    copy_tree(job, tree)
    return tree


@pytest.mark.long
@pytest.mark.xdist_group("planted bugs")
@pytest.mark.parametrize("bug", CASES, ids=[bug.patch.stem for bug in CASES])
def test_planted_bug_is_found(tree: Path, bug: Bug, seed: int) -> None:
    changed = apply(bug.patch, tree)
    try:
        build_in(tree, BUILT.get(bug.by) or BUILT.get(bug.by.partition(":")[0]) or [f"build/{bug.by}"])
        done = look(tree, bug, seed)
    finally:
        undo(changed, tree)
    assert done.returncode != 0, f"not found with seed {seed}:\n{done.stdout[-2000:]}"
    assert re.search(bug.says, done.stdout), f"with seed {seed} it says:\n{done.stdout[-4000:]}"
