"""What is true of the kernel that a student was given: the answers that differ from build to build.

    staff_facts.py TREE [MAKE-VARIABLES...]    fills in TREE's diagnosis and notebook

TREE is a handout that is as it was made, or a submission to the one without an ID, which holds no more than its files.
"""

from __future__ import annotations

import dataclasses
import json
import re
import string
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from grade import ROOT
from grade.explore.loop import Function, disassemble
from grade.machine.job import Job, clean_environment
from grade.marking.course import read_lab
from grade.staff.handout import make_handout

HERE = Path(__file__).resolve().parent
RING = "kernel/virtio/virtqueue.c"
LEVELS = ("-O0", "-O1", "-O2")
COPIES = re.compile(r"^(?:c\.)?(?:mv|sext\.[hw]|zext\.[hw]|and|andi|sll|slli|srl|srli|addw|sext)$")


@dataclass(frozen=True)
class Facts:
    pc: int  # of the load before the loop
    places: tuple[str, ...]  # registers that hold what it has loaded; the last one is compared
    levels: tuple[str, ...]


def looks_in_each_turn(function: Function) -> bool:
    """The loop loads from a ring, or calls somebody who does."""
    return any(each.shared or each.calls for body in function.loops() for each in body)


def _stale_load(function: Function) -> tuple[int, tuple[str, ...]]:
    inside = {each.address for body in function.loops() for each in body}
    loads = [i for i, each in enumerate(function.code) if each.shared and each.address not in inside]
    if not loads:
        raise LookupError(f"{function.name} loads nothing from a ring before its loop: this is not the start of lab 4")
    places = [function.code[loads[0]].operands[0]]
    for each in function.code[loads[0] + 1 :]:
        if each.address in inside:
            break
        if COPIES.match(each.name) and len(each.operands) > 1 and each.operands[1] in places:
            places.append(each.operands[0])
    return function.code[loads[0]].address, tuple(places)


def facts(job: Job, tree: Path, variables: list[str], scratch: Path) -> Facts:
    """Of a tree as handed out (or of ours, with START= among make's variables). Builds in `scratch`, which may be kept for
    the next time. Raises LookupError if the tree is not as it was handed out."""

    def make(build: Path, target: str, *more: str) -> Path:
        words = ["make", f"BUILD={build}", f"{build}/{target}", *variables, *more]
        done = subprocess.run(words, cwd=tree, env=clean_environment("CI"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
        if done.returncode != 0:
            raise LookupError(f"the kernel as handed out does not build:\n{done.stdout[-2000:]}")
        return build / target

    pc, places = _stale_load(disassemble(job, make(scratch / "start", "kernel.elf"), "virtq_poll"))
    slow = []
    for level in LEVELS:
        ring = make(scratch / level[1:], f"{RING}.o", f"EXTRA_FLAGS={level}")
        if not looks_in_each_turn(disassemble(job, ring, "virtq_poll")):
            slow.append(level)
    return Facts(pc, places, tuple(slow))


def of_this_run(job: Job) -> Facts:
    """Of what a submission was handed out as, or of the start of this tree."""
    if not job.handout:
        return facts(job, ROOT, [f"START={HERE.name}", *job.same_compiler], job.build / "lab4-start")
    with tempfile.TemporaryDirectory(prefix="ringfence-facts-") as scratch:
        return facts(job, job.handout, job.same_compiler, Path(scratch))


def filled_in(text: str, known: Facts) -> str:
    """staff_diagnosis.toml for that build; a student's is not changed."""
    values = {"pc": hex(known.pc), "place": known.places[-1], "levels": json.dumps(list(known.levels))}
    return string.Template(text).safe_substitute(values)


def main() -> int:
    tree, variables = Path(sys.argv[1]), sys.argv[2:]
    job = dataclasses.replace(Job.from_environment(), choice=tuple(variables))
    with tempfile.TemporaryDirectory(prefix="ringfence-facts-") as scratch:
        given = tree
        if not (tree / "Makefile").exists():
            given = Path(scratch) / "handout"
            make_handout(job, read_lab(HERE), given, git=False)
        text = filled_in((HERE / "staff_diagnosis.toml").read_text(encoding="utf-8"), facts(job, given, variables, Path(scratch)))
    target = tree / "labs" / HERE.name
    (target / "diagnosis.toml").write_text(text, encoding="utf-8")
    (target / "notebook.md").write_bytes((HERE / "staff_notebook.md").read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
