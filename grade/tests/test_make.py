"""The commands that README.md tells you to type, run as you would type them."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pexpect
import pytest

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job, clean_environment
from grade.machine.machine import copy_sparse

# These share build/disk.img, which only one machine can use at a time.
pytestmark = pytest.mark.xdist_group("make")


def command(*words: str) -> list[str]:
    """A make command with the compiler and the build directory of the make that runs these tests."""
    return ["make", *Job.from_environment().same_build, *words]


def make(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Runs make with `text` as its input. When it ends, kills everything that it started."""
    process = subprocess.Popen(
        command(*words),
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(text, timeout=120 * patience.scale())
        return subprocess.CompletedProcess(process.args, process.returncode, output)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"make {' '.join(words)} does not end:\n{process.communicate()[0]}") from None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


@pytest.fixture
def disk(job: Job, tmp_path: Path) -> str:
    """A separate disk for the test, so that nobody's work on build/disk.img is lost."""
    copy_sparse(job.build / "disk.img", tmp_path / "disk.img")
    return f"DISK={tmp_path}/disk.img"


def test_no_input(disk: str) -> None:
    done = make("qemu", disk)
    assert done.returncode == 0, done.stdout
    assert "\n$ " in done.stdout.replace("\r", "")


def test_commands_from_a_pipe(disk: str) -> None:
    done = make("qemu", disk, text="ls\n")
    assert done.returncode == 0, done.stdout
    assert "usertests" in done.stdout and "README" in done.stdout


def test_input_without_a_last_newline(disk: str) -> None:
    done = make("qemu", disk, text="echo a b | wc")
    assert done.returncode == 0, done.stdout
    assert "1 2 4" in " ".join(done.stdout.split())


def test_a_program_that_reads_to_the_end(disk: str) -> None:
    done = make("qemu", disk, text="cat\nfirst\nsecond\n")
    assert done.returncode == 0, done.stdout


def test_long_input_is_not_lost(disk: str) -> None:
    lines = [f"echo line-{number}-{'x' * 50}" for number in range(60)]
    done = make("qemu", disk, text="\n".join(lines) + "\n")
    printed = done.stdout.replace("\r", "").split("\n")
    for line in lines:
        assert line[5:] in printed


def test_at_a_terminal(disk: str) -> None:
    program, *words = command("qemu", disk)
    terminal = pexpect.spawn(program, words, cwd=str(ROOT), env=clean_environment(), timeout=60 * patience.scale())
    try:
        terminal.expect_exact("\n$ ")
        # ^C goes to the guest: it ends the program there, not QEMU.
        terminal.send("cat\r")
        terminal.expect_exact("cat\r\n")
        terminal.send("\x03")
        terminal.expect_exact("$ ", timeout=10 * patience.scale())
        terminal.send("echo still-$?-here\r")
        terminal.expect(r"still-[-0-9]+-here", timeout=10 * patience.scale())
        terminal.send("poweroff\r")
        terminal.expect(pexpect.EOF, timeout=30 * patience.scale())
        terminal.close()
        assert terminal.exitstatus == 0
    finally:
        terminal.close(force=True)


def test_a_panic_makes_make_fail(disk: str) -> None:
    """A kernel that panics must not look like success to a script."""
    done = make("qemu", disk, "ARGS=root=nothing init=/README")
    assert done.returncode != 0 and "panic: " in done.stdout, done.stdout


def test_help_lists_every_command() -> None:
    done = make("help")
    assert done.returncode == 0
    for command in "setup doctor qemu qemu-gdb gdb screenshot test bench format clean".split():
        assert f"make {command} " in done.stdout
    for variable in "CPUS MEM TOOLPREFIX QEMU START".split():
        assert f"{variable}=" in done.stdout


def test_doctor() -> None:
    done = make("doctor")
    assert done.returncode == 0, done.stdout
    assert "QEMU" in done.stdout and "pytest" in done.stdout


def test_screenshot(tmp_path: Path) -> None:
    from PIL import Image

    picture = tmp_path / "wheel.png"
    done = make("screenshot", f"OUT={picture}")
    assert done.returncode == 0, done.stdout
    with Image.open(picture) as image:
        assert image.size == (640, 480)
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
        assert colours is not None and len(colours) > 500


def test_nothing_is_rebuilt_without_need() -> None:
    make("all")
    done = make("all")
    assert done.returncode == 0 and done.stdout.strip() in ("", "make: Nothing to be done for 'all'."), done.stdout


def test_a_changed_header_rebuilds_what_includes_it(job: Job) -> None:
    done = make("-n", "-W", "kernel/virtio/virtqueue.h", "V=1", f"{job.build_for_make}/kernel.elf")
    compiled = done.stdout.split("kernel.ld")[0]  # before the kernel is linked
    assert "kernel/virtio/virtqueue.c.o" in compiled and "kernel/mm/page.c.o" not in compiled
