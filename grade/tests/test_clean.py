"""A run of the tests leaves no process and no file behind, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from grade import ROOT
from grade.machine import patience

# One test boots a machine, prints where its files are, and waits for ever; another fails.
WAITING = """
def test_waits(machine_factory):
    machine = machine_factory()
    print(f"machine {machine.process.pid} {machine.folder}", flush=True)
    machine.expect("never", quiet=600, total=600)
"""
FAILING = """
def test_fails(machine_factory):
    machine = machine_factory()
    print(f"machine {machine.process.pid} {machine.folder}", flush=True)
    machine.run("echo seen on the console; crash illegal")
"""


def start(tmp_path: Path, source: str) -> subprocess.Popen[str]:
    file = tmp_path / "test_inner.py"
    file.write_text("pytest_plugins = ['grade.machine.fixtures']\n" + textwrap.dedent(source))
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), str(file)],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def where(run: subprocess.Popen[str]) -> tuple[int, Path]:
    assert run.stdout is not None
    seen = []
    for line in run.stdout:
        seen.append(line)
        if "machine " in line:
            words = line.split("machine ")[1].split()
            return int(words[0]), Path(words[1])
    raise AssertionError("".join(seen))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def await_end(pid: int) -> None:
    deadline = time.monotonic() + 10 * patience.scale()
    while is_running(pid):
        assert time.monotonic() < deadline, "QEMU is still running"
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path: Path, how: signal.Signals) -> None:
    run = start(tmp_path, WAITING)
    try:
        pid, folder = where(run)
        assert is_running(pid) and folder.is_dir()
        os.killpg(run.pid, how)
        run.communicate(timeout=30 * patience.scale())
        await_end(pid)
        assert not folder.exists()
    finally:
        run.kill()


def test_killed(tmp_path: Path) -> None:
    """Nobody can clean up after SIGKILL, but QEMU must end too."""
    run = start(tmp_path, WAITING)
    try:
        pid, folder = where(run)
        run.kill()
        await_end(pid)
        subprocess.run(["rm", "-rf", folder], check=True)
    finally:
        run.kill()


def test_failure(tmp_path: Path) -> None:
    run = start(tmp_path, FAILING)
    try:
        pid, folder = where(run)
        output, _ = run.communicate(timeout=120 * patience.scale())
        assert run.returncode == 1
        await_end(pid)
        assert not folder.exists()
        # The report shows the machine's console.
        assert "seen on the console" in output and "illegal instruction" in output
    finally:
        run.kill()
