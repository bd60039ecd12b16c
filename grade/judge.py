"""The judge of frame rates: watches the wheel from outside the machine and says how fast it would turn on the course's
model machine.

A real machine's frame rate depends on who else uses the host. So what a frame costs is counted, not timed:

    frame time = instructions x 1 ns  +  kicks x PRICES.kick  +  MiB shown x PRICES.mib  +  console bytes x PRICES.byte
    modelled frames/s = 1 / (median over groups of eight frames of their mean frame time)

Instructions are those of the machine's one hart, counted by a QEMU plugin (grade/frames/frames.c); QEMU runs with
`-icount shift=0,sleep=off`, where the guest's clock advances a nanosecond with each, and the kernel with `poll=0`, so
that it sleeps when it waits. A sleeping hart executes nothing and pays nothing; a spinning one pays for each turn. What
the host does costs no instruction and has a price instead (docs/grading.md; `make calibrate` measures what it costs here).
The mean of eight keeps anyone from hiding work in every other frame, the median keeps a rare event out.

What counts as a frame: user/roulette/main.c, which is not the student's, executes a mark before each. Kicks and
flushes are lines of QEMU's trace, which has the marks among them in the order of time. A screen counts if it is paused at
a random moment and shows, pixel for pixel, the last frame that was flushed (or the one whose commands are under way).
The device answers a kick whole before it looks at the monitor again, so such a pause never cuts into its work.

    run = watch(640, 480, seed=7, shots=12)     # boots, runs, ends the machine: some seconds
    model(run).rate, model(run).kicks           # the model
    look(run, run.shots[0], Painter(run, host))  # a screen

Nothing that the guest prints or counts about itself is used. Units: nanoseconds, MiB of 2^20 bytes, frames/s.
"""

from __future__ import annotations

import argparse
import bisect
import io
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Optional

from PIL import Image, ImageChops

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from grade import binutils, calibrate
from grade.console import ConsoleError
from grade.machine import BUILD, NEVER_GIVE_UP, PROMPT, VIRTUAL_TIME, Machine, trace_line
from grade.promise import Broken
from grade.qmp import QmpError


@dataclass(frozen=True)
class Prices:
    """Nanoseconds for what costs the guest no instruction."""

    kick: float = 50_000  # a doorbell: out of the machine, the device's answer, and back
    mib: float = 50_000  # copying and showing a MiB of pixels
    byte: float = 2_000  # a byte of the serial console


PRICES = Prices()

FIRST = 4  # frames before the model begins: each buffer is drawn whole at first
WINDOW = 96  # frames of the model, in groups of
GROUP = 8
SLOW = 30e6  # instructions a frame from which on WINDOW is one group and SLOW_SHOTS are enough
SLOW_SHOTS = 4
PLUGIN = BUILD / "host/frames.so"
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
    width: int
    height: int
    wheel_seed: int
    first: int  # number of frames[0]
    frames: list[Frame]  # the last one is not complete
    kept: list[Frame]  # those of the model
    shots: list[Shot]
    console: float  # bytes of the console for each frame
    profile: dict[int, tuple[int, int]]  # address of a block: executions, instructions; of all frames together


