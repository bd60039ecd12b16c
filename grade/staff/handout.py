"""make handout LAB=2-disk OUT=dir [ID=...] [EARLIER=source|object]: makes a handout, the tree that students get for a lab.

unifdef keeps or removes each solution, as START=LAB does. A handout gets whole folders: the kernel, the programs, the
image tools, the folders of grade/ that every student uses, those that lab.toml adds (`docs`), and the labs up to this one
without mutants, variants, and hidden tests. If you add a file in another folder, students do not get it.

ID changes small things: queue sizes, the height of a band, the link order. The same ID gives the same handout again;
"plain" changes nothing. With EARLIER=object the solutions of earlier labs are object files in given/, and the Makefile
links these instead of sources. Lab 0, a tour of the whole system, has all solutions as object files.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import functools
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Optional

from grade import ROOT
from grade.machine.job import Job, clean_environment
from grade.marking.course import AFTER_DUE, HIDDEN, VISIBLE, CourseError, Lab, commit, find_lab, lab_names, read_lab

COMES_ALONG = [
    *("Makefile", ".gdbinit", ".clang-format", ".editorconfig", ".gitattributes", ".gitignore", "LICENSE"),
    *("kernel/*", "user/*", "mkfs/*"),
    *("grade/__init__.py", "grade/pytest.ini", "grade/setup/*", "grade/machine/*", "grade/show/*", "grade/marking/*"),
]
LAB_FILES = ["README.md", "lab.toml", "answers.toml", "*.py", "*.svg", "*.png", "host/*"]
STAYS = ["hidden_*", "mutants/*", "variants/*", "staff*"]

# Lines that differ between handouts: the file, the line in this tree, and the values it may get.
VARIED = [
    ("kernel/virtio/blk.c", "#define QUEUE_SIZE 256", (128, 256)),
    ("kernel/virtio/rng.c", "#define QUEUE_SIZE 8", (4, 8, 16, 32)),
    ("user/roulette/*.[ch]", "#define BAND_ROWS 2", (2, 3)),
]


class HandoutError(Exception):
    """We cannot make the handout. The text says why."""


# ---- the tree ----


def tree_files(root: Path = ROOT) -> list[str]:
    """Every file of the project except build output: what Git knows or would add."""
    done = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-coz", "--exclude-standard"], capture_output=True, text=True
    )
    if done.returncode == 0:
        names = [name for name in done.stdout.split("\0") if name]
    else:
        names = [path.relative_to(root).as_posix() for path in root.rglob("*")]
        names = [name for name in names if not name.startswith(("build", ".git/")) and "__pycache__" not in name]
    return sorted(name for name in set(names) if (root / name).is_file())


@functools.lru_cache(maxsize=None)
def source_digest(root: Path = ROOT) -> str:
    """A digest that changes when any file of the tree changes."""
    digest = hashlib.sha256()
    for name in tree_files(root):
        digest.update(name.encode() + b"\0" + hashlib.sha256((root / name).read_bytes()).digest())
    return digest.hexdigest()


def solved_at(root: Path = ROOT) -> dict[str, dict[str, bool]]:
    """For each lab: the solutions, and whether students have each of them at the start. Reads labs/start.mk."""
    text = (root / "labs/start.mk").read_text(encoding="utf-8")
    names = "".join(re.findall(r"^SOLUTIONS := *(.*)$", text, re.MULTILINE)).split()
    found = re.findall(r"^SOLVED_AT_(\S+) := *(.*)$", text, re.MULTILINE)
    return {lab: {name: name in solved.split() for name in names} for lab, solved in found}


def labs_up_to(lab: Lab) -> list[str]:
    return [name for name in lab_names() if name <= lab.name]


# ---- files, one at a time ----


def resolve(path: Path, solved: dict[str, bool]) -> Optional[str]:
    """The text of a source file after unifdef has kept or removed each solution. None if no code is left."""
    text = path.read_text(encoding="utf-8")
    if "SOLVED_" not in text or path.suffix not in (".c", ".h", ".S"):
        return text
    flags = [f"-DSOLVED_{name}={int(value)}" for name, value in solved.items()]
    done = subprocess.run(["unifdef", *flags, str(path)], capture_output=True, text=True)
    if done.returncode > 1:
        raise HandoutError(f"unifdef on {path}: {done.stderr.strip()}")
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", done.stdout, flags=re.DOTALL)
    code = re.sub(r"^\s*#\s*(include|ifndef|define \w+$|endif|pragma).*$", "", code, flags=re.MULTILINE)
    if not code.strip():
        return None
    return re.sub(r"\n{3,}", "\n\n", done.stdout)


def visible_tests(text: str, lab: Lab) -> Optional[str]:
    """A test file without the tests that students must not see. None if no test is left."""
    lines = text.splitlines(keepends=True)
    kept = 0
    for node in reversed(ast.parse(text).body):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or not node.decorator_list:
            kept += isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            continue
        ids = [
            arg.value
            for call in node.decorator_list
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("mark.promise")
            for arg in call.args
            if isinstance(arg, ast.Constant)
        ]
        if all(lab.promise(str(id)).visible == VISIBLE for id in ids):
            kept += bool(ids)
            continue
        start = node.decorator_list[0].lineno - 1
        while start > 0 and lines[start - 1].startswith("#"):
            start -= 1
        del lines[start : node.end_lineno]
    return re.sub(r"\n{4,}", "\n\n\n", "".join(lines)).rstrip("\n") + "\n" if kept else None


def student_toml(lab: Lab) -> str:
    """lab.toml without the parts that students must not see."""

    def line(key: str, value: object) -> str:
        if isinstance(value, float) and value == int(value):
            value = int(value)
        return f"{key} = {json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)}\n"

    text = "".join(
        line(key, getattr(lab, key)) for key in ("title", "hours", "points", "start", "files", "depends", "given")
    )
    for test in lab.tests:
        if test.visible == HIDDEN:
            continue
        shown = ["id", "title", "points"] + (["visible"] if test.visible == AFTER_DUE else ["spec", "hint"])
        text += "\n[[test]]\n" + "".join(line(key, getattr(test, key)) for key in shown if getattr(test, key) != "")
    return text


def _vary(name: str, text: str, id: str) -> str:
    for pattern, line, values in VARIED:
        if id != "plain" and fnmatch.fnmatch(name, pattern) and line in text.splitlines():
            chosen = random.Random(f"{id} {pattern}").choice(values)
            text = re.sub(rf"^{re.escape(line)}$", f"{line.rsplit(' ', 1)[0]} {chosen}", text, flags=re.MULTILINE)
    return text


def _link_order(names: list[str], id: str) -> list[str]:
    sources = sorted(name for name in names if name.startswith("kernel/") and name.endswith((".c", ".S")))
    if id == "plain":
        return []
    random.Random(f"{id} link order").shuffle(sources)
    return sources


def _student_makefile(text: str) -> str:
    """The Makefile for students: without START, which is already chosen, and without what only this tree has."""
    text = re.sub(r"^(START|VQSAN|TESTS|PYTEST_ARGS|EXPECTED_SKIPS) \?=.*\n", "", text, flags=re.MULTILINE).replace(" $(SOLVED_FLAGS)", "")
    block = r"^# ---- what a student is given ----\n.*?(?=^# ---- )"
    text, count = re.subn(block, "-include handout.mk\n\n", text, flags=re.MULTILINE | re.DOTALL)
    tests = r"^# Two at a time where pytest can[^\n]*\n|^PYTEST = .*?(?=^# ---- )"
    text, pieces = re.subn(tests, "", text, flags=re.MULTILINE | re.DOTALL)
    if count != 1 or pieces != 2 or "SOLVED_" in text:
        raise HandoutError("the Makefile has changed: adapt _student_makefile() in grade/staff/handout.py")
    return text


README = """\
# Ringfence, lab {number}: {title}

