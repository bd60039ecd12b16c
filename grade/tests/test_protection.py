"""Memory protection: each forbidden act ends its process with one line, and the page tables are right as seen from
outside."""

from __future__ import annotations

import re
from typing import Callable

import pytest

from grade.machine import binutils
from grade.machine.gdb import run_gdb
from grade.machine.job import Job
from grade.machine.machine import Machine

Boot = Callable[..., Machine]

ACTS = {  # the acts of user/crash.c, and what the kernel must print for each
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
        # The firmware may have printed something before it on the same line.
        assert re.search(rf"crash: pid \d+: killed: .*{re.escape(words)}", said[0]), said[0]
        assert status != 0 and "did no harm" not in output
    # The machine still works.
    assert machine.run("echo alive") == "alive\n"
    machine.power_off()


def test_bad_pointers(machine: Machine) -> None:
    """The kernel refuses addresses that do not belong to the caller, and keeps running."""
    assert machine.run("crash pointers") == ""


# The stack pointer of the program that made the system call with arguments `args`. Its page is readable and writable.
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
    """During a program's system call, when the program's text is mapped at 0, GDB makes the kernel access it: a kernel
    fault."""
    machine = machine_factory(cpus=1, gdb=True, shell=False)
    commands = ["break sys_write", "continue", "delete", "monitor info mem", *act, "continue"]
    text = run_gdb(machine, commands, drive=lambda: machine.expect(r"panic: .*\n"))
    # From QEMU 10 on, even GDB cannot read there, for the same reason as the kernel. So ask for the page tables.
    assert re.search(r"^0{16} [0-9a-f]{16} [0-9a-f]{16} r-xu", text, re.MULTILINE), text
    assert f"kernel fault: {words}" in machine.text, machine.text[-600:]


Mapping = tuple[int, int, str]  # address, length, rights (letters of "rwxug")


def mappings(machine: Machine, cpu: int) -> list[Mapping]:
    text = machine.monitor("info mem", cpu)
    lines = re.findall(r"^([0-9a-f]{16}) [0-9a-f]{16} ([0-9a-f]{16}) (\S+)$", text, re.MULTILINE)
    return [(int(address, 16), int(size, 16), rights) for address, size, rights in lines]


def mappings_where(machine: Machine, cpu: int, wanted: Callable[[list[Mapping]], bool]) -> list[Mapping]:
    """A hart's mappings, as soon as `wanted` accepts them. On a busy host, the hart may take a while to get there."""
    for _ in range(60):
        table = mappings(machine, cpu)
        if wanted(table):
            return table
        machine.run("sleep 1")  # a second of guest time, however slow the host is
    raise AssertionError(f"hart {cpu} never had such mappings; `info mem` last printed:\n{table}")


@pytest.mark.parametrize("cpus", [1, 4])
def test_page_tables(job: Job, machine_factory: Boot, cpus: int) -> None:
    """No page is both writable and executable, programs cannot reach the kernel, and below each stack is a hole."""
    machine = machine_factory(cpus=cpus)
    where = {name: binutils.address(job.build / "kernel.elf", name) for name in ("kernel_start", "text_end", "rodata_end")}
    for cpu in range(cpus):
        # A hart that the host has not run yet is still in the firmware, where paging is off.
        table = mappings_where(machine, cpu, bool)
        for address, size, rights in table:
            assert not ("w" in rights and "x" in rights), f"0x{address:x} is writable and executable"
            if address >> 38:
                assert "u" not in rights, f"0x{address:x} belongs to the kernel, but programs can access it"
        for address, size, rights in table:
            overlaps_text = address < where["text_end"] and address + size > where["kernel_start"]
            overlaps_constants = address < where["rodata_end"] and address + size > where["kernel_start"]
            if "x" in rights and address >> 38:
                assert where["kernel_start"] <= address and address + size <= where["text_end"]
            if overlaps_text or overlaps_constants:
                assert "w" not in rights, f"kernel text or constants at 0x{address:x} can be written"
        # Each kernel stack is a separate mapping, with at least one unmapped page below it.
        stacks = sorted((address, size) for address, size, _ in table if address >= 0xFFFFFFF000000000)
        assert stacks
        merged: list[tuple[int, int]] = []
        for address, size in stacks:
            if merged and sum(merged[-1]) == address:
                merged[-1] = (merged[-1][0], merged[-1][1] + size)
            else:
                merged.append((address, size))
        assert all(size == 4 * 4096 for _, size in merged), "two stacks have no guard page between them"


def test_user_layout(machine_factory: Boot) -> None:
    """In a running program, the text is not writable, the data is not executable, and nothing is mapped below the stack."""
    machine = machine_factory(cpus=1)
    machine.run("fbtest -n 1000000 rects &")  # keeps the hart in this program most of the time
    lower = 1 << 30  # text, data and stack; the framebuffer is higher
    table = mappings_where(machine, 0, lambda table: any(address < lower for address, _, _ in table))
    user = [mapping for mapping in table if mapping[0] < lower]
    assert user[0][0] == 0 and user[0][2].startswith("r-xu"), user
    assert len(user) >= 3, user
    for address, size, rights in user[1:]:
        assert rights.startswith("rw-u"), user
    holes = sum(below[0] + below[1] < above[0] for below, above in zip(user, user[1:]))
    assert holes == 1, f"text and data, a hole, then the stack: {user}"