class _Log:
    """QEMU's log as it grows. Events are counted; marks, kicks and flushes go to their frames."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.events = 0
        self.frames: list[Frame] = []
        self.marks: list[tuple[int, int, int]] = []
        self.gpu = ""

    def read(self) -> int:
        """Takes in what is new; the number of frames begun."""
        if self.path.exists():
            with self.path.open("rb") as log:
                log.seek(self.offset)
                data = log.read()
            data = data[: data.rfind(b"\n") + 1]
            self.offset += len(data)
            for line in data.decode(errors="replace").splitlines():
                self._take(trace_line(line))
        return len(self.frames)

    def _take(self, line: str) -> None:
        mark = re.search(r"^(?:\S+:)?frame instructions=(\d+) waits=(\d+) polls=(\d+)", line)
        if mark:
            now = tuple(int(value) for value in mark.groups())
            if self.frames:
                frame, before = self.frames[-1], self.marks[-1]
                frame.instructions, frame.waits, frame.polls = (b - a for a, b in zip(before, now))
            self.marks.append(now)
            self.frames.append(Frame())
            self.events += 1
            return
        flush = re.search(r"@(\d+\.\d+):virtio_gpu_cmd_res_flush res (\w+), w (\d+), h (\d+), x (\d+), y (\d+)", line)
        if self.frames and "virtio_queue_notify" in line:  # only the display has anything to do while the wheel turns
            self.frames[-1].kicks += 1
        elif self.frames and flush:
            self._flushed(float(flush[1]), int(flush[2], 0), *map(int, flush.groups()[2:]))
        else:
            return
        self.events += 1

    def _flushed(self, wall: float, resource: int, width: int, height: int, x: int, y: int) -> None:
        """Belongs to the frame begun last, unless that has not been kicked off yet, or the one before still waits for its
        own: for its first, or, where two resources take turns, for others of its resource."""
        frame = self.frames[-1]
        if len(self.frames) > 1 and not frame.flushes:
            before = self.frames[-2]
            turns = len(self.frames) > 2 and self.frames[-3].resource not in (-1, resource)
            if not frame.kicks or (before.kicks and not before.flushes) or (turns and before.resource == resource):
                frame = before
                frame.ahead = True
        frame.flushes.append((x, y, x + width, y + height))
        frame.resource, frame.last_flush = resource, self.events
        frame.wall = frame.wall or wall


# ---- watching ----


def _tail(machine: Machine) -> str:
    return " / ".join(machine.text.splitlines()[-3:])


def _wait_frames(machine: Machine, log: _Log, wanted: int) -> None:
    """Until so many frames have begun."""
    last, since = log.read(), time.monotonic()
    while last < wanted:
        time.sleep(0.001)
        now = log.read()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > SECONDS * calibrate.scale(again=True) or machine.process.poll() is not None:
            raise Broken(
                seen=f"after {last} frames no other one begins; the console ends with: {_tail(machine)}",
                look="wheel_show(): does it return? what does it wait for?",
            )


def _shoot(machine: Machine, log: _Log) -> Shot:
    """The screen, with the machine stopped, and with the device idle: nothing happens while the picture is taken."""
    assert machine.qmp is not None
    machine.qmp.command("stop")
    try:
        for _ in range(20):
            machine.qmp.command("query-status")
            log.read()
            before = log.events
            image = machine.screendump()
            log.read()
            if log.events == before:
                return Shot(image, before)
        raise RuntimeError("the device does not come to rest while the machine is stopped")
    finally:
        machine.qmp.command("cont")


def _spin(machine: Machine, log: _Log, rng: random.Random, shots: int) -> tuple[list[Shot], int]:
    """Takes the pictures while the wheel turns; them, and how many frames the model is to have."""
    _wait_frames(machine, log, FIRST + 2)
    slow = log.frames[FIRST].instructions > SLOW
    window = GROUP if slow else WINDOW
    # The moment within the frame is as random as the frame: a share of the time that one takes.
    started, begun = time.monotonic(), log.read()
    taken = []
    for number in sorted(rng.sample(range(FIRST, FIRST + window), min(SLOW_SHOTS, shots) if slow else shots)):
        before = log.read()
        _wait_frames(machine, log, max(number, before + 1))
        frame_time = (time.monotonic() - started) / max(1, log.read() - begun)
        time.sleep(rng.random() * min(frame_time, 2.0))
        taken.append(_shoot(machine, log))
    _wait_frames(machine, log, FIRST + window + 2)
    return taken, window


def _symbol(elf: Path, name: str) -> int:
    out = subprocess.run([binutils.find("nm"), str(elf)], stdout=subprocess.PIPE, text=True).stdout
    found = re.search(rf"^([0-9a-f]+) [tT] {name}$", out, re.MULTILINE)
    return int(found[1], 16) if found else 1  # an odd address, where nothing is


def _profile(path: Path) -> dict[int, tuple[int, int]]:
    blocks: dict[int, tuple[int, int]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        address, length, count = (int(word, 0) for word in line.split())
        runs, instructions = blocks.get(address, (0, 0))
        blocks[address] = (runs + count, instructions + count * length)
    return blocks


def watch(width: int, height: int, seed: int, shots: int, more: tuple[str, ...] = ()) -> Run:
    """Runs the wheel. `seed` decides the wheel's numbers, the first frame, and when the `shots` pictures are taken; `more`
    are further arguments for QEMU. Raises Broken if the wheel does not turn."""
    rng = random.Random(seed)
    wheel_seed, first = rng.randrange(1_000_000), rng.randrange(1_000, 100_000)
    with tempfile.TemporaryDirectory(prefix="ringfence-judge-") as folder:
        profile = Path(folder) / "profile"
        polls = _symbol(BUILD / "kernel.elf", "poll_used")
        extra = [*VIRTUAL_TIME, "-d", "plugin", *more]
        extra += ["-plugin", f"{PLUGIN},profile={profile},polls={polls:#x}"]
        try:
            with Machine(cpus=1, args=f"poll=0 {NEVER_GIVE_UP}", rng=False, trace=EVENTS, extra=extra) as machine:
                log = _Log(machine.trace_file)
                machine.send(f"roulette -q -f 0 -r {width}x{height} -s {wheel_seed} -o {first}\n")
                start = machine.expect(r"any key ends it\n", quiet=90).end()
                taken, window = _spin(machine, log, rng, shots)
                machine.send("q")
                end = machine.expect(PROMPT, quiet=60).start()
                log.read()
                machine.qmp.command("quit")
                machine.wait()
                console = (end - start) / max(1, len(log.frames))
                kept = log.frames[FIRST : FIRST + window]
                return Run(width, height, wheel_seed, first, log.frames, kept, taken, console, _profile(profile))
        except (ConsoleError, QmpError) as error:
            raise Broken(seen=f"the wheel does not turn to its end: {error}"[:1500], look="make qemu, then: roulette") from None


# ---- the model ----


@dataclass(frozen=True)
class Model:
    """What a frame costs, and how many there would be in a second. Means for each frame, but for rate and frame_ns."""

    rate: float
    frame_ns: float
    instructions: float
    kicks: float
    mib: float
    console: float
    polls: float
    waits: float
    ahead: float  # share of the frames that were still with the device when the next was begun

    def parts(self, prices: Prices = PRICES) -> dict[str, float]:
        """Where a frame's time goes, in nanoseconds."""
        return {
            "instructions": self.instructions,
            "kicks": self.kicks * prices.kick,
            "pixels to the display": self.mib * prices.mib,
            "console": self.console * prices.byte,
        }


