"""Reads the course from the files labs/*/lab.toml.

    title = "The virtqueue"
    hours = 10
    points = 25                     # the sum of the tests' points
    start = 0                       # the score of the unchanged handout, in points that students see
    files = ["kernel/virtio/virtqueue.c"]   # the files that the student edits and hands in
    depends = "0-tour"              # the lab before; "" for none
    given = []                      # files that `make next` never copies from a student's earlier lab
    docs = ["docs/architecture.md"] # more files or folders for the handouts of this and all later labs

    [[test]]
    id = "index-wraps"              # @pytest.mark.promise("index-wraps")
    title = "avail->idx counts on past 65,535"
    points = 2
    visible = "visible"             # or "after_due", or "hidden"
    spec = "VirtIO 1.2, 2.7.6"
    hint = "What type has avail_next?"

Required are `title`, `points` and the tests; each test needs `id`, `title` and `points`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grade import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # Debian 11, Ubuntu 22.04: python3-tomli

VISIBLE, AFTER_DUE, HIDDEN = "visible", "after_due", "hidden"


class CourseError(Exception):
    """A lab.toml is invalid, or there is no such lab. The text says which one and why."""


@dataclass(frozen=True)
class Promise:
    """A [[test]] in a lab.toml: something that the student's driver promises, and that tests check."""

    id: str
    title: str
    points: float
    visible: str = VISIBLE
    spec: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Lab:
    name: str  # the folder's name: "1-virtqueue"
    folder: Path
    title: str
    points: float
    hours: float = 0
    start: float = 0
    files: tuple[str, ...] = ()
    depends: str = ""
    given: tuple[str, ...] = ()
    docs: tuple[str, ...] = ()
    tests: tuple[Promise, ...] = field(default=())

    def promise(self, id: str) -> Promise:
        for test in self.tests:
            if test.id == id:
                return test
        raise CourseError(f"{self.folder / 'lab.toml'}: there is no test {id!r}")


def _take(kind: type, values: dict[str, Any], where: str, **fixed: Any) -> Any:
    """Makes a Lab or Promise from a TOML table. Raises CourseError if a key is unknown or a value has the wrong type."""
    known = kind.__dataclass_fields__  # type: ignore[attr-defined]
    for key, value in values.items():
        if key not in known or key in fixed:
            raise CourseError(f"{where}: unknown key {key!r}")
        wanted = known[key].type
        good = {
            "str": isinstance(value, str),
            "float": isinstance(value, (int, float)) and not isinstance(value, bool),
            "tuple[str, ...]": isinstance(value, list) and all(isinstance(item, str) for item in value),
        }[wanted]
        if not good:
            raise CourseError(f"{where}: {key} = {value!r} has the wrong type")
        fixed[key] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**fixed)
    except TypeError as error:
        raise CourseError(f"{where}: {str(error).split('() ')[-1]}") from None


def read_lab(folder: Path) -> Lab:
    where = folder / "lab.toml"
    try:
        table = tomllib.loads(where.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CourseError(f"{where}: {error}") from None
    tests = tuple(_take(Promise, entry, f"{where}, test {entry.get('id')!r}") for entry in table.pop("test", []))
    lab: Lab = _take(Lab, table, str(where), name=folder.name, folder=folder, tests=tests)
    ids = [test.id for test in tests]
    for test in tests:
        if test.visible not in (VISIBLE, AFTER_DUE, HIDDEN):
            raise CourseError(f"{where}, test {test.id!r}: visible = {test.visible!r}")
        if ids.count(test.id) > 1:
            raise CourseError(f"{where}: two tests have the id {test.id!r}")
    total = sum(test.points for test in tests)
    # A handout has no labs/start.mk, and no tests that students must not see.
    whole = (folder.parent / "start.mk").exists()
    if tests and (abs(total - lab.points) > 1e-6 if whole else total > lab.points + 1e-6):
        raise CourseError(f"{where}: points = {lab.points:g}, but the tests add up to {total:g}")
    return lab


def lab_names(root: Path = ROOT) -> list[str]:
    return sorted(path.parent.name for path in root.glob("labs/*/lab.toml"))


def find_lab(name: str, root: Path = ROOT) -> Lab:
    """Returns the lab with this folder name or number ("1-virtqueue" or "1"). Raises CourseError if there is none."""
    names = lab_names(root)
    for candidate in names:
        if name == candidate or name == candidate.split("-")[0]:
            return read_lab(root / "labs" / candidate)
    raise CourseError(f"LAB={name}: there is no such lab; choose one of: {', '.join(names) or '(there are no labs here)'}")


def all_labs(root: Path = ROOT) -> list[Lab]:
    return [read_lab(root / "labs" / name) for name in lab_names(root)]


def commit(root: Path = ROOT) -> str:
    """The commit of the tree, with a + if files have changed since. A handout, or a tree that `make gradescope` packed, is
    no clone of the course; for these it is the commit of the tree that they were made from."""
    for name in ("handout.mk", "grader.mk"):
        if (root / name).exists():
            match = re.search(r"^(?:HANDOUT|GRADER)_OF := (\S+)$", (root / name).read_text(), re.MULTILINE)
            return match.group(1) if match else "unknown"
    done = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return done.stdout.strip() or "unknown"
