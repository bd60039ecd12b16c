"""make fresh: runs each command of the README as the first command on a fresh machine.

    fresh.py [--cache FOLDER] [--logs FOLDER] [ROW...]

A machine is a minimal Debian system (debootstrap's minbase, git and make); enter.sh starts it. Each command gets a new copy
of the system, with a clone of the last commit of this tree. The table ROWS lists the machines; without a ROW, all of them
run.

The cache folder keeps the minimal systems and downloaded packages for the next run. If a system is older than MAX_AGE, it
is made again. The exit status is 0 if every command did what README.md promises.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from grade import ROOT
from grade.machine import patience

MAX_AGE = 14 * 24 * 3600  # seconds
SILENCE = 900  # seconds, scaled; a command that prints nothing for so long counts as hung
ASKED = re.compile(r"^setup: ask an administrator to run:  (apt-get install .*)$", re.MULTILINE)
HOME = {"root": "root", "student": "home/student"}


class Failure(Exception):
    """A command did not do what it promises. The text says what went wrong."""


# ---- commands ----


@dataclass(frozen=True)
class Command:
    """A shell command and a check that it worked. `judge` gets the tree and the output, and raises Failure."""

    words: str
    judge: Callable[[Path, str], None]


def shows_a_prompt(_: Path, printed: str) -> None:
    if "\n$ " not in printed.replace("\r", ""):
        raise Failure("the shell did not print a prompt")


def lists_the_files(_: Path, printed: str) -> None:
    if not re.search(r"README.*usertests", printed, re.DOTALL):
        raise Failure("`ls` did not list the files")


def runs_the_tests(_: Path, printed: str) -> None:
    ends = re.findall(r"^=+ (.*\d+ passed.*) in .*=+$", printed, re.MULTILINE)
    if not ends or re.search(r"failed|error", ends[-1]):
        raise Failure(f"the tests did not pass: {ends[-1] if ends else 'no closing line'}")


def gives_full_marks(tree: Path, _: str) -> None:
    try:
        results = json.loads((tree / "build/results/grade.json").read_text())
    except (OSError, ValueError) as error:
        raise Failure(f"there are no results: {error}") from None
    if results["state"] != "complete" or not results["possible"] or results["score"] != results["possible"]:
        labs = ", ".join(f"{lab['name']} {lab['score']:g}" for lab in results["labs"])
        raise Failure(f"the solved tree gets {results['score']:g} of {results['possible']:g} points ({labs})")


def runs_the_tests_with(compiler: str) -> Callable[[Path, str], None]:
    def judge(tree: Path, printed: str) -> None:
        runs_the_tests(tree, printed)
        used = (tree / "build/flags").read_text().split()[0]
        if used != compiler:
            raise Failure(f"make built with {used}, not with {compiler}")
        if compiler != "riscv64-unknown-elf-gcc" and "cannot install riscv64-unknown-elf-gcc; using" not in printed:
            raise Failure(f"make used {compiler} and did not say so")

    return judge


# If `make qemu` works on a machine, `make doctor` must find no problem there.
QEMU = Command("make qemu </dev/null && make doctor", shows_a_prompt)
PIPE = Command("printf 'ls\\n' | make qemu", lists_the_files)
TEST = Command("make test", runs_the_tests_with("riscv64-unknown-elf-gcc"))
GRADE = Command("make grade", gives_full_marks)
TEST_WITH_GNU = Command("make test", runs_the_tests_with("riscv64-linux-gnu-gcc"))
TEST_WITH_CLANG = Command("make test", runs_the_tests_with("clang"))
TEST_ALL = Command("make test-all", runs_the_tests)


@dataclass(frozen=True)
class Row:
    """A machine, and the commands to run on it."""

    name: str
    release: str
    commands: tuple[Command, ...]
    user: str = "root"  # or student, a normal user
    sudo: bool = False  # the student may use sudo
    asks: bool = False  # an administrator types the command that `make` asks for, and the student tries again
    bubblewrap: bool = True  # whether bubblewrap may work for a normal user; Ubuntu 24.04 forbids it
    installed: str = ""  # packages that are installed before the command runs
    lacks: str = ""  # tools that may be missing besides ALWAYS_LACKS, by their names in grade/tests/support/needs.py


# Tools that `make test` does not install. The machine of .ci/run has them: there, no test may be skipped.
ALWAYS_LACKS = "clang,fuzzer,spin,riscv64-linux-gnu-gcc,riscv64-unknown-elf-gcc,chromium,selenium,novnc"
# Everything that `make test` needs, except a RISC-V compiler and optional pytest plugins.
NO_COMPILER = (
    "gcc libc6-dev qemu-system-misc opensbi qemu-utils gdb-multiarch python3-pytest python3-pexpect python3-pil "
    "python3-matplotlib unifdef patch bubblewrap"
)
ROWS = [
    Row("bookworm", "bookworm", (TEST, GRADE, QEMU, PIPE)),
    Row("trixie", "trixie", (TEST, GRADE, QEMU, PIPE)),
    # make must not use another compiler just because that is already installed.
    Row("bookworm-has-clang", "bookworm", (TEST,), installed="clang lld llvm"),
    Row("bookworm-sudo", "bookworm", (QEMU, TEST), "student", sudo=True, installed="sudo"),
    Row("bookworm-student", "bookworm", (QEMU, TEST), "student", asks=True),
    # sudo is installed, but this user may not use it.
    Row("bookworm-no-sudo", "bookworm", (QEMU,), "student", asks=True, installed="sudo"),
    Row("bookworm-no-bubblewrap", "bookworm", (TEST,), "student", asks=True, bubblewrap=False, lacks="sandbox,bubblewrap"),
    # Nobody can install the missing compiler, so make must use another one and say so.
    Row("bookworm-only-gnu", "bookworm", (TEST_WITH_GNU,), "student", installed=f"{NO_COMPILER} gcc-riscv64-linux-gnu", lacks="xdist"),
    Row("bookworm-only-clang", "bookworm", (TEST_WITH_CLANG,), "student", installed=f"{NO_COMPILER} clang lld llvm", lacks="xdist"),
    Row("trixie-clang", "trixie", (Command("make test CC=clang", runs_the_tests),)),
    Row("bookworm-test-all", "bookworm", (TEST_ALL,)),
]


def chosen(names: list[str]) -> list[Row]:
    for name in names:
        if name not in [row.name for row in ROWS]:
            sys.exit(f"fresh: there is no row {name!r}; choose from {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if not names or row.name in names]


# ---- machines ----


def run_logged(command: list[str], log: Path, environment: Optional[dict[str, str]] = None) -> tuple[int, str]:
    """Runs `command` and waits for its end. Its output goes to `log`. Returns its exit status and its output. Raises
    Failure if it prints nothing for SILENCE."""
    with log.open("ab") as out:
        start = out.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(environment or {})}
        )
    try:
        size, since = 0, time.monotonic()
        while process.poll() is None:
            if (now := log.stat().st_size) != size:
                size, since = now, time.monotonic()
            if time.monotonic() - since > SILENCE * patience.scale():
                raise Failure(f"it printed nothing for {time.monotonic() - since:.0f} s")
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                pass
    finally:
        process.kill()
        process.wait()
    return process.returncode, log.read_bytes()[start:].decode("utf-8", "replace")


def minimal_system(release: str, cache: Path, logs: Path) -> Path:
    """Returns a root file system with debootstrap's minimal system, git and make. Do not change it: the next run uses it
    again. Raises Failure if debootstrap fails."""
    root = cache / release
    if root.exists() and time.time() - root.stat().st_mtime < MAX_AGE:
        return root
    print(f"fresh: making a minimal {release} in {root}", flush=True)
    new = cache / f"making-{release}"
    # debootstrap mounts /proc and more in the new system. Separate namespaces make mounts and processes end with it.
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--mount-proc"]
    command += ["debootstrap", "--variant=minbase", "--include=git,make,ca-certificates", release, str(new)]
    try:
        status, printed = run_logged(command, logs / f"{release}.log", {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"})
        if status != 0:
            raise Failure(f"debootstrap failed:\n{printed[-2000:]}")
        os.utime(new)
        if root.exists():
            shutil.rmtree(root)
        new.rename(root)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return root


def must_do(*command: str | Path) -> None:
    """Runs a command on this host. Raises Failure if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Failure(f"{command[0]} failed: {done.stdout.strip()[-500:]}")


