"""Runs a student's program, or a compiler on a student's code, on the host without trusting it.

run() gives the program a directory to work in, a view of /usr, no network (see below), and limits on time, memory,
processes, output and disk. It uses the first method that works:

    bwrap   bubblewrap: the program sees only /usr and the given directory
    user    if a container forbids bubblewrap and we are root: a user number that only this run uses. The program can read
            everything that all users can read. The tests must therefore be in a folder that only root can enter;
            otherwise we refuse to run. The given directory is the program's current one, so it may use that whatever the
            permissions of the folders above. This method does not cut off the network.

If neither works, we raise SandboxError. A student's own tree uses no sandbox: it has nothing to hide.
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
    """This host has no safe way to run the program. The text says what to do."""


@dataclass(frozen=True)
class Limits:
    seconds: float = 120  # elapsed time, scaled to this host
    memory: int = 1024  # MiB, for all its processes together
    processes: int = 64
    output: int = 4  # MiB that it prints
    file: int = 128  # MiB in one file that it writes
    disk: int = 512  # MiB in its directory


@dataclass(frozen=True)
class Outcome:
    status: int  # exit status; negative: this signal ended it
    output: str
    stopped: str = ""  # the limit that ended it: "it ran for 120 s", ...


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
    # The program gets its own /proc, which shows only its own processes.
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(64 * MEGABYTE), "--tmpfs", "/tmp"]
    command += ["--bind" if writable else "--ro-bind", str(work), "/work", "--chdir", "/work"]
    return command


@functools.lru_cache(maxsize=None)
def method() -> str:
    """The method that works here. SANDBOX=bwrap|user chooses one. Raises SandboxError if none works."""
    asked = os.environ.get("SANDBOX", "")
    why = "you asked for SANDBOX=user" if asked else "bubblewrap is not installed (apt-get install bubblewrap)"
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
            raise SandboxError(f"{why}, so other users must not see the tests: chmod 700 {ROOT}")
        return "user"
    raise SandboxError(f"no safe way to run a submission: {why}, and we are not root")


def _hidden_from_others(path: Path) -> bool:
    """True if some folder on the way to `path` lets in only its owner and group."""
    return any(folder.stat().st_mode & 0o001 == 0 for folder in [path, *path.parents])


class _Passer:
    """A user number that no other run uses at the same time. So the limit on processes counts only this run's processes,
    and we can end all of them at once. We reserve the number by binding a socket with that name: the system frees it
    however our process ends."""

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
        """Lets the user into `work`. If it may write there, it owns the files until leave()."""
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
    seconds = int(limits.seconds * 4 * 10)  # only a last resort: _watch() checks the elapsed time
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        # A last resort too: _watch() counts processes, and its message names the limit.
        resource.setrlimit(resource.RLIMIT_NPROC, (limits.processes * 4,) * 2)


def _family(pid: int) -> tuple[int, int]:
    """The number of processes in the tree that starts at `pid`, and their memory in bytes without shared pages."""
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
    """Runs `command` in the sandbox and waits for its end or a limit. `work` is its current directory; it may write there
    only if `writable`. `command` is on PATH or relative to `work`. Raises SandboxError if there is no safe method."""
    disk = work if writable else None
    if method() == "bwrap":
        process = _start([*_bwrap(work, writable), *command], work, limits, None)
        return _watch(process, limits, disk, process.kill)  # when bubblewrap ends, so do all processes in it
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
    # End the processes that it left behind.
    end_all()
    process.wait()
    reader.join(5)
    text = bytes(printed[: limits.output * MEGABYTE]).decode("utf-8", "replace")
    return Outcome(process.returncode, text, stopped)
