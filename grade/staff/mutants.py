"""make mutants [LAB=] [ONLY=] [VERDICTS=folder] [CC=clang | TOOLPREFIX=]: tests the labs' tests.

A mutant (labs/*/mutants/*.patch) is a wrong solution. It must fail exactly the test that it names, with the message that it
names. A variant (labs/*/variants/) is a right solution that differs from ours. It must get full marks, and so must the
unchanged tree. A variant is a patch, or a folder of complete files to copy over the tree. Patches are for `patch -p1`. The
text before the patch is its head:

    What the student did, in one sentence.
    Test: index-wraps
    Says: slot 256 of 256            (a regular expression that must match the failure)
    With: other, another             (optional: tests that build on the first, and must fail with it)

Each case runs in a copy of the tree, up to two at the same time. VERDICTS names a folder that stores which cases had the
right verdict, under a digest of everything that the verdict depends on. We do not grade such a case again until something
in that digest changes.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from grade import ROOT
from grade.machine.job import Job
from grade.marking.course import CourseError, Lab, all_labs, find_lab, lab_names
from grade.marking.results import COMPLETE, PASS, Results, read_results
from grade.staff.handout import tree_files

WORKERS = max(1, min(2, len(os.sched_getaffinity(0))))


@dataclass(frozen=True)
class Case:
    lab: Lab
    patch: Optional[Path]  # or a folder of files; None: the unchanged tree
    test: str = ""  # the test that must fail; "": none may fail
    says: str = ""  # a regular expression that must match the failure
    along: tuple[str, ...] = ()  # the tests that must fail with it

    @property
    def name(self) -> str:
        return f"{self.lab.name}/{self.patch.parent.name}/{self.patch.stem}" if self.patch else f"{self.lab.name}/as it is"


def read_case(lab: Lab, patch: Path) -> Case:
    if patch.is_dir():
        return Case(lab, patch)
    head = re.split(r"^(?:diff |--- )", patch.read_text(encoding="utf-8"), maxsplit=1, flags=re.MULTILINE)[0]
    fields = dict(re.findall(r"^(Test|Says|With): *(.*?) *$", head, re.MULTILINE))
    along = tuple(re.findall(r"[^\s,]+", fields.get("With", "")))
    case = Case(lab, patch, fields.get("Test", ""), fields.get("Says", ""), along)
    if patch.parent.name == "mutants":
        if not case.test or not case.says:
            raise CourseError(f"{patch}: a mutant's head needs Test: and Says:")
        for id in (case.test, *case.along):
            lab.promise(id)
        re.compile(case.says)
    elif case.test:
        raise CourseError(f"{patch}: a variant must not name a test")
    return case


def find_cases(labs: list[Lab], only: str) -> list[Case]:
    cases = []
    for lab in labs:
        mine = [Case(lab, None)]
        mine += [read_case(lab, patch) for patch in sorted(lab.folder.glob("mutants/*.patch"))]
        variants = sorted(lab.folder.glob("variants/*"))
        mine += [read_case(lab, variant) for variant in variants if variant.is_dir() or variant.suffix == ".patch"]
        if len(mine) > 1:
            cases += [case for case in mine if only in case.name]
    return cases


# ---- copies of the tree ----


def copy_tree(job: Job, target: Path) -> None:
    for name in tree_files(ROOT):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)
    skip = {*lab_names(), "results", "matrix"}

    def ignored(where: str, names: list[str]) -> list[str]:
        """Skips other builds inside this build's directory, and sockets of running machines."""
        top = Path(where) == job.build
        return [n for n in names if n.endswith(".sock") or (top and (n in skip or n.startswith("ci-")))]

    shutil.copytree(job.build, target / "build", symlinks=True, ignore=ignored)