class Machine:
    """A copy of a minimal system, for one command."""

    def __init__(self, row: Row, root: Path, cache: Path, log: Path) -> None:
        self.row, self.root, self.log = row, root, log
        packages = cache / "packages" / row.release
        packages.mkdir(parents=True, exist_ok=True)
        self.environment = {"CACHE": str(packages), "CI": "1", "NO_USER_NAMESPACES": "" if row.bubblewrap else "1"}
        self.environment["EXPECTED_SKIPS"] = f"{ALWAYS_LACKS},{row.lacks},{'' if row.user == 'root' else 'root'}"
        if row.installed:
            self.must("root", f"apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends {row.installed}")
        if row.user != "root":
            self.must("root", f"useradd --create-home --shell /bin/sh {row.user}")
        if row.sudo:
            (root / "etc/sudoers.d/student").write_text(f"{row.user} ALL=(ALL) NOPASSWD: ALL\n")
        self.tree = root / HOME[row.user] / "ringfence"
        must_do("git", "clone", "--quiet", "--no-hardlinks", f"file://{ROOT}", self.tree)
        self.must("root", f"chown -R {row.user}: /{HOME[row.user]}")

    def enter(self, user: str, words: str) -> tuple[int, str]:
        command = ["sh", str(ROOT / "grade/hosts/enter.sh"), str(self.root), user, "sh", "-c", words]
        return run_logged(command, self.log, self.environment)

    def must(self, user: str, words: str) -> str:
        status, printed = self.enter(user, words)
        if status != 0:
            raise Failure(f"`{words}` ended with status {status}")
        return printed

    def type(self, command: Command) -> None:
        """Types a command like a new user. Raises Failure if it does not do what it promises."""
        words = f"cd ringfence && {command.words}"
        status, printed = self.enter(self.row.user, words)
        if self.row.asks:
            asked = ASKED.search(printed)
            if status == 0 or not asked:
                raise Failure(f"it ended with status {status} and did not say what an administrator must install")
            self.must("root", f"apt-get update -q && DEBIAN_FRONTEND=noninteractive {asked[1]} -qy --no-install-recommends")
            status, printed = self.enter(self.row.user, words)
        if status != 0:
            raise Failure(f"it ended with status {status}")
        command.judge(self.tree, printed)