COUNTED = ("instructions", "kicks", "mib", "polls", "waits", "ahead")


def model(run: Run, prices: Prices = PRICES) -> Model:
    frames = run.kept
    cost = [f.instructions + f.kicks * prices.kick + f.mib * prices.mib for f in frames]
    groups = [statistics.fmean(cost[i : i + GROUP]) for i in range(0, len(cost), GROUP)]
    frame_ns = statistics.median(groups) + run.console * prices.byte
    each = {name: statistics.fmean(getattr(f, name) for f in frames) for name in COUNTED}
    return Model(1e9 / frame_ns, frame_ns, console=run.console, **each)


def wall(run: Run) -> dict[str, float]:
    """Of the host's clock, never scored: frames/s; median, 95th and 99th percentile of the milliseconds from frame to frame;
    and jank, the share of frames that took more than half as long again as the median. Pauses are left out."""
    pauses = sorted(shot.place for shot in run.shots)
    times = []
    for a, b in zip(run.frames[FIRST:], run.frames[FIRST + 1 :]):
        paused = bisect.bisect(pauses, a.last_flush) != bisect.bisect(pauses, b.last_flush + 1)
        if a.wall and b.wall and not paused:
            times.append((b.wall - a.wall) * 1000)
    if not times:
        return {}
    times.sort()

    def percentile(share: float) -> float:
        return times[min(len(times) - 1, int(share * len(times)))]

    late = sum(t > 1.5 * percentile(0.5) for t in times) / len(times)
    return {"rate": 1000 / statistics.fmean(times), "p50": percentile(0.5), "p95": percentile(0.95), "p99": percentile(0.99), "jank": late}


# ---- the profile ----


@dataclass(frozen=True)
class Function:
    name: str
    file: str  # "kernel/virtio/gpu.c"; "" where the compiler has left no trace of it
    instructions: float  # for each frame
    turns: float  # executions of its busiest block, for each kick


