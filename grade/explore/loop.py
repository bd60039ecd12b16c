"""make loop [FUNCTION=virtq_poll]: shows the compiled loops of a kernel function, with the source next to them.

A star marks each load from the rings: the device may write to that memory at any moment. GDB disassembles the code, so the
output is the same for every compiler. Inlined functions appear inside their callers.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from grade.machine.job import Job

BRANCH = re.compile(r"^(?:b\w+|c\.b\w+|j|c\.j)$")
ALWAYS = re.compile(r"^(?:j|c\.j)$")
LOAD = re.compile(r"^(?:c\.)?(?:l[bhwd]u?|lr\.[wd](?:\.\w+)?)$")
WRITES_NONE = re.compile(r"^(?:c\.)?(?:s[bhwd]|sdsp|swsp|b\w+|j|jr|ret|fence\S*)$")


@dataclass
class Instruction:
    address: int
    text: str  # "lhu a1,2(a4)"
    line: int  # the source line; 0: unknown
    shared: bool = False  # true if it loads from a ring

    @property
    def name(self) -> str:
        return self.text.split()[0]

    @property
    def operands(self) -> list[str]:
        return re.split(r"[,()\s]+", self.text.split(None, 1)[1].strip("()")) if " " in self.text else []

    @property
    def base(self) -> str:
        """The register that holds the address of a memory access, or ""."""
        found = re.search(r"\((\w+)\)", self.text)
        return found[1] if found else ""

    @property
    def offset(self) -> int:
        """The distance of a memory access from its base register, in bytes."""
        found = re.search(r"(-?\d+)\(\w+\)", self.text)
        return int(found[1]) if found else 0

    @property
    def target(self) -> Optional[int]:
        """The address that a branch or jump inside the function goes to."""
        found = re.search(r"(0x[0-9a-f]+) <", self.text) or re.search(r"(0x[0-9a-f]+)$", self.text)
        return int(found[1], 16) if found and BRANCH.match(self.name) else None

    @property
    def calls(self) -> bool:
        return self.name in ("jal", "jalr", "call", "c.jal", "c.jalr")


@dataclass
class Function:
    name: str
    code: list[Instruction] = field(default_factory=list)
    source: dict[int, str] = field(default_factory=dict)  # line number: text

    def loops(self) -> list[list[Instruction]]:
        """The loops of the function. From each instruction of a loop you can reach all others of it and come back. Both the
        loops and their instructions are in order of address."""
        at = {each.address: i for i, each in enumerate(self.code)}
        after: list[list[int]] = []
        for i, each in enumerate(self.code):
            ends = ALWAYS.match(each.name) or each.name in ("ret", "jr") or i + 1 == len(self.code)
            after.append(([] if ends else [i + 1]) + ([at[each.target]] if each.target in at else []))
        reached = [self._reach(i, after) for i in range(len(self.code))]
        loops: list[list[Instruction]] = []
        seen: set[int] = set()
        for i in range(len(self.code)):
            if i in reached[i] and i not in seen:
                body = [j for j in sorted(reached[i]) if i in reached[j]]
                seen.update(body)
                loops.append([self.code[j] for j in body])
        return loops

    @staticmethod
    def _reach(start: int, after: list[list[int]]) -> set[int]:
        found: set[int] = set()
        todo = list(after[start])
        while todo:
            i = todo.pop()
            if i not in found:
                found.add(i)
                todo += after[i]
        return found


def mark_shared(code: list[Instruction], fields: set[int]) -> None:
    """Sets `shared` for each load from a ring. `fields` are the offsets of the ring pointers in struct virtq. We follow
    these pointers through the registers, from the first instruction to the last."""
    pointers: set[str] = set()
    for each in code:
        operands = each.operands
        if not operands or WRITES_NONE.match(each.name):
            continue
        target, sources = operands[0], operands[1:]
        each.shared = bool(LOAD.match(each.name)) and each.base in pointers
        if LOAD.match(each.name):
            ours = each.base in ("sp", "s0", "fp") or each.shared  # from the stack, or from a ring itself
            is_pointer = each.name in ("ld", "c.ld") and not ours and each.offset in fields
        else:
            is_pointer = any(name in pointers for name in sources)
        (pointers.add if is_pointer else pointers.discard)(target)


def _gdb(gdb: str, elf: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    command = [gdb, "-q", "-nx", "-batch"]
    for each in commands:
        command += ["-ex", each]
    return subprocess.run([*command, str(elf)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def disassemble(job: Job, elf: Path, name: str) -> Function:
    """Disassembles a function of a kernel or of one of its object files. Raises LookupError if it has no such function."""
    offsets = [f"print (long)&((struct virtq *)0)->{field}" for field in ("desc", "avail", "used")]
    done = _gdb(job.gdb, elf, *offsets, f"disassemble /s {name}")
    fields = {int(found) for found in re.findall(r"^\$\d+ = (\d+)$", done.stdout, re.MULTILINE)}
    function, line = Function(name), 0
    for text in done.stdout.splitlines():
        code = re.match(r"^ +(0x[0-9a-f]+) <\+\d+>:\s+(.*)$", text)
        number = re.match(r"^(\d+)(?:\t(.*))?$", text)
        if code:
            words = code[2].split(None, 1)
            function.code.append(Instruction(int(code[1], 16), " ".join(words), line))
        elif number:
            line = int(number[1])
            function.source[line] = (number[2] or "").strip()
    if not function.code:
        raise LookupError(f"{elf} has no function {name}: {done.stderr.strip()}")
    mark_shared(function.code, fields)
    return function


def show(function: Function) -> str:
    loops = function.loops()
    inside = {each.address: n for n, body in enumerate(loops, 1) for each in body}
    lines = [f"{function.name}: {len(function.code)} instructions, {len(loops)} loop{'' if len(loops) == 1 else 's'}"]
    lines.append("loop  load from a ring")
    last = 0
    for each in function.code:
        said = function.source.get(each.line, "") if each.line != last else ""
        last = each.line
        loop = str(inside.get(each.address, ""))
        lines.append(f"{loop:>3}  {'*' if each.shared else ' '} {each.address:x}  {each.text:44} {said}".rstrip())
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--function", default="virtq_poll")
    parser.add_argument("elf", type=Path)
    given = parser.parse_args()
    try:
        print(show(disassemble(Job.from_environment(), given.elf, given.function)), flush=True)
    except BrokenPipeError:  # the reader, such as head, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (LookupError, OSError) as error:
        print(f"loop: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
