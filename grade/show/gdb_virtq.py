"""GDB's command `virtq`: shows a queue's rings as they are in memory now.

    (gdb) virtq            a line for each queue
    (gdb) virtq gpu        one queue: its rings and the chains in flight (gpu, disk, rng)

    (gdb) break poll_used if $virtq("gpu")

.gdbinit runs this file in GDB's own Python. It reads the machine's memory and changes nothing. A lab may add output: we
load each labs/*/gdb_*.py, with find() below as a global. Its list `sections` holds functions; each takes a queue and
returns lines to print.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Callable, Iterator

import gdb

ROOT = Path(__file__).resolve().parents[2]  # not from `grade`: GDB's Python does not look for modules here
NICKNAMES = {"disk": "blk"}  # the labs' name for the device, and the queue's name in the kernel
NO_NOTIFY = NO_INTERRUPT = 1  # VirtIO 1.2, 2.7.7 and 2.7.10
NEXT, WRITE = 1, 2  # VirtIO 1.2, 2.7.5


class Queue:
    """A `struct virtio_queue` in the kernel."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value
        self.virtq = value["virtq"]
        self.name = self.virtq["name"].string()
        self.size = int(self.virtq["size"])
        self.mask = self.size - 1

    def __getitem__(self, field: str) -> int:
        """A numeric field of `struct virtq`. Only the driver writes these."""
        return int(self.virtq[field])

    @property
    def avail_idx(self) -> int:
        return int(self.virtq["avail"]["idx"])

    @property
    def used_idx(self) -> int:
        """The device's index in memory now."""
        return int(self.virtq["used"]["idx"])

    def done(self) -> list[int]:
        """The heads of the chains that the device has finished and the driver has not taken yet."""
        ahead = min((self.used_idx - self["last_used"]) & 0xFFFF, self.size)
        return [int(self.virtq["used"]["ring"][(self["last_used"] + i) & self.mask]["id"]) for i in range(ahead)]

    def chains(self) -> Iterator[tuple[int, list[gdb.Value]]]:
        """The head and the descriptors of each chain in flight."""
        for head in range(self.size):
            chain = self.virtq["chain"][head]
            if int(chain["token"]) == 0:
                continue
            descriptors, i = [], head
            for _ in range(min(int(chain["count"]), self.size)):
                descriptors.append(self.virtq["desc"][i])
                i = int(self.virtq["chain"][i]["next"]) & self.mask
            yield head, descriptors


sections: list[Callable[[Queue], list[str]]] = []


def queues() -> list[Queue]:
    found = []
    try:
        value = gdb.parse_and_eval("virtio_queues")
        while int(value):
            found.append(Queue(value.dereference()))
            value = value["next"]
    except gdb.MemoryError:
        raise gdb.GdbError("virtq: the kernel has not turned paging on yet: continue, and stop later") from None
    except gdb.error as error:
        raise gdb.GdbError(f"virtq: {error}") from None
    if not found:
        raise gdb.GdbError("virtq: there is no queue yet: drivers create them while the kernel boots")
    return found


def find(word: str) -> Queue:
    wanted = NICKNAMES.get(word, word)
    found = [queue for queue in queues() if queue.name.startswith(wanted)]
    if not found:
        names = ", ".join(queue.name for queue in queues())
        raise gdb.GdbError(f"virtq: no queue {word}; there are {names}")
    return found[0]


def buffer(descriptor: gdb.Value) -> str:
    flags = int(descriptor["flags"])
    way = "device writes" if flags & WRITE else "device reads"
    return f"{int(descriptor['len'])} bytes at {int(descriptor['addr']):#x} ({way})"


def rings(queue: Queue) -> list[str]:
    state = f", BROKEN: {queue.virtq['broken_by'].string()}" if queue["broken"] else ""
    kicks = "no kicks, please" if int(queue.virtq["used"]["flags"]) & NO_NOTIFY else "kicks wanted"
    interrupts = "no interrupts, please" if int(queue.virtq["avail"]["flags"]) & NO_INTERRUPT else "interrupts wanted"
    return [
        f"{queue.name}: {queue.size} descriptors, {queue['free_count']} free{state}",
        f"  available ring   avail->idx {queue.avail_idx}, the next chain goes to {queue['avail_next']}; {interrupts}",
        f"  used ring        used->idx {queue.used_idx}, last_used {queue['last_used']}; {kicks}",
    ]


def in_flight(queue: Queue) -> list[str]:
    done = queue.done()
    published = {
        int(queue.virtq["avail"]["ring"][i & queue.mask])
        for i in range(queue.avail_idx - min(queue["in_flight"], queue.size), queue.avail_idx)
    }
    lines = [f"  in flight        {queue['in_flight']} chains"]
    for head, descriptors in queue.chains():
        where = "done, not taken" if head in done else "with the device" if head in published else "not published"
        lines.append(f"    {head:4} {where:16} " + ", ".join(map(buffer, descriptors)))
    return lines


class VirtqCommand(gdb.Command):
    """virtq [gpu|disk|rng]: shows a queue's rings and the chains in flight. Without a name: one line per queue."""

    def __init__(self) -> None:
        super().__init__("virtq", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        if argument.strip():
            queue = find(argument.strip())
            lines = rings(queue) + in_flight(queue)
            for section in sections:
                lines += section(queue)
        else:
            lines = [
                f"{queue.name:14} avail->idx {queue.avail_idx:5}  used->idx {queue.used_idx:5}  "
                f"last_used {queue['last_used']:5}  in flight {queue['in_flight']:3}"
                for queue in queues()
            ]
        print("\n".join(lines))

    def complete(self, text: str, word: str) -> list[str]:
        return [name for name in ("gpu", "disk", "rng") if name.startswith(word)]


class QueueFunction(gdb.Function):
    """$virtq("gpu"): true if the current function, or one of its three nearest callers, works on that queue. Use it as the
    condition of a breakpoint.

    It looks for a variable q in each frame. In inlined functions the compiler often removes it.
    """

    def __init__(self) -> None:
        super().__init__("virtq")

    def invoke(self, name: gdb.Value) -> bool:
        wanted = int(find(name.string()).virtq.address)
        frame = gdb.selected_frame()
        for _ in range(4):
            if frame is None:
                break
            try:
                q = frame.read_var("q")
                if not q.is_optimized_out:
                    return int(q) == wanted
            except ValueError:  # no such variable
                pass
            frame = frame.older()
        return False


def install() -> None:
    VirtqCommand()
    QueueFunction()
    for extra in sorted(ROOT.glob("labs/*/gdb_*.py")):
        sections.extend(runpy.run_path(str(extra), {"find": find})["sections"])


install()