def functions(run: Run) -> list[Function]:
    """What ran while the wheel turned, the costliest first."""
    found: dict[tuple[str, str], list[float]] = {}
    kicks = sum(frame.kicks for frame in run.frames) or 1
    for elf, high in ((BUILD / "kernel.elf", True), (BUILD / "user/roulette.elf", False)):
        addresses = [address for address in run.profile if (address >> 32 != 0) == high]
        command = [binutils.find("addr2line"), "-f", "-e", str(elf)]
        done = subprocess.run(command, input="\n".join(map(hex, addresses)), stdout=subprocess.PIPE, text=True, check=True)
        lines = done.stdout.splitlines()
        for address, name, place in zip(addresses, lines[::2], lines[1::2]):
            file = re.match(r"(?:.*/)?((?:kernel|user)/[^:]*):", place)
            entry = found.setdefault((name, file[1] if file else ""), [0.0, 0.0])
            executions, instructions = run.profile[address]
            entry[0] += instructions / len(run.frames)
            entry[1] = max(entry[1], executions / kicks)
    return sorted((Function(*key, *value) for key, value in found.items()), key=lambda f: -f.instructions)


# Who does what, by the file that a function is in. The first that fits counts.
PLACES = [
    ("draw", r"user/"),
    ("console", r"kernel/(printf|dev/(uart|console))"),
    ("submit", r"kernel/(virtio|dev/fb)"),
    ("wait", r"kernel/(proc/(sched|lock|trap)|dev/plic|dev/timer)"),
    ("copy", r"kernel/(mm|string)"),
    ("rest", r""),
]


def budget(run: Run) -> dict[str, float]:
    """Instructions of a frame by what they are for: drawing, making commands of it, sleeping and waking, ..."""
    split = {name: 0.0 for name, _ in PLACES}
    for function in functions(run):
        split[next(name for name, pattern in PLACES if re.match(pattern, function.file))] += function.instructions
    return split


def busiest(run: Run) -> Function:
    """The kernel's function that goes round most often for each kick. Those that fill memory, or wait for the serial line to
    take a byte, go round for a purpose, and are paid for as such."""
    purpose = r"kernel/(string|printf|dev/(uart|console))"
    mine = [f for f in functions(run) if f.file.startswith("kernel/") and not re.match(purpose, f.file)]
    if not mine:
        raise LookupError("the profile shows no function of the kernel: nothing is known of its loops")
    return max(mine, key=lambda f: f.turns)


# ---- the screens ----

RIGHT, TORN, STALE, WRONG = "right", "torn", "stale", "wrong"


@dataclass(frozen=True)
class Screen:
    """A screen that was looked at. `wanted` is the frame that it should show, and `frame` that frame's number."""

    kind: str
    frame: int
    seen: Image.Image
    wanted: Image.Image
    story: str = ""  # what is wrong with it


class Painter:
    """Frames as the definition of the picture has them, pixel by pixel, from the host's program."""

    def __init__(self, run: Run, host: Path) -> None:
        self.run = run
        self.program = host / "draw_wheel"
        self.drawn: dict[int, Image.Image] = {}

    def __call__(self, index: int) -> Image.Image:
        """The frame that was begun as number `index` of the run."""
        if index not in self.drawn:
            number = (self.run.first + index) % 2**32
            size = f"{self.run.width}x{self.run.height}"
            command = [str(self.program), "-p", "-r", size, "-s", str(self.run.wheel_seed), str(number)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            self.drawn[index] = Image.open(io.BytesIO(done.stdout)).convert("RGB")
        return self.drawn[index]


def _mask(a: Image.Image, b: Image.Image) -> Image.Image:
    """White where they differ."""
    red, green, blue = ImageChops.difference(a, b).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue).point(lambda value: 255 if value else 0)


def _count(mask: Image.Image) -> int:
    return mask.histogram()[255]


def shown_frame(run: Run, shot: Shot) -> int:
    """The index of the last frame of which every flush came before the picture; -1 if there is none."""
    done = [i for i, frame in enumerate(run.frames) if frame.flushes and frame.last_flush < shot.place]
    return done[-1] if done else -1


