"""GDB: a script does what a student does in the first lab."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pexpect
import pytest

from grade import ROOT
from grade.machine import patience
from grade.machine.gdb import run_gdb
from grade.machine.job import Job
from grade.machine.machine import Machine, copy_sparse
from grade.tests.test_make import clean_environment, command

Boot = Callable[..., Machine]


@pytest.mark.parametrize("queue, driver", [("blk0", "blk"), ("gpu0.control", "gpu")])
def test_breakpoint_in_poll_used(machine_factory: Boot, queue: str, driver: str) -> None:
    """The breakpoint is set at the very first instruction, long before the kernel maps itself."""
    machine = machine_factory(gdb=True, shell=False)

    def drive() -> None:
        if driver == "gpu":  # booting uses the disk; the display needs a program that draws
            machine.expect(r"^\$ ", quiet=30)
            machine.send("fbtest bars\n")

    output = run_gdb(
        machine,
        [
            f'break poll_used if $_streq(q->name, "{queue}")',
            "continue",
            "bt",
            "next",  # to the comparison: the driver has read the index
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
    machine.expect(r"^\$ ", quiet=30)  # and the machine continues normally


def test_a_hart_sent_to_the_wrong_entry(machine_factory: Boot) -> None:
    """In about one of some hundred boots, OpenSBI up to 1.2 sends a second hart to _start. Here GDB sends it there."""
    machine = machine_factory(cpus=2, gdb=True, shell=False)
    physical = "(unsigned long)&%s & 0x3fffffffff"  # paging is still off
    output = run_gdb(
        machine,
        [
            f"tbreak *({physical % 'secondary_start'})",
            "continue",
            f"set $pc = {physical % '_start'}",
            "set $a1 = 0",  # the firmware has not set this either
            "detach",
        ],
    )
    assert "hit Temporary breakpoint 1" in output, output
    machine.expect(r"^\$ ", quiet=30)
    assert machine.text.count("Ringfence:") == 1  # the kernel did not boot a second time
    assert len({machine.hart_stack(cpu) for cpu in range(2)}) == 2  # and each hart idles on its own stack


def test_virtq(machine_factory: Boot) -> None:
    """`virtq` shows the rings in memory: the device holds or has answered four commands, and the disk's queue is empty."""
    machine = machine_factory(gdb=True, shell=False)

    def drive() -> None:
        machine.expect(r"^\$ ", quiet=30)
        machine.send("fbtest bars\n")

    output = run_gdb(
        machine,
        ["virtq", "break sys_exec", "continue", "virtq moon", "delete"]
        + ['break poll_used if $virtq("gpu")', "continue", "virtq", "virtq gpu", "delete", "detach"],
        drive,
    )
    assert "virtq: the kernel has not turned paging on yet" in output, output
    assert re.search(r"virtq: no queue moon; there are .*blk0", output), output
    assert re.search(r"^gpu0.control +avail->idx +4 +used->idx +[0-4] +last_used +0 +in flight +4$", output, re.MULTILINE), output
    assert re.search(r"^blk0 +avail->idx +(\d+) +used->idx +\1 +last_used +\1 +in flight +0$", output, re.MULTILINE), output
    assert "gpu0.control: 64 descriptors, 56 free\n  available ring   avail->idx 4, the next chain goes to 4" in output
    chain = r"^ +\d+ (done, not taken|with the device) +(40|48) bytes at 0x\w+ \(device reads\), 24 bytes at 0x\w+ \(device writes\)$"
    assert len(re.findall(chain, output, re.MULTILINE)) == 4, output


def session_at_the_compare(machine: Machine, kernel: Path, stops: int) -> list[tuple[int, int, str, str]]:
    """Stops repeatedly where the driver compares the index. Returns for each stop: last_used, the index in memory, what
    `virtq gpu` says about them, and what `print used_idx` shows."""

    def drive() -> None:
        machine.expect(r"^\$ ", quiet=30)
        machine.send(f"fbtest -n {2 * stops} rects\n")

    output = run_gdb(
        machine,
        ["break sys_ioctl", "continue", "delete", "virtq-break gpu"]
        + ["continue", "virtq gpu", "print used_idx"] * stops
        + ["next", "step", "delete", "detach"],
        drive,
        kernel=kernel,
    )
    said = re.findall(
        r"index in memory  (\d+)\n  index last taken (\d+)\n  index compared   (\d+), in \S+: loaded at .*\n(?:.*(print.*)\n)?"
        r"  memory and what is compared (agree|DISAGREE)\n\$\d+ = (.*)\n",
        output,
    )
    assert len(said) == stops, output
    for memory, _, compared, idea, verdict, printed in said:
        assert (memory == compared) == (verdict == "agree"), output
        assert printed == (memory if "reads the ring" in idea else "<optimized out>" if idea else compared), output
    # Stepping stays in these functions and shows their lines.
    after = output[output.rindex("memory and what is compared") :]
    assert len(re.findall(r"^\d+\t", after, re.MULTILINE)) >= 2, output
    return [(int(taken), int(memory), verdict, printed) for memory, taken, _, _, verdict, printed in said]