def try_command(row: Row, command: Command, cache: Path, logs: Path) -> Optional[str]:
    """Returns what went wrong, or None."""
    words = re.sub(r"\W+", "-", command.words).strip("-")
    log = logs / f"{row.name}-{words}.log"
    log.unlink(missing_ok=True)
    folder = cache / "machine"
    try:
        shutil.rmtree(folder, ignore_errors=True)  # an earlier run may have been killed
        must_do("cp", "-a", "--reflink=auto", minimal_system(row.release, cache, logs), folder)
        Machine(row, folder, cache, log).type(command)
        return None
    except Failure as failure:
        tail = log.read_text(errors="replace").splitlines()[-40:] if log.exists() else []
        return "\n".join([str(failure), *(f"    {line}" for line in tail), f"    (complete output: {log})"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    parser.add_argument("--cache", type=Path, default=Path(home) / "ringfence")
    parser.add_argument("--logs", type=Path, default=ROOT / "build/fresh")
    parser.add_argument("rows", nargs="*", metavar="ROW")
    given = parser.parse_args()
    rows = chosen(given.rows)
    if os.geteuid() != 0:
        sys.exit("fresh: you must be root to make and enter whole systems: sudo make fresh")
    if subprocess.run(["git", "-C", ROOT, "status", "--porcelain"], stdout=subprocess.PIPE).stdout:
        print("fresh: testing the last commit, without your uncommitted changes")
    for folder in (given.cache, given.logs):
        folder.mkdir(parents=True, exist_ok=True)
    lock = (given.cache / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("fresh: waiting for another run to end", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    failed = passed = 0
    try:
        for row in rows:
            for command in row.commands:
                print(f"fresh: {row.name}: {command.words}", flush=True)
                start = time.monotonic()
                trouble = try_command(row, command, given.cache, given.logs)
                failed, passed = failed + bool(trouble), passed + (not trouble)
                took = time.monotonic() - start
                print(f"fresh: {'FAILED' if trouble else 'passed'} after {took:.0f} s" + (f": {trouble}" if trouble else ""), flush=True)
    except KeyboardInterrupt:
        print("fresh: interrupted", file=sys.stderr)
        return 130
    print(f"fresh: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
