"""GDB: what a student does in the first lab, by script."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable

import pexpect
import pytest

from grade import calibrate
from grade.gdb import GDB, run_gdb
from grade.machine import BUILD, ROOT, Machine, copy_sparse
from grade.tests.test_make import clean_environment, command

Boot = Callable[..., Machine]


@pytest.mark.parametrize("queue, driver", [("blk0", "blk"), ("gpu0.control", "gpu")])
def test_breakpoint_in_poll_used(machine_factory: Boot, queue: str, driver: str) -> None:
    """Set at the first instruction of all, long before the kernel has mapped itself."""
    machine = machine_factory(gdb=True, shell=False)

    def drive() -> None:
        if driver == "gpu":  # the disk is read at boot, the display not before somebody draws
            machine.expect(r"^\$ ", quiet=30)
            machine.send("fbtest bars\n")

    output = run_gdb(
        machine,
        [
            f'break poll_used if $_streq(q->name, "{queue}")',
            "continue",
            "bt",
            "next",  # to the comparison: the index has been read
            "info locals",
            "info args",
            "print q->name",
            "print used_idx == q->used->idx || used_idx + 1 == q->used->idx",
            "delete",
            "detach",
        ],
        drive,
    )
    assert re.search(r"hit Breakpoint 1, (0x[0-9a-f]+ in )?poll_used \(", output), output
    frames = re.findall(r"^#(\d+) .*?(\w+) \(.*\) at (kernel/[\w/]+\.[cS]):\d+", output, re.MULTILINE)
    assert frames and frames[0][1:] == ("poll_used", "kernel/virtio/virtqueue.c"), output
    assert len(frames) >= 4 and any(f"kernel/virtio/{driver}" in file for _, _, file in frames), output
    assert "corrupt stack" not in output
    assert re.search(r"^used_idx = \d+$", output, re.MULTILINE), output
    assert re.search(r"^q = 0xffffffc0[0-9a-f]+", output, re.MULTILINE), output
    assert f'"{queue}"' in output
    assert re.search(r"^\$2 = 1$", output, re.MULTILINE), output
    machine.expect(r"^\$ ", quiet=30)  # and it goes on as if nothing had been


def test_a_hart_sent_to_the_wrong_entry(machine_factory: Boot) -> None:
    """OpenSBI up to 1.2 lets a hart go to _start once in some hundred boots: here GDB sends it there."""
    machine = machine_factory(cpus=2, gdb=True, shell=False)
    physical = "(unsigned long)&%s & 0x3fffffffff"  # paging is still off
    output = run_gdb(
        machine,
        [
            f"tbreak *({physical % 'secondary_start'})",
            "continue",
            f"set $pc = {physical % '_start'}",
            "set $a1 = 0",  # the firmware had not stored this either
            "detach",
        ],
    )
    assert "hit Temporary breakpoint 1" in output, output
    machine.expect(r"^\$ ", quiet=30)
    assert machine.text.count("Ringfence:") == 1  # the kernel was not booted a second time
    assert len({machine.hart_stack(cpu) for cpu in range(2)}) == 2  # and each hart idles on its own stack


def test_make_qemu_gdb_and_make_gdb(tmp_path: Path) -> None:
    """The two terminals of README.md."""
    copy_sparse(BUILD / "disk.img", tmp_path / "disk.img")
    scale = calibrate.scale()

    def terminal(*words: str) -> pexpect.spawn:
        program, *arguments = command(*words)
        return pexpect.spawn(
            program, arguments, cwd=str(ROOT), env=clean_environment(), timeout=60 * scale, encoding="utf-8"
        )

    first = terminal("qemu-gdb", f"DISK={tmp_path}/disk.img")
    second = None
    try:
        first.expect_exact("type 'make gdb'")
        second = terminal(f"GDB={GDB}", "gdb")
        second.expect_exact("(gdb) ")
        second.sendline("break kernel_main")
        second.expect(r"Breakpoint 1 at .*kernel/boot/main\.c")
        second.sendline("continue")
        second.expect(r"hit Breakpoint 1, .*kernel_main")
        second.sendline("kill")
        second.sendline("quit")
        second.expect(pexpect.EOF)
        first.expect(pexpect.EOF)
    finally:
        if second is not None:
            second.close(force=True)
        first.close(force=True)