def test_memory_and_register_agree(job: Job, machine_factory: Boot) -> None:
    """The next comparison sees the device's index, even if the previous one missed it."""
    machine = machine_factory(gdb=True, shell=False)
    said = session_at_the_compare(machine, job.build / "kernel.elf", 8)
    for (taken, _, verdict, _), (taken_before, _, verdict_before, _) in zip(said[1:], said):
        assert verdict == "agree" or verdict_before == "agree" or taken != taken_before, said


@pytest.mark.long
def test_memory_and_register_disagree(job: Job, machine_factory: Boot, tmp_path: Path) -> None:
    """The start state of lab 4: once memory and register disagree, they disagree in every turn."""
    kernel = tmp_path / "build/kernel.elf"
    subprocess.run(
        ["make", "START=4-slow-wheel", f"BUILD={tmp_path}/build", *job.same_compiler, str(kernel)],
        cwd=ROOT,
        env=clean_environment(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    machine = machine_factory(gdb=True, shell=False, kernel=kernel)
    said = session_at_the_compare(machine, kernel, 24)
    assert said[-4:] == [said[-1]] * 4 and said[-1][2] == "DISAGREE", said
    # According to GCC's debug information, used_idx is the ring's word: GDB prints the new value, not the one compared.
    if re.search(rb"GNU C\d* 12\.", kernel.read_bytes()):
        assert int(said[-1][3]) == said[-1][1], said


@pytest.fixture
def second_build(job: Job) -> Iterator[str]:
    """A copy of the build, in a folder with a short path, because a socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="ringfence-") as folder:
        ignored = shutil.ignore_patterns("san", "demo", "experiments", "kernels", "*.sock")
        shutil.copytree(job.build, f"{folder}/build", ignore=ignored)
        yield f"{folder}/build"


def test_make_qemu_gdb_and_make_gdb(job: Job, tmp_path: Path, second_build: str) -> None:
    """The two terminals of README.md, twice at the same time: each GDB connects to the machine of its own build."""
    copy_sparse(job.build / "disk.img", tmp_path / "disk.img")
    terminals: list[pexpect.spawn] = []

    def terminal(*words: str) -> pexpect.spawn:
        program, *arguments = command(*words)
        environment = {**clean_environment(), "TERM": "dumb"}
        terminals.append(
            pexpect.spawn(program, arguments, cwd=str(ROOT), env=environment, timeout=60 * patience.scale(), encoding="utf-8")
        )
        return terminals[-1]

    try:
        machines = [terminal("qemu-gdb", f"DISK={tmp_path}/disk.img"), terminal("qemu-gdb", f"BUILD={second_build}")]
        for machine, build in zip(machines, (job.build_for_make, second_build)):
            machine.expect_exact("type 'make gdb" + ("'" if build == "build" else f" BUILD={build}'"))
        gdbs = [terminal(f"GDB={job.gdb}", "gdb"), terminal(f"GDB={job.gdb}", "gdb", f"BUILD={second_build}")]
        for gdb in gdbs:
            gdb.expect_exact("(gdb) ")
            gdb.sendline("break kernel_main")
            gdb.expect(r"Breakpoint 1 at .*kernel/boot/main\.c")
            gdb.sendline("continue")
            gdb.expect(r"hit Breakpoint 1, .*kernel_main")
        for gdb, machine in zip(gdbs, machines):
            assert machine.isalive()
            gdb.sendline("kill")
            gdb.sendline("quit")
            gdb.expect(pexpect.EOF)
            machine.expect(pexpect.EOF)
    finally:
        for each in terminals:
            each.close(force=True)
