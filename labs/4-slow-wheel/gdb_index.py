"""What GDB can do more in this lab.

    (gdb) virtq gpu          also: the index in memory, the one taken last, and the one that is compared
    (gdb) virtq-break gpu    stop where this queue's index is compared, once the device has nothing more to do

Which register that is, the machine code tells: the function that is being executed is read from its first instruction
to its last, following the index from the load to wherever it is copied. (The compiler's own notes for the debugger, by
which `print used_idx` works, may send GDB to the ring instead of to the register.)
"""

from __future__ import annotations

import re
from typing import Any, Callable, NamedTuple, Optional

import gdb
find: Callable[[str], Any]  # the queue of that name: grade/show/gdb_virtq.py gives it to us

# What a register or a stack slot may hold.
RING, LAST, INDEX, WORD = "used", "last_used", "the index", "flags and index"


class Value(NamedTuple):
    what: str
    offset: int = 0  # RING: added to q->used
    load: int = 0  # INDEX: pc of the load


State = dict[str, Value]  # by the name of a register, or "offset(register)" for a slot of the stack
LOADS = {"lbu", "lb", "lhu", "lh", "lwu", "lw", "ld"}
COPIES = {"mv", "sext.w", "zext.h", "zext.w", "sext.h", "addiw", "andi", "slliw", "slli"}
RIGHT_SHIFTS = {"srli", "srai", "srliw", "sraiw"}
LEAVES = {"j", "ret", "jr", "tail"}
CLOBBERED = {"ra", *(f"t{i}" for i in range(7)), *(f"a{i}" for i in range(8))}
SHORT = {name[:-1]: name for name in ("addi", "andi", "slli", "srli", "srai")}  # GDB 13 prints `add a0,a0,1`
SHORT |= {f"{name[:-2]}w": name for name in ("addiw", "slliw", "srliw", "sraiw")}


class Instruction(NamedTuple):
    pc: int
    next: int
    name: str
    operands: list[str]
    text: str

    @property
    def target(self) -> Optional[int]:
        """Where a branch or jump goes."""
        found = re.search(r"0x[0-9a-f]+", self.operands[-1]) if self.operands else None
        return int(found.group(), 16) if found else None


class Compare(NamedTuple):
    """An instruction that holds the index against last_used."""

    instruction: Instruction
    register: str


def read_function(pc: int) -> list[Instruction]:
    """The instructions of the function around pc, inlined ones included."""
    block = gdb.block_for_pc(pc)
    while block is not None and (block.function is None or block.superblock.function is not None):
        block = block.superblock
    if block is None:
        return []
    lines = gdb.selected_inferior().architecture().disassemble(block.start, block.end - 1)
    result = []
    for line in lines:
        text = re.sub(r"\s*(#.*|<[^>]*>)", "", line["asm"])
        name, _, rest = text.partition("\t")
        operands = [word.strip() for word in rest.split(",")] if rest else []
        if name in SHORT and operands and re.fullmatch(r"-?(0x[0-9a-f]+|\d+)", operands[-1]):
            name = SHORT[name]
        shown = f"{name} {','.join(operands)}"
        result.append(Instruction(line["addr"], line["addr"] + line["length"], name, operands, shown))
    return result


