"""Memory protection: each forbidden act ends its process with one line, and what the page tables say from outside."""

from __future__ import annotations

import re
from typing import Callable

import pytest

from grade.machine import binutils
from grade.machine.gdb import run_gdb
from grade.machine.job import Job
from grade.machine.machine import Machine

Boot = Callable[..., Machine]

ACTS = {  # of user/crash.c, and what the kernel must say of it
    "null-write": "cannot write 0x0",
    "text-write": "cannot write 0x",
    "unmapped-read": "cannot read 0x3000000000",
    "wild-read": "cannot read 0x800000000000",
    "kernel-read": "cannot read 0xffffffc080200000",
    "kernel-write": "cannot write 0xffffffc080200000",
    "kernel-jump": "cannot run code at 0xffffffc080200000",
    "memory-read": "cannot read 0xffffffc083000000",
    "memory-write": "cannot write 0xffffffc083000000",
    "device-read": "cannot read 0xffffffc010001000",
    "device-write": "cannot write 0xffffffc010001000",
    "data-jump": "cannot run code at 0x",
    "heap-jump": "cannot run code at 0x",
    "stack-jump": "cannot run code at 0x",
    "stack-overflow": "stack overflow",
    "illegal": "illegal instruction",
    "privileged-read": "illegal instruction",
    "privileged-return": "illegal instruction",
    "privileged-flush": "illegal instruction",
    "breakpoint": "breakpoint",
    "misaligned-atomic": "misaligned",
}


def test_forbidden_acts(machine: Machine) -> None:
    offered = machine.run("crash").split()
    assert set(offered) == set(ACTS) | {"pointers"}
    for act, words in ACTS.items():
        start = len(machine.text)
        status, output = machine.run_status(f"crash {act}")
        said = [line for line in machine.text[start:].splitlines() if "killed" in line]
        assert len(said) == 1, f"crash {act} printed:\n{output}"
        # The firmware may have put a word of its own before it, in the same line.
        assert re.search(rf"crash: pid \d+: killed: .*{re.escape(words)}", said[0]), said[0]
        assert status != 0 and "did no harm" not in output
    # The machine is as well as before.
    assert machine.run("echo alive") == "alive\n"
    machine.power_off()


def test_bad_pointers(machine: Machine) -> None:
    """The kernel refuses addresses that are not the caller's, and lives."""
    assert machine.run("crash pointers") == ""


# The stack pointer of the program whose system call has the arguments `args`: its page can be read and written.
PROGRAMS_SP = "((struct trap_frame *) ((char *) args - (unsigned long) &((struct trap_frame *) 0)->a))->sp"


@pytest.mark.parametrize(
    "act, words",
    [
        (["set $pc = 0"], "cannot run code at 0x0"),
        (["set $a1 = 0", "set $a0 = $sp - 64", "set $a2 = 8", "set $pc = (unsigned long) memcpy"], "cannot read 0x0"),
        ([f"set $a0 = {PROGRAMS_SP}", "set $a1 = 0", "set $a2 = 8", "set $pc = (unsigned long) memset"], "cannot write 0x"),
    ],
    ids=["run", "read", "write"],
)
def test_kernel_cannot_touch_user_memory(machine_factory: Boot, act: list[str], words: str) -> None:
    """In a system call of a program, where its text is mapped at 0, GDB sends the kernel there: that is a fault."""
    machine = machine_factory(cpus=1, gdb=True, shell=False)
    commands = ["break sys_write", "continue", "delete", "monitor info mem", *act, "continue"]
    text = run_gdb(machine, commands, drive=lambda: machine.expect(r"panic: .*\n"))
    # GDB itself may not read there: from QEMU 10 on it is refused as the kernel is. The page tables tell.
    assert re.search(r"^0{16} [0-9a-f]{16} [0-9a-f]{16} r-xu", text, re.MULTILINE), text
    assert f"kernel fault: {words}" in machine.text, machine.text[-600:]


Mapping = tuple[int, int, str]  # address, length, rights as in "rwxug"


def mappings(machine: Machine, cpu: int) -> list[Mapping]:
    text = machine.monitor("info mem", cpu)
    lines = re.findall(r"^([0-9a-f]{16}) [0-9a-f]{16} ([0-9a-f]{16}) (\S+)$", text, re.MULTILINE)
    return [(int(address, 16), int(size, 16), rights) for address, size, rights in lines]


def mappings_where(machine: Machine, cpu: int, wanted: Callable[[list[Mapping]], bool]) -> list[Mapping]:
    """The mappings of a hart, once `wanted` of them: it may take the host a while to let the hart come so far."""
    for _ in range(60):
        table = mappings(machine, cpu)
        if wanted(table):
            return table
        machine.run("sleep 1")  # a second of the guest's, however slow the host is
    raise AssertionError(f"hart {cpu} was never found so; `info mem` says last:\n{table}")


@pytest.mark.parametrize("cpus", [1, 4])
def test_page_tables(job: Job, machine_factory: Boot, cpus: int) -> None:
    """Nothing is writable and executable at once, the kernel is not the user's, stacks have holes below them."""
    machine = machine_factory(cpus=cpus)
    where = {name: binutils.address(job.build / "kernel.elf", name) for name in ("kernel_start", "text_end", "rodata_end")}
    for cpu in range(cpus):
        # A hart that the host has not run yet is still in the firmware, where paging is off.
        table = mappings_where(machine, cpu, bool)
        for address, size, rights in table:
            assert not ("w" in rights and "x" in rights), f"0x{address:x} is writable and executable"
            if address >> 38:
                assert "u" not in rights, f"0x{address:x} is the kernel's, and open to programs"
        for address, size, rights in table:
            overlaps_text = address < where["text_end"] and address + size > where["kernel_start"]
            overlaps_constants = address < where["rodata_end"] and address + size > where["kernel_start"]
            if "x" in rights and address >> 38:
                assert where["kernel_start"] <= address and address + size <= where["text_end"]
            if overlaps_text or overlaps_constants:
                assert "w" not in rights, f"kernel text or constants at 0x{address:x} can be written"
        # The memory of the kernel has no second, writable view of its text: each stack is a mapping of its
        # own, with at least one unmapped page below.
        stacks = sorted((address, size) for address, size, _ in table if address >= 0xFFFFFFF000000000)
        assert stacks
        merged: list[tuple[int, int]] = []
        for address, size in stacks:
            if merged and sum(merged[-1]) == address:
                merged[-1] = (merged[-1][0], merged[-1][1] + size)
            else:
                merged.append((address, size))
        assert all(size == 4 * 4096 for _, size in merged), "two stacks lie side by side without a guard page"


def test_user_layout(machine_factory: Boot) -> None:
    """A running program: its text cannot be written, its data cannot run, and below its stack lies nothing."""
    machine = machine_factory(cpus=1)
    machine.run("fbtest -n 1000000 rects &")  # no other program is of use to the hart for long
    lower = 1 << 30  # text, data and stack; the framebuffer lies higher
    table = mappings_where(machine, 0, lambda table: any(address < lower for address, _, _ in table))
    user = [mapping for mapping in table if mapping[0] < lower]
    assert user[0][0] == 0 and user[0][2].startswith("r-xu"), user
    assert len(user) >= 3, user
    for address, size, rights in user[1:]:
        assert rights.startswith("rw-u"), user
    holes = sum(below[0] + below[1] < above[0] for below, above in zip(user, user[1:]))
    assert holes == 1, f"text and data, a hole, then the stack: {user}"