def grade(job: Job, tree: Path, lab: Lab) -> Results:
    """Marks the lab in a copy of the tree, with the build in its build/. Raises RuntimeError if marking fails."""
    job = dataclasses.replace(job, build=ROOT / "build", choice=tuple(job.same_compiler))
    # Without CI: there a warning is an error, but a student may have warnings.
    done = subprocess.run(
        [sys.executable, "-m", "grade.marking.mark", "--lab", lab.name],
        cwd=tree,
        env={**job.environment(), "NO_COLOR": "1", "CI": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    found = tree / "build/results/grade.json"
    if done.returncode != 0 or not found.exists():
        raise RuntimeError(f"grading failed:\n{done.stdout[-2000:]}")
    return read_results(found)


def apply(patch: Path, tree: Path) -> list[str]:
    """Applies a patch or copies a folder. Returns the names of the files that changed."""
    if patch.is_dir():
        names = [str(found.relative_to(patch)) for found in sorted(patch.rglob("*")) if found.is_file()]
        for name in names:
            shutil.copyfile(patch / name, tree / name)
        return names
    done = subprocess.run(
        ["patch", "-p1", "--batch", "--no-backup-if-mismatch", "-r", "-", "-i", str(patch)],
        cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"the patch does not apply:\n{done.stdout}")
    return re.findall(r"^patching file '?([^'\n]+?)'?$", done.stdout, re.MULTILINE)


def undo(names: list[str], tree: Path) -> None:
    for name in names:
        if (ROOT / name).exists():
            shutil.copyfile(ROOT / name, tree / name)  # gives it a new time, so make compiles it again
        else:
            (tree / name).unlink(missing_ok=True)


# ---- the verdict ----


def judge(case: Case, results: Results) -> str:
    """Returns what is wrong with the grading of this case, or "" if it is right."""
    if results.state != COMPLETE:
        return f"not graded: {results.reason}"
    tests = {promise.id: promise for lab in results.labs for promise in lab.promises}
    lost = [id for id, test in tests.items() if test.status != PASS]
    if not case.test:
        return "" if not lost else "loses " + "; ".join(f"{id} ({tests[id].explanation.seen[:120]})" for id in lost)
    if case.test not in lost:
        return f"{case.test} passes" + (f"; these fail: {', '.join(lost)}" if lost else ", and so do all others")
    more = [id for id in lost if id not in (case.test, *case.along)]
    if more:
        return f"also fails {', '.join(more)}"
    kept = [id for id in case.along if id not in lost]
    if kept:
        return f"passes {', '.join(kept)}, which builds on {case.test}"
    failed = tests[case.test].explanation
    message = f"{failed.promised}\n{failed.seen}\n{failed.look}"
    if not re.search(case.says, message):
        return f"{case.test} does not say {case.says!r} but:\n{message}"
    return ""


# ---- stored verdicts ----

# Grading does not read these, except for the case itself.
UNREAD = re.compile(r"docs/|\.ci/|grade/(tests|torture)/|labs/[^/]+/(mutants|variants)/")


@functools.lru_cache(maxsize=None)
def _digest_of_all(tools: tuple[str, ...]) -> str:
    """A digest of everything that all verdicts depend on: the tree without UNREAD, and the tools."""
    digest = hashlib.sha256()
    for name in tree_files(ROOT):
        if not UNREAD.match(name):
            digest.update(name.encode() + b"\0" + hashlib.sha256((ROOT / name).read_bytes()).digest())
    for tool in [*([tool] for tool in tools), [sys.executable], [sys.executable, "-m", "pytest"]]:
        done = subprocess.run([*tool, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        digest.update(done.stdout + b"\0")
    return digest.hexdigest()


def verdict_file(folder: Path, case: Case, tools: tuple[str, ...]) -> Path:
    """The file that exists if this case, in this tree, had the right verdict."""
    digest = hashlib.sha256(f"{case.name} {_digest_of_all(tools)}".encode())
    if case.patch:
        for path in sorted(case.patch.rglob("*")) if case.patch.is_dir() else [case.patch]:
            if path.is_file():
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return folder / digest.hexdigest()


# ---- all of them ----


def run_all(job: Job, cases: list[Case], known: Optional[Path], tools: list[str]) -> list[tuple[Case, str]]:
    every = (job.compiler, job.qemu, *tools)
    waiting: queue.SimpleQueue[Case] = queue.SimpleQueue()
    verdicts: dict[Case, str] = {}
    for case in cases:
        if known and verdict_file(known, case, every).exists():
            verdicts[case] = ""
        else:
            waiting.put(case)
    if verdicts:
        print(f"skipping {len(verdicts)} of {len(cases)} cases: right before, and nothing has changed since", flush=True)
    lock = threading.Lock()

    def work(tree: Path) -> None:
        copy_tree(job, tree)
        while True:
            try:
                case = waiting.get_nowait()
            except queue.Empty:
                return
            note = verdict_file(known, case, every) if known else None
            try:
                changed = apply(case.patch, tree) if case.patch else []
                verdict = judge(case, grade(job, tree, case.lab))
            except (RuntimeError, OSError, ValueError) as error:
                verdict, changed = str(error), tree_files(ROOT)
            undo(changed, tree)
            with lock:
                verdicts[case] = verdict
                if note and not verdict:
                    note.touch()
                expected = f"loses {case.test}" if case.test else "full marks"
                print(f"{'ok   ' if not verdict else 'WRONG'} {case.name:56} {expected}", flush=True)
                if verdict:
                    print("      " + verdict.replace("\n", "\n      "), flush=True)

    with tempfile.TemporaryDirectory(prefix="ringfence-mutants-") as scratch:
        threads = [threading.Thread(target=work, args=(Path(scratch) / str(n),)) for n in range(min(WORKERS, waiting.qsize()))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [(case, verdicts.get(case, "not run")) for case in cases]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--verdicts", default="", metavar="FOLDER", help="store right verdicts here, and skip their cases")
    parser.add_argument("tools", nargs="*", help="more tools that verdicts depend on, such as the linker")
    given = parser.parse_args()
    try:
        cases = find_cases([find_lab(given.lab)] if given.lab else all_labs(), given.only)
    except (CourseError, re.error) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    if not cases:
        print("mutants: no case has that name", file=sys.stderr)
        return 2
    known = Path(given.verdicts) if given.verdicts else None
    if known:
        known.mkdir(parents=True, exist_ok=True)
    wrong = [case for case, verdict in run_all(Job.from_environment(), cases, known, given.tools) if verdict]
    print(f"{len(cases) - len(wrong)} of {len(cases)} have the right verdict")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
