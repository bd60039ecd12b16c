"""Watches the wheel from outside the machine: counts what each frame did, and takes pictures at random moments.

    run = watch(job, 640, 480, seed=7, shots=12)     # boots, runs, and ends the machine: takes some seconds

How we count frames: user/roulette/main.c, which students cannot change, executes a mark before each frame. A mark is an
instruction that a QEMU plugin (grade/plugins/frames/frames.c) recognises. The plugin writes each mark, with the number of
instructions so far, into QEMU's trace, between the kicks and flushes and in order of time. QEMU runs with
`-icount shift=0,sleep=off`: the guest's clock advances one nanosecond per instruction. The kernel runs with `poll=0`: it
sleeps when it waits. A sleeping hart executes nothing; a spinning hart pays for each turn.

We use nothing that the guest prints or counts about itself.
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

FIRST = 4  # the model skips this many frames: the first ones draw whole buffers
WINDOW = 96  # the model uses this many frames,
GROUP = 8  # in groups of this many
SLOW = 30e6  # if a frame takes more instructions, use only one group and SLOW_SHOTS pictures
SLOW_SHOTS = 4
EVENTS = ["virtio_gpu_cmd_res_flush", "virtio_gpu_cmd_set_scanout", "virtio_queue_notify"]
SECONDS = 40  # scaled; if no new frame begins for so long, the program hangs

Rect = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass
class Frame:
    """What happened between a mark and the next. The flushes of a frame may come a little later."""

    instructions: int = 0
    waits: int = 0
    polls: int = 0
    kicks: int = 0
    flushes: list[Rect] = field(default_factory=list)
    resource: int = -1  # the resource that was flushed
    last_flush: int = 0  # its place among the events
    wall: float = 0.0  # the host's clock at the first flush, in seconds
    ahead: bool = False  # the program began the next frame before the display showed this one

    @property
    def mib(self) -> float:
        return sum((r - l) * (b - t) for l, t, r, b in self.flushes) * 4 / 2**20


@dataclass(frozen=True)
class Shot:
    """A picture of the screen."""

    image: Image.Image
    place: int  # how many events came before it


@dataclass
class Run:
    build: Path  # the job's build directory
    width: int
    height: int
    wheel_seed: int
    first: int  # the number of frames[0]
    frames: list[Frame]  # the last one is incomplete
    kept: list[Frame]  # the frames that the model uses
    shots: list[Shot]
    console: float  # bytes on the console per frame
    profile: dict[int, tuple[int, int]]  # address of a block: executions, instructions; for all frames together


class FrameReader:
    """Reads the trace as it grows. Assigns kicks and flushes to frames, and counts the events: marks, kicks, flushes."""

    def __init__(self, path: Path) -> None:
        self.trace = TraceReader(path)
        self.events = 0
        self.frames: list[Frame] = []
        self.marks: list[tuple[int, int, int]] = []

    def read(self) -> int:
        """Reads new events. Returns how many frames have begun."""
        for event in self.trace.read():
            self._take(event)
        return len(self.frames)

    def _take(self, event: TraceEvent) -> None:
        if event.name == "frame":
            self._begin((event.number("instructions"), event.number("waits"), event.number("polls")))
        elif self.frames and event.name == "virtio_queue_notify":  # only the display works while the wheel turns
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
        """Assigns a flush to the last frame or to the one before it. It belongs to the frame before if the last frame has
        no kick yet; if the frame before has kicks but no flush yet; or if two resources take turns and the flushed one is
        that of the frame before."""
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
    """Waits until `wanted` frames have begun. Raises Broken if no new frame begins for SECONDS, or the machine ends."""
    last, since = reader.read(), time.monotonic()
    while last < wanted:
        time.sleep(0.001)
        now = reader.read()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > SECONDS * patience.scale(again=True) or not machine.alive:
            raise Broken(
                seen=f"after {last} frames no new frame begins; the console ends with: {_tail(machine)}",
                look="wheel_show(): does it return? what does it wait for?",
            )


def _shoot(machine: Machine, reader: FrameReader) -> Shot:
    """Takes a picture of the screen. Stops the machine first and waits until the device is idle, so nothing changes."""
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
        raise RuntimeError("the device stays busy although the machine is stopped")
    finally:
        machine.qmp.command("cont")


def _spin(machine: Machine, reader: FrameReader, rng: random.Random, shots: int) -> tuple[list[Shot], int]:
    """Takes pictures while the wheel turns. Returns them, and the number of frames for the model."""
    _wait_frames(machine, reader, FIRST + 2)
    slow = reader.frames[FIRST].instructions > SLOW
    window = GROUP if slow else WINDOW
    # Each picture is of a random frame, at a random moment of it: we sleep for a random part of a frame's time.
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
    """The plugin that counts inside QEMU. make builds it only on Linux."""
    return job.build / "host/frames.so"


def watch(job: Job, width: int, height: int, seed: int, shots: int, more: tuple[str, ...] = ()) -> Run:
    """Runs the wheel of the job's build and waits for its end. `seed` chooses the wheel's numbers, the first frame, and the
    moments of the `shots` pictures. `more` holds more arguments for QEMU. Raises Broken if the wheel does not turn."""
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
            raise Broken(seen=f"the wheel does not turn until the end: {error}"[:1500], look="make qemu, then: roulette") from None
