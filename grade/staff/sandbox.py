"""Runs what a student has written, or a compiler over it, on the host without trusting it.

run() gives it a directory to work in, a copy of nothing else than /usr, no network, and limits on time, memory,
processes, output and disk. Which way is taken, in this order:

    bwrap   bubblewrap: everything but /usr and the given directory does not exist for it
    user    where a container forbids that and we are root: a user that exists for this run alone. It sees what
            everybody may see, so the tests must lie in a folder that only root enters; we refuse to go on if that is
            not so. It reaches the given directory as its current one, whatever the folders above it allow. The
            network is not cut off.
    none    only for a student's own tree, where there is nothing to hide
"""

from __future__ import annotations

import functools
import os
import pwd
import resource
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from grade import ROOT
from grade.machine import patience

MEGABYTE = 1 << 20


class SandboxError(Exception):
    """There is no way here to run it safely; the text says what to do."""


@dataclass(frozen=True)
class Limits:
    seconds: float = 120  # of the clock, scaled to this host
    memory: int = 1024  # MiB, of all its processes together
    processes: int = 64
    output: int = 4  # MiB of what it prints
    file: int = 128  # MiB of the largest file it writes
    disk: int = 512  # MiB that its directory may hold


@dataclass(frozen=True)
class Outcome:
    status: int  # exit status; negative: ended by that signal
    output: str
    stopped: str = ""  # which limit ended it: "it ran for 120 s", ...


def _bwrap(work: Path, writable: bool) -> list[str]:
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    command += ["--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp", "--setenv", "LC_ALL", "C.UTF-8"]
    command += ["--ro-bind", "/usr", "/usr"]
    for link in ("bin", "sbin", "lib", "lib64"):
        path = Path("/") / link
        if path.is_symlink():
            command += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            command += ["--ro-bind", str(path), str(path)]
    for file in ("/etc/alternatives", "/etc/ld.so.cache"):
        command += ["--ro-bind-try", file, file]
    # /proc is its own, with its own process numbers.
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(64 * MEGABYTE), "--tmpfs", "/tmp"]
    command += ["--bind" if writable else "--ro-bind", str(work), "/work", "--chdir", "/work"]
    return command


@functools.lru_cache(maxsize=None)
def method() -> str:
    """Which way works here; SANDBOX=bwrap|user chooses one."""
    asked = os.environ.get("SANDBOX", "")
    why = "SANDBOX=user was asked for" if asked else "bubblewrap is not installed (apt-get install bubblewrap)"
    if asked in ("", "bwrap") and shutil.which("bwrap"):
        done = subprocess.run([*_bwrap(Path("/usr"), False), "true"], capture_output=True, text=True)
        if done.returncode == 0:
            return "bwrap"
        if asked:
            raise SandboxError(f"bubblewrap does not work here: {done.stderr.strip()}")
        why = f"bubblewrap does not work here ({done.stderr.strip()})"
        if asked:
            raise SandboxError(why)
    if asked in ("", "user") and os.geteuid() == 0:
        if not _hidden_from_others(ROOT / "labs"):
            raise SandboxError(f"{why}, so the tests must be out of others' sight: chmod 700 {ROOT}")
        return "user"
    raise SandboxError(f"no safe way to run a submission: {why}, and we are not root")


def _hidden_from_others(path: Path) -> bool:
    """Is there a folder on the way to `path` that only its owner and group may enter?"""
    return any(folder.stat().st_mode & 0o001 == 0 for folder in [path, *path.parents])


class _Passer:
    """A user without a name that no other run has at the same time, so that limits on its processes count only its
    own, and all of them can be ended at once. The number is taken by the name of a socket: the system frees it, however
    we end."""

    def __init__(self) -> None:
        for self.uid in range(50_000, 60_000):
            self._taken = socket.socket(socket.AF_UNIX)
            try:
                pwd.getpwuid(self.uid)
            except KeyError:
                try:
                    self._taken.bind(f"\0ringfence-sandbox-{self.uid}")
                    return
                except OSError:
                    pass
            self._taken.close()
        raise SandboxError("no user number between 50000 and 60000 is free")

    def admit(self, work: Path, writable: bool) -> None:
        """Lets it into `work`; what it may write is its own until it leaves."""
        if writable:
            _give(work, self.uid)
        else:
            work.chmod(work.stat().st_mode | 0o005)

    def end_all(self) -> None:
        subprocess.run(["sh", "-c", "kill -9 -1"], user=self.uid, group=self.uid, extra_groups=[])

    def leave(self, work: Path, writable: bool) -> None:
        if writable:
            _give(work, os.getuid())
        self._taken.close()


