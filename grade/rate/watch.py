"""Watch the wheel from outside the machine: what each frame did, and what the screen showed at random moments.

    run = watch(job, 640, 480, seed=7, shots=12)     # boots, runs, ends the machine: some seconds

What counts as a frame: user/roulette/main.c, which is not the student's, executes a mark before each. A QEMU plugin
(grade/plugins/frames/frames.c) notes the marks, with the instructions so far, among the kicks and flushes of QEMU's trace,
in the order of time. QEMU runs with `-icount shift=0,sleep=off`, where the guest's clock advances a nanosecond with each
instruction, and the kernel with `poll=0`, so that it sleeps when it waits. A sleeping hart executes nothing; a spinning
one pays for each turn.

Nothing that the guest prints or counts about itself is used.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from grade.machine import binutils, patience
from grade.machine.console import ConsoleError
from grade.machine.job import Job
from grade.machine.machine import NEVER_GIVE_UP, PROMPT, VIRTUAL_TIME, Machine
from grade.machine.qmp import QmpError
from grade.machine.trace import TraceEvent, TraceReader
from grade.marking.promise import Broken

FIRST = 4  # frames before the model begins: each buffer is drawn whole at first
WINDOW = 96  # frames of the model, in groups of
GROUP = 8
SLOW = 30e6  # instructions a frame from which on WINDOW is one group and SLOW_SHOTS are enough
SLOW_SHOTS = 4
EVENTS = ["virtio_gpu_cmd_res_flush", "virtio_gpu_cmd_set_scanout", "virtio_queue_notify"]
SECONDS = 40  # without a new frame, scaled: the program hangs

Rect = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass
class Frame:
    """What happened from one mark to the next; its flushes may come a little later."""

    instructions: int = 0
    waits: int = 0
    polls: int = 0
    kicks: int = 0
    flushes: list[Rect] = field(default_factory=list)
    resource: int = -1  # that was flushed
    last_flush: int = 0  # its place among the events
    wall: float = 0.0  # host's clock at the first flush, seconds
    ahead: bool = False  # the next frame was begun before this one was shown

    @property
    def mib(self) -> float:
        return sum((r - l) * (b - t) for l, t, r, b in self.flushes) * 4 / 2**20


@dataclass(frozen=True)
class Shot:
    """The screen at a moment."""

    image: Image.Image
    place: int  # among the events: what had happened before


@dataclass
class Run:
    build: Path  # of the job
    width: int
    height: int
    wheel_seed: int
    first: int  # number of frames[0]
    frames: list[Frame]  # the last one is not complete
    kept: list[Frame]  # those of the model
    shots: list[Shot]
    console: float  # bytes of the console for each frame
    profile: dict[int, tuple[int, int]]  # address of a block: executions, instructions; of all frames together


class FrameReader:
    """The trace as it grows: marks, kicks and flushes go to their frames, and all of them are counted."""

    def __init__(self, path: Path) -> None:
        self.trace = TraceReader(path)
        self.events = 0
        self.frames: list[Frame] = []
        self.marks: list[tuple[int, int, int]] = []

    def read(self) -> int:
        """Takes in what is new; the number of frames begun."""
        for event in self.trace.read():
            self._take(event)
        return len(self.frames)

    def _take(self, event: TraceEvent) -> None:
        if event.name == "frame":
            self._begin((event.number("instructions"), event.number("waits"), event.number("polls")))
        elif self.frames and event.name == "virtio_queue_notify":  # only the display has anything to do while the wheel turns
            self.frames[-1].kicks += 1
        elif self.frames and event.name == "virtio_gpu_cmd_res_flush":
            self._flushed(event)
        else:
            return
        self.events += 1

    def _begin(self, now: tuple[int, int, int]) -> None:
        if self.frames:
            frame, before = self.frames[-1], self.marks[-1]
            frame.instructions, frame.waits, frame.polls = (b - a for a, b in zip(before, now))
        self.marks.append(now)
        self.frames.append(Frame())

    def _flushed(self, flush: TraceEvent) -> None:
        """Belongs to the frame begun last, unless that has not been kicked off yet, or the one before still waits for its
        own: for its first, or, where two resources take turns, for others of its resource."""
        resource = flush.number("res")
        frame = self.frames[-1]
        if len(self.frames) > 1 and not frame.flushes:
            before = self.frames[-2]
            turns = len(self.frames) > 2 and self.frames[-3].resource not in (-1, resource)
            if not frame.kicks or (before.kicks and not before.flushes) or (turns and before.resource == resource):
                frame = before
                frame.ahead = True
        left, top = flush.number("x"), flush.number("y")
        frame.flushes.append((left, top, left + flush.number("w"), top + flush.number("h")))
        frame.resource, frame.last_flush = resource, self.events
        frame.wall = frame.wall or flush.time


# ---- watching ----


def _tail(machine: Machine) -> str:
    return " / ".join(machine.text.splitlines()[-3:])


def _wait_frames(machine: Machine, reader: FrameReader, wanted: int) -> None:
    """Until so many frames have begun."""
    last, since = reader.read(), time.monotonic()
    while last < wanted:
        time.sleep(0.001)
        now = reader.read()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > SECONDS * patience.scale(again=True) or not machine.alive:
            raise Broken(
                seen=f"after {last} frames no other one begins; the console ends with: {_tail(machine)}",
                look="wheel_show(): does it return? what does it wait for?",
            )


def _shoot(machine: Machine, reader: FrameReader) -> Shot:
    """The screen, with the machine stopped, and with the device idle: nothing happens while the picture is taken."""
    assert machine.qmp is not None
    machine.qmp.command("stop")
    try:
        for _ in range(20):
            machine.qmp.command("query-status")
            reader.read()
            before = reader.events
            image = machine.screendump()
            reader.read()
            if reader.events == before:
                return Shot(image, before)
        raise RuntimeError("the device does not come to rest while the machine is stopped")
    finally:
        machine.qmp.command("cont")


def _spin(machine: Machine, reader: FrameReader, rng: random.Random, shots: int) -> tuple[list[Shot], int]:
    """Takes the pictures while the wheel turns; them, and how many frames the model is to have."""
    _wait_frames(machine, reader, FIRST + 2)
    slow = reader.frames[FIRST].instructions > SLOW
    window = GROUP if slow else WINDOW
    # The moment within the frame is as random as the frame: a share of the time that one takes.
    started, begun = time.monotonic(), reader.read()
    taken = []
    for number in sorted(rng.sample(range(FIRST, FIRST + window), min(SLOW_SHOTS, shots) if slow else shots)):
        before = reader.read()
        _wait_frames(machine, reader, max(number, before + 1))
        frame_time = (time.monotonic() - started) / max(1, reader.read() - begun)
        time.sleep(rng.random() * min(frame_time, 2.0))
        taken.append(_shoot(machine, reader))
    _wait_frames(machine, reader, FIRST + window + 2)
    return taken, window


def _profile(path: Path) -> dict[int, tuple[int, int]]:
    blocks: dict[int, tuple[int, int]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        address, length, count = (int(word, 0) for word in line.split())
        runs, instructions = blocks.get(address, (0, 0))
        blocks[address] = (runs + count, instructions + count * length)
    return blocks


def plugin(job: Job) -> Path:
    """What counts inside QEMU. It is built on Linux only."""
    return job.build / "host/frames.so"


def watch(job: Job, width: int, height: int, seed: int, shots: int, more: tuple[str, ...] = ()) -> Run:
    """Runs the wheel of the job's build. `seed` decides the wheel's numbers, the first frame, and when the `shots` pictures are taken; `more`
    are further arguments for QEMU. Raises Broken if the wheel does not turn."""
    rng = random.Random(seed)
    wheel_seed, first = rng.randrange(1_000_000), rng.randrange(1_000, 100_000)
    with tempfile.TemporaryDirectory(prefix="ringfence-judge-") as folder:
        profile = Path(folder) / "profile"
        polls = binutils.address(job.build / "kernel.elf", "poll_used")
        extra = [*VIRTUAL_TIME, "-d", "plugin", *more]
        extra += ["-plugin", f"{plugin(job)},profile={profile},polls={polls:#x}"]
        try:
            with Machine(job, cpus=1, args=f"poll=0 {NEVER_GIVE_UP}", rng=False, trace=EVENTS, extra=extra) as machine:
                reader = FrameReader(machine.trace_file)
                machine.send(f"roulette -q -f 0 -r {width}x{height} -s {wheel_seed} -o {first}\n")
                start = machine.expect(r"any key ends it\n", quiet=90).end()
                taken, window = _spin(machine, reader, rng, shots)
                machine.send("q")
                end = machine.expect(PROMPT, quiet=60).start()
                reader.read()
                assert machine.qmp is not None
                machine.qmp.command("quit")
                machine.wait()
                console = (end - start) / max(1, len(reader.frames))
                kept = reader.frames[FIRST : FIRST + window]
                return Run(job.build, width, height, wheel_seed, first, reader.frames, kept, taken, console, _profile(profile))
        except (ConsoleError, QmpError) as error:
            raise Broken(seen=f"the wheel does not turn to its end: {error}"[:1500], look="make qemu, then: roulette") from None