Read [labs/{lab}/README.md](labs/{lab}/README.md): it says what to build and how.

    make qemu       # boots to a shell
    make grade      # runs the tests of this lab and shows the results
    make help       # lists all other commands

On Debian 12 or Ubuntu these commands install missing tools. On other systems `make setup` says what to install, and `make
doctor` shows what is wrong. On macOS and Windows, use the dev container in `.devcontainer` (VS Code: "Reopen in
Container"). It cannot open a window: `make screenshot` saves a picture, and `make qemu VNC=1` shows it.

{hand_in}
"""
VARIED_NOTE = "\nYour copy is number `{id}`. Some small sizes in it may differ from those in your neighbour's copy.\n"

DEVCONTAINER = {
    "name": "Ringfence",
    "image": "mcr.microsoft.com/devcontainers/base:bookworm",
    "postCreateCommand": "sudo apt-get update && sudo apt-get install -y make && make setup",
    "forwardPorts": [5901],
}


def _readme(lab: Lab, id: str) -> str:
    hand_in = "You hand in " + (" and ".join(f"`{name}`" for name in lab.files) if lab.files else "nothing") + "."
    if lab.files:
        hand_in += " You may change other files to try things; we do not grade them."
    text = README.format(number=lab.name.split("-")[0], title=lab.title, lab=lab.name, hand_in=hand_in)
    return text + (VARIED_NOTE.format(id=id) if id != "plain" else "")


# ---- solutions as objects ----


def _compiler(job: Job) -> list[str]:
    """Make variables: GCC if it is installed, so that every handout has the same objects; otherwise the job's compiler."""
    here = any(map(shutil.which, ("riscv64-unknown-elf-gcc", "riscv64-elf-gcc")))
    return ["TOOLPREFIX=", "CC=", *([] if here else job.same_compiler)]


def _objects(job: Job, lab: Lab, sources: dict[str, Optional[str]], solved: dict[str, bool], out: Path) -> None:
    """Compiles each file that lacks its solutions in the handout, with the solutions, to an object file in given/."""
    missing = []
    for name, text in sources.items():
        if name.startswith(("kernel/", "user/")) and name.endswith(".c") and name not in lab.files:
            if resolve(ROOT / name, solved) != text:
                missing.append(name)
    # lld must be able to link GCC's objects. GDB must not show the handout's source: the objects are from another text.
    flags = ["-mno-relax", *(f"-ffile-prefix-map={name}=given/{name}" for name in missing)]
    with tempfile.TemporaryDirectory(prefix="ringfence-given-") as scratch:
        done = subprocess.run(
            ["make", f"START={lab.name}", f"BUILD={scratch}/build", f"EXTRA_FLAGS={' '.join(flags)}", *_compiler(job)]
            + [f"{scratch}/build/{name}.o" for name in missing],
            cwd=ROOT,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise HandoutError(f"the solutions do not build:\n{done.stdout[-2000:]}")
        for name in missing:
            target = out / "given" / f"{name}.o"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(scratch) / "build" / f"{name}.o", target)


# ---- the whole ----


def _lab_file(name: str, names: list[str]) -> Optional[tuple[str, str]]:
    """Splits a name like labs/2-disk/README.md into lab and rest. None if students do not get that file."""
    parts = name.split("/", 2)
    if len(parts) < 3 or parts[0] != "labs" or parts[1] not in names:
        return None
    rest = parts[2]
    wanted = any(fnmatch.fnmatch(rest, pattern) for pattern in LAB_FILES if "/" in pattern or "/" not in rest)
    stays = any(fnmatch.fnmatch(part, pattern) for pattern in STAYS for part in (rest, rest.split("/")[-1]))
    return (parts[1], rest) if wanted and not stays else None


def make_handout(job: Job, lab: Lab, out: Path, id: str = "plain", earlier: str = "source", git: bool = True) -> None:
    """Writes the handout to `out`, a directory that must be empty or not exist. Raises HandoutError."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HandoutError(f"{out} exists already and is not empty")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", id):
        raise HandoutError(f"ID={id}: letters, digits and . _ - only, at most 40")
    if not shutil.which("unifdef"):
        raise HandoutError("unifdef is not installed: apt-get install unifdef")
    solved = solved_at()[lab.name]
    as_objects = earlier == "object" or lab.name.startswith("0-")
    shown = {name: False for name in solved} if as_objects else solved
    labs = labs_up_to(lab)
    read = [read_lab(ROOT / "labs" / each) for each in labs]
    docs = [name for each in read for name in (*each.docs, *each.files)]
    sources: dict[str, Optional[str]] = {}
    names = []
    for name in tree_files():
        known = any(fnmatch.fnmatch(name, pattern) for pattern in COMES_ALONG)
        known = known or any(name == doc or name.startswith(doc.rstrip("/") + "/") for doc in docs)
        of_lab = _lab_file(name, labs)
        if not known and not of_lab:
            continue
        data = (ROOT / name).read_bytes()
        try:
            text: Optional[str] = data.decode("utf-8")
        except UnicodeDecodeError:
            text = None
        if text is not None and name.endswith((".c", ".h", ".S")):
            text = resolve(ROOT / name, solved if name in lab.files else shown)
            sources[name] = text
            if text is None:
                continue
            text = _vary(name, text, id)
        elif text is not None and of_lab and of_lab[1] == "lab.toml":
            text = student_toml(read_lab(ROOT / "labs" / of_lab[0]))
        elif text is not None and of_lab and fnmatch.fnmatch(of_lab[1], "test_*.py"):
            text = visible_tests(text, read_lab(ROOT / "labs" / of_lab[0]))
            if text is None:
                continue
        elif text is not None and name == "Makefile":
            text = _student_makefile(text)
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if text is None else text.encode())
        shutil.copymode(ROOT / name, target)
        names.append(name)
    if as_objects:
        (out / "grade/rate/draw_wheel.c").unlink(missing_ok=True)  # it needs the sources of the wheel
        _objects(job, lab, sources, solved, out)
    order = _link_order([*names, *(p.relative_to(out / "given").as_posix()[:-2] for p in out.glob("given/kernel/**/*.o"))], id)
    (out / "handout.mk").write_text(
        "# The identity of this handout. With LAB= and ID=, staff can make the same one again.\n"
        f"HANDOUT_LAB := {lab.name}\nHANDOUT_ID := {id}\nHANDOUT_OF := {commit()}\n"
        + (f"LINK_FIRST := {' '.join(sorted(set(order), key=order.index))}\n" if order else "")
    )
    (out / "README.md").write_text(_readme(lab, id))
    (out / ".devcontainer").mkdir()
    (out / ".devcontainer/devcontainer.json").write_text(json.dumps(DEVCONTAINER, indent=4) + "\n")
    _check(out)
    if git:
        _commit(out, lab)


def _check(out: Path) -> None:
    for path in out.rglob("*"):
        if path.suffix in (".c", ".h", ".S") and "SOLVED_" in path.read_text(encoding="utf-8"):
            raise HandoutError(f"{path.relative_to(out)} still has a SOLVED_ macro")


def _commit(out: Path, lab: Lab) -> None:
    date = subprocess.run(["git", "-C", str(ROOT), "log", "-1", "--format=%cI"], capture_output=True, text=True).stdout.strip()
    environment = {
        **os.environ,
        **{f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (
            ("NAME", "Ringfence"), ("EMAIL", "staff@localhost"), ("DATE", date or "2026-01-01T00:00:00Z"))},
    }
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", f"Lab {lab.name}, as handed out"]):
        subprocess.run(["git", "-C", str(out), "-c", "commit.gpgsign=false", *words], env=environment, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--id", default="plain")
    parser.add_argument("--earlier", default="source", choices=("source", "object"))
    given = parser.parse_args()
    was_there = given.out.exists()
    try:
        lab = find_lab(given.lab)
        make_handout(Job.from_environment(), lab, given.out, given.id, given.earlier)
    except (HandoutError, CourseError) as error:
        if not was_there:
            shutil.rmtree(given.out, ignore_errors=True)  # half a handout
        print(f"handout: {error}", file=sys.stderr)
        return 2
    print(f"handout: {lab.name} for {given.id} is in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