def look(run: Run, shot: Shot, paint: Painter) -> Screen:
    """Judges one screen."""
    index = shown_frame(run, shot)
    seen = shot.image.convert("RGB")
    if index < 0:
        return Screen(STALE, run.first, seen, paint(0), "no frame has been flushed")
    wanted, number = paint(index), run.first + index
    if seen.size != wanted.size:
        return Screen(WRONG, number, seen, wanted, f"the display is {seen.size[0]}x{seen.size[1]}")
    old = _mask(seen, wanted)
    if old.getbbox() is None:
        return Screen(RIGHT, number, seen, wanted)
    new = _mask(seen, paint(index + 1))  # transferred, and about to be flushed
    if new.getbbox() is None:
        return Screen(RIGHT, number + 1, seen, paint(index + 1))
    for other in (index + 1, index - 1):
        mine = new if other > index else _mask(seen, paint(max(0, other)))
        if mine.getbbox() and ImageChops.darker(old, mine).getbbox() is None:
            story = f"{_count(mine)} pixels are of frame {number}, {_count(old)} of frame {run.first + other}"
            return Screen(TORN, number, seen, wanted, story)
    for other in [*range(index - 1, max(-1, index - 5), -1), 0]:
        if other >= 0 and _mask(seen, paint(other)).getbbox() is None:
            return Screen(STALE, number, seen, wanted, f"frame {number} has been flushed, and frame {run.first + other} is shown")
    if _count(new) < _count(old):
        number, wanted, old = number + 1, paint(index + 1), new
    left, top, right, bottom = old.getbbox() or (0, 0, 0, 0)
    first = next((x for x in range(left, right) if old.getpixel((x, top))), left)
    story = (
        f"{_count(old)} pixels of frame {number} (seed {run.wheel_seed}, {run.width}x{run.height}) are wrong, all of them within "
        f"({left}, {top}) and ({right}, {bottom}); the first, ({first}, {top}), is {seen.getpixel((first, top))} "
        f"and should be {wanted.getpixel((first, top))}"
    )
    return Screen(WRONG, number, seen, wanted, story)


def wrong_pixels(screen: Screen) -> Optional[Image.Image]:
    """A mask, white where the screen is not as it should be; None if it is."""
    if screen.seen.size != screen.wanted.size:
        return None
    mask = _mask(screen.seen, screen.wanted)
    return mask if mask.getbbox() else None


def marked(screen: Screen) -> Image.Image:
    """The screen, pale, with each wrong pixel in red; as it is, if none is."""
    mask = wrong_pixels(screen)
    if mask is None:
        return screen.seen
    out = Image.blend(screen.seen, Image.new("RGB", screen.seen.size, "white"), 0.6)
    out.paste((255, 0, 0), mask=mask)
    return out


def unflushed(run: Run, index: int, paint: Painter) -> int:
    """How many pixels of that frame are not what its resource showed before and lie in none of its flushes."""
    frame = run.frames[index]
    before = [i for i in range(index) if run.frames[i].resource == frame.resource and run.frames[i].flushes]
    if not before:
        return 0
    changed = _mask(paint(index), paint(before[-1]))
    for rect in frame.flushes:
        changed.paste(0, rect)
    return _count(changed)


# ---- by hand ----


def main() -> int:
    """python3 grade/judge.py [-r WxH] [-s SEED] [-j]: what a frame costs, and nothing else; -j for programs."""
    parser = argparse.ArgumentParser(description="What a frame of the wheel costs, on the course's model machine.")
    parser.add_argument("-r", dest="size", default="640x480", help="size of the picture")
    parser.add_argument("-s", dest="seed", type=int, default=1, help="decides the wheel's numbers and the first frame")
    parser.add_argument("-j", dest="json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    try:
        width, height = (int(word) for word in given.size.split("x"))
        found = model(watch(width, height, given.seed, 1))
    except (ValueError, Broken) as error:
        print(f"judge: {error}", file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps(asdict(found)))
        return 0
    print(f"{found.rate:,.1f} modelled frames/s at {given.size}; a frame:")
    for name, ns in found.parts().items():
        print(f"  {name:24}{ns / 1e6:12.3f} ms")
    for name in (*COUNTED, "console"):
        print(f"  {name:24}{getattr(found, name):12,.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