def field(name: str) -> int:
    """The offset of a field of struct virtq."""
    return next(f.bitpos // 8 for f in gdb.lookup_type("struct virtq").fields() if f.name == name)


def address(state: State, operand: str) -> tuple[Optional[Value], int, bool]:
    """Of "16(a0)": what a0 holds, the offset, and whether it is a slot of the stack."""
    found = re.fullmatch(r"(-?\d*)\(?(\w+)\)?", operand)
    if not found:
        return None, 0, False
    offset, base = int(found.group(1) or 0), found.group(2)
    return state.get(base), offset, base in ("sp", "s0", "fp")


def loaded(state: State, i: Instruction) -> Optional[Value]:
    base, offset, on_stack = address(state, i.operands[1])
    if on_stack:
        return state.get(i.operands[1])
    if base is not None and base.what == RING:
        offset += base.offset
        if i.name in ("lhu", "lh") and offset == 2:
            return Value(INDEX, load=i.pc)
        if offset == 0 and (i.name in ("lw", "lwu") or i.name.startswith("lr.w")):
            return Value(WORD, load=i.pc)
        return None
    if i.name == "ld" and offset == field("used"):
        return Value(RING)
    if i.name in ("lhu", "lh") and offset == field("last_used"):
        return Value(LAST)
    return None


def computed(state: State, i: Instruction) -> Optional[Value]:
    """What the instruction leaves in its first operand."""
    if i.name in LOADS or i.name.startswith("lr."):
        return loaded(state, i)
    source = state.get(i.operands[1]) if len(i.operands) > 1 else None
    if source is None:
        return None
    if i.name == "addi" and source.what == RING:
        return source._replace(offset=source.offset + int(i.operands[2], 0))
    if i.name in RIGHT_SHIFTS:
        return Value(INDEX, load=source.load) if source.what == WORD and int(i.operands[2], 0) == 16 else source
    return source if i.name in COPIES or (i.name == "and" and source.what == INDEX) else None


def step(state: State, i: Instruction) -> State:
    """What is where after the instruction."""
    state = dict(state)
    if i.name in ("sb", "sh", "sw", "sd"):
        held = state.get(i.operands[0])
        if address(state, i.operands[1])[2]:
            state.pop(i.operands[1], None)
            if held is not None:
                state[i.operands[1]] = held
    elif i.name in ("jal", "jalr", "call") and i.operands[:1] != ["zero"]:
        state = {key: value for key, value in state.items() if key not in CLOBBERED}
    elif not i.name.startswith(("b", "fence")) and i.name not in LEAVES and i.operands:
        value = computed(state, i)
        state.pop(i.operands[0], None)
        if value is not None:
            state[i.operands[0]] = value
    return state


def follow(code: list[Instruction]) -> dict[int, State]:
    """What every register is known to hold before each instruction, whichever way it was reached."""
    by_pc = {i.pc: i for i in code}
    before: dict[int, State] = {code[0].pc: {}}
    work = [code[0].pc]
    while work:
        i = by_pc[work.pop()]
        after = step(before[i.pc], i)
        ways = [i.target] if i.name.startswith("b") or i.name == "j" else []
        ways += [] if i.name in LEAVES else [i.next]
        for way in ways:
            if way not in by_pc:
                continue
            old = before.get(way)
            new = after if old is None else {key: value for key, value in old.items() if after.get(key) == value}
            if new != old:
                before[way] = new
                work.append(way)
    return before


def compares(code: list[Instruction], before: dict[int, State]) -> list[Compare]:
    found = []
    for i in code:
        state = before.get(i.pc, {})
        sources = i.operands[:2] if i.name in ("beq", "bne") else i.operands[1:3]
        held = {state[word].what: word for word in sources if word in state}
        if i.name in ("beq", "bne", "sub", "subw", "xor") and set(held) == {INDEX, LAST}:
            found.append(Compare(i, held[INDEX]))
    return found


# ---- what a frame knows ----


def looking_frame() -> Optional[tuple[gdb.Frame, Compare, State]]:
    """The newest frame whose function compares the index, the compare, and what is where; inlined ones are their caller's."""
    try:
        frame: Optional[gdb.Frame] = gdb.newest_frame()
    except gdb.error:
        return None
    for _ in range(8):  # it calls nothing deep
        if frame is None:
            return None
        code = read_function(frame.pc()) if frame.type() != gdb.INLINE_FRAME else []
        before = follow(code) if code else {}
        found = compares(code, before)
        if found:
            return frame, found[0], before.get(frame.pc(), {})
        frame = frame.older()
    return None


def owner(frame: gdb.Frame) -> Optional[int]:
    """The queue that the function is looking at: its argument q, None where the compiler keeps it no more."""
    try:
        value = frame.read_var("q")
        return None if value.is_optimized_out else int(value)
    except (ValueError, gdb.error):
        return None


def read(frame: gdb.Frame, place: str) -> int:
    """The 16 bits in a register, or in a slot of the frame."""
    found = re.fullmatch(r"(-?\d*)\((\w+)\)", place)
    if not found:
        return int(frame.read_register(place)) & 0xFFFF
    at = (int(frame.read_register(found.group(2))) + int(found.group(1) or 0)) & (2**64 - 1)
    return int(gdb.parse_and_eval(f"*(unsigned short *){at:#x}"))


def debuggers_idea(ring_index: gdb.Value) -> list[str]:
    """What `print used_idx` would show, where that is not the register."""
    try:
        value = gdb.selected_frame().read_var("used_idx")
    except (ValueError, gdb.error):
        return []
    if value.is_optimized_out:
        return ["                   (`print used_idx`: optimized out here)"]
    if value.address is not None and int(value.address) == int(ring_index.address):
        return ["                   (`print used_idx` reads the ring's memory here, not this register)"]
    return []


def index_section(queue: Any) -> list[str]:
    memory = queue.used_idx
    lines = [f"  index in memory  {memory}", f"  index last taken {queue['last_used']}"]
    found = looking_frame()
    if found is None:
        return lines + ["  index compared   none: this hart is not in a function that compares it (`thread`: another hart)"]
    frame, compare, state = found
    if owner(frame) not in (None, int(queue.virtq.address)):
        return lines + ["  index compared   none: this hart is looking at another queue"]
    place = f"`{compare.instruction.text}` at {compare.instruction.pc:#x}"
    held = sorted((name for name, value in state.items() if value.what == INDEX), key=lambda n: n != compare.register)
    if not held:
        return lines + [f"  index compared   in no register just here; {place} compares it in {compare.register}"]
    value = read(frame, held[0])
    lines.append(f"  index compared   {value}, in {held[0]}: loaded at {state[held[0]].load:#x}, compared by {place}")
    lines += debuggers_idea(queue.virtq["used"]["idx"])
    return lines + [f"  memory and what is compared {'agree' if value == memory else 'DISAGREE'}"]


sections = [index_section]

# ---- stopping there ----


class CompareBreakpoint(gdb.Breakpoint):
    """Where the index is compared; stops when the device has answered all, and the driver has not taken all."""

    def __init__(self, pc: int, queue: Any) -> None:
        super().__init__(f"*{pc:#x}")
        self.queue = queue

    def stop(self) -> bool:
        q = self.queue
        found = looking_frame()
        mine = found is not None and owner(found[0]) in (None, int(q.virtq.address))
        return mine and q.used_idx == q.avail_idx != q["last_used"]


class VirtqBreak(gdb.Command):
    """virtq-break gpu: stop where this queue's index is compared, once the device has nothing more to do."""

    def __init__(self) -> None:
        super().__init__("virtq-break", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument: str, from_tty: bool) -> None:
        queue = find(argument.strip() or "gpu")
        places = set()
        for location in gdb.decode_line("poll_used")[1] or ():  # itself, and each copy that was inlined
            code = read_function(location.pc)
            places |= {compare.instruction.pc for compare in (compares(code, follow(code)) if code else [])}
        if not places:
            raise gdb.GdbError("virtq-break: nothing in poll_used compares used->idx; see `disassemble /s virtq_poll`")
        for pc in sorted(places):
            CompareBreakpoint(pc, queue)


VirtqBreak()
