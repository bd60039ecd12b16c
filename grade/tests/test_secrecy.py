"""Lab 4 keeps its secret: before its deadline, nothing that a student has says what is wrong with the wheel.

Checks the handouts of labs 0 to 4, including everything in them that the grader and the tools can print.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grade import ROOT
from grade.machine.job import Job
from grade.marking.course import lab_names, read_lab
from grade.staff.handout import make_handout

BEFORE = [name for name in lab_names() if name <= "4-slow-wheel"]

# Phrases that give the secret away: the fault, where it is, its fix, and the story behind it.
GIVEAWAYS = [
    r"\bhoist",
    r"\bstale[\s_-]*(?:index|idx|value|element|load|copy|register|recheck|re-check)",
    r"loop[\s-]invariant",
    r"(?:moves?|moved|takes?|took|taken|lifts?|lifted) (?:it |the load |the read |used->idx )?(?:up and )?out of (?:the|its|that) loop",
    r"(?:kept|keeps?|held|holds?|cached|lives?|stays?|sits?|copy|loaded once) (?:\w+ ){0,3}(?:in|into) a (?:\w+ )?register",
    r"register (?:is|was|that is) (?:stale|old|compared)",
    r"compar\w+ (?:with )?a register",
    r"load(?:s|ed)? (?:it |used->idx )?(?:only )?once,? before the loop",
    r"(?:the|a) compiler (?:took|takes|has taken|moved|moves|may move|may take|optimi[sz]e[sd]) (?:the|it)",
    r"optimi[sz]e[sd]? (?:the load|it) away",
    r"used->idx is (?:a )?(?:plain|not volatile|ordinary)",
    r"plain load",
    r"(?:barrier|fence) (?:\w+ ){0,4}(?:back )?(?:to )?before the (?:read|load|index|comparison)",
    r"SlopOS|SeaBIOS|rcore|DPDK|Firecracker",
    r"docs/stale",
]
TELLING = re.compile("|".join(GIVEAWAYS), re.IGNORECASE)

# Words that no file name in these handouts may contain, and words that are allowed only from lab 4 on.
NEVER = ("docs/ordering.md", "docs/stale-index.md", "selftest", "experiments", "staff", "mutants", "variants", "grade/tests")
FROM_LAB_4 = ("vqsan", "grade/explore", "grade/plugins", "gdb_index", "sanitizer")


def giveaways(text: str) -> list[str]:
    """Finds these phrases even if line breaks or comment signs split them."""
    flat = re.sub(r"\s*\n[\s/#*]*", " ", text)
    return [flat[max(0, m.start() - 60) : m.end() + 60] for m in TELLING.finditer(flat)]


def files(tree: Path) -> list[Path]:
    return [path for path in sorted(tree.rglob("*")) if path.is_file() and ".git" not in path.relative_to(tree).parts]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] if name[0] == "0" else []) for name in BEFORE])
def test_no_handout_gives_the_secret_away(job: Job, name: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    make_handout(job, read_lab(ROOT / "labs" / name), tree)
    told = {
        str(path.relative_to(tree)): found
        for path in files(tree)
        if (found := giveaways(path.read_bytes().decode("utf-8", "replace")))  # object files contain names and strings too
    }
    assert not told, told
    names = [path.relative_to(tree).as_posix() for path in files(tree)]
    assert f"labs/{name}/lab.toml" in names
    for word in NEVER + (FROM_LAB_4 if name < "4" else ()):
        assert not [each for each in names if word in each], f"{name}: {word}"


def test_the_ring_of_labs_3_and_4_is_the_same(job: Job, tmp_path: Path) -> None:
    """Comparing the handouts reveals nothing: the fault has been there since lab 2, without effect."""
    for name in ("2-disk", "3-gpu", "4-slow-wheel"):
        make_handout(job, read_lab(ROOT / "labs" / name), tmp_path / name, git=False)
    for file in ("virtqueue.c", "virtqueue.h", "queue.c", "barrier.h"):
        texts = {(tmp_path / name / "kernel/virtio" / file).read_text() for name in ("2-disk", "3-gpu", "4-slow-wheel")}
        assert len(texts) == 1, f"{file} is not the same in the handouts of labs 2, 3 and 4"


@pytest.mark.parametrize(
    "text",
    [
        "the load was hoisted out of the loop",
        "a stale index",
        "// The compiler keeps the index in a\n// register",
        "the compiler moved it",
        "so the fence goes back to before the read",
        "used->idx is a plain load",
    ],
)
def test_giveaways_are_found(text: str) -> None:
    assert giveaways(f"int x; // {text}, as it were")
