"""make next LAB=2-disk RELEASE=dir OUT=dir [EARLIER=mine|object|source] [FROM=dir]: goes on to the next lab.

RELEASE is the folder with the handout of that lab, as staff published it. OUT is the folder to make: your tree for that
lab. Your old tree does not change. EARLIER says where the code of the earlier labs comes from:

    mine     your own files from the tree FROM (default: this tree)
    source   the course's solutions as source code, if the release has them in that form
    object   the course's solutions as object files, if the release has them in that form

In the full tree, staff may leave out RELEASE: the command then makes the handout itself.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from grade import ROOT
from grade.machine.job import Job
from grade.marking.course import CourseError, Lab, find_lab, lab_names, read_lab


class NextError(Exception):
    """The new tree was not made. The text says why."""


def labs_before(lab: Lab, tree: Path) -> list[Lab]:
    return [read_lab(tree / "labs" / name) for name in lab_names(tree) if name < lab.name]


def carry_over(lab: Lab, old: Path, new: Path) -> list[str]:
    """Copies the student's files of earlier labs from the tree `old` to `new`. Returns a line about each file."""
    said = []
    for before in labs_before(lab, new):
        for name in before.files:
            if name in lab.given:
                said.append(f"{name}: this lab brings its own version")
            elif not (old / name).is_file() or (old / name).is_symlink():
                raise NextError(f"{old} has no file {name}, which you write in lab {before.name}")
            else:
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(old / name, new / name)
                (new / "given" / f"{name}.o").unlink(missing_ok=True)
                said.append(f"{name}: yours, from lab {before.name}")
    return said


def _holds(lab: Lab, new: Path) -> str:
    """The form in which a release has the solutions of earlier labs."""
    return "object" if any((new / "given").rglob("*.o")) else "source"


def _fill(lab: str, release: str, earlier: str, out: Path) -> Lab:
    if release:
        source = Path(release)
        if not (source / "handout.mk").is_file():
            raise NextError(f"RELEASE={release} is not the directory of a handout")
        found = find_lab(lab, source)
        if f"HANDOUT_LAB := {found.name}\n" not in (source / "handout.mk").read_text():
            raise NextError(f"RELEASE={release} is the handout of another lab, not of {found.name}")
        shutil.copytree(source, out, symlinks=True, ignore=shutil.ignore_patterns("build"))
        return find_lab(lab, out)
    if not (ROOT / "labs/start.mk").exists():
        raise NextError("give RELEASE=, the directory with the next lab's handout")
    from grade.staff.handout import HandoutError, make_handout

    try:
        make_handout(Job.from_environment(), find_lab(lab), out, earlier="object" if earlier == "object" else "source")
    except HandoutError as error:
        raise NextError(str(error)) from None
    return find_lab(lab, out)


def go_on(lab: str, release: str, earlier: str, old: Path, out: Path) -> list[str]:
    if out.exists():
        raise NextError(f"{out} exists already")
    try:
        found = _fill(lab, release, earlier, out)
        if earlier == "mine":
            said = carry_over(found, old, out)
        elif _holds(found, out) != earlier and labs_before(found, out):
            form = _holds(found, out)
            raise NextError(f"this release has the solutions as {form}: use EARLIER={form} or mine")
        else:
            said = [f"you get the solutions of earlier labs as {earlier}"]
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise
    if (out / ".git").exists():
        subprocess.run(["git", "-C", str(out), "add", "-A"], check=True)
        identity = ["-c", "user.name=Ringfence", "-c", "user.email=student@localhost", "-c", "commit.gpgsign=false"]
        message = f"Go on to {found.name} with EARLIER={earlier}"
        subprocess.run(["git", "-C", str(out), *identity, "commit", "-q", "--allow-empty", "-m", message], check=True)
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--release", default="")
    parser.add_argument("--earlier", default="source")
    parser.add_argument("--from", dest="old", default="")
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    try:
        if given.earlier not in ("mine", "object", "source"):
            raise NextError(f"EARLIER={given.earlier}: must be mine, object or source")
        if not given.out:
            raise NextError("give OUT=, the directory to make")
        said = go_on(given.lab, given.release, given.earlier, Path(given.old or ROOT), Path(given.out))
    except (NextError, CourseError) as error:
        print(f"next: {error}", file=sys.stderr)
        return 2
    print("\n".join(f"next: {line}" for line in said))
    print(f"next: now work in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