def _give(work: Path, uid: int) -> None:
    for where, folders, names in os.walk(work):
        for name in [".", *folders, *names]:
            os.chown(os.path.join(where, name), uid, uid, follow_symlinks=False)


def _apply(limits: Limits, uid: Optional[int]) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file * MEGABYTE,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    seconds = int(limits.seconds * 4 * 10)  # a back-stop; the clock is watched from outside
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        # A back-stop too: they are counted from outside, and whoever starts too many is told so.
        resource.setrlimit(resource.RLIMIT_NPROC, (limits.processes * 4,) * 2)


def _family(pid: int) -> tuple[int, int]:
    """Processes that descend from `pid`, and their memory in bytes (shared pages counted once each)."""
    count = memory = 0
    waiting = [pid]
    page = resource.getpagesize()
    while waiting:
        current = waiting.pop()
        try:
            shared, private = map(int, Path(f"/proc/{current}/statm").read_text().split()[1:3])
            memory += (shared - private) * page
            count += 1
            for task in Path(f"/proc/{current}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (OSError, ValueError):
            continue
    return count, memory


def _bytes_in(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_blocks * 512
            except OSError:
                continue
    return total


def run(command: Sequence[str], work: Path, limits: Limits = Limits(), writable: bool = False) -> Outcome:
    """Runs `command` (found on PATH, or relative to `work`, which it sees as its current directory)."""
    disk = work if writable else None
    if method() == "bwrap":
        process = _start([*_bwrap(work, writable), *command], work, limits, None)
        return _watch(process, limits, disk, process.kill)  # with bubblewrap go all that it had in it
    passer = _Passer()
    passer.admit(work, writable)
    try:
        return _watch(_start(command, work, limits, passer.uid), limits, disk, passer.end_all)
    finally:
        passer.leave(work, writable)


def _start(command: Sequence[str], work: Path, limits: Limits, uid: Optional[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=work,
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: _apply(limits, uid),
    )


def _watch(
    process: subprocess.Popen[bytes], limits: Limits, disk: Optional[Path], end_all: Callable[[], None]
) -> Outcome:
    printed = bytearray()

    def collect() -> None:
        assert process.stdout is not None
        while data := os.read(process.stdout.fileno(), 65536):
            if len(printed) <= limits.output * MEGABYTE:
                printed.extend(data)

    reader = threading.Thread(target=collect, daemon=True)
    reader.start()
    start = time.monotonic()
    stopped, turn = "", 0
    while not stopped:
        try:
            process.wait(0.05)
            break
        except subprocess.TimeoutExpired:
            pass
        turn += 1
        elapsed = time.monotonic() - start
        processes, memory = _family(process.pid)
        if elapsed > limits.seconds * patience.scale():
            stopped = f"it ran for {elapsed:.0f} s"
        elif memory > limits.memory * MEGABYTE:
            stopped = f"it used more than {limits.memory} MiB of memory"
        elif processes > limits.processes:
            stopped = f"it started more than {limits.processes} processes"
        elif len(printed) > limits.output * MEGABYTE:
            stopped = f"it printed more than {limits.output} MiB"
        elif disk is not None and turn % 20 == 0 and _bytes_in(disk) > limits.disk * MEGABYTE:
            stopped = f"it wrote more than {limits.disk} MiB"
    # Whatever it has left behind goes too.
    end_all()
    process.wait()
    reader.join(5)
    text = bytes(printed[: limits.output * MEGABYTE]).decode("utf-8", "replace")
    return Outcome(process.returncode, text, stopped)
