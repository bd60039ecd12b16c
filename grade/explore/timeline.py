"""make trace [COMMAND="roulette -q -f 0 -n 3"]: where the time of a picture goes, as QEMU's trace tells it.

Runs the command on a machine whose only device is the display, and writes to build/trace: trace.json, for
https://ui.perfetto.dev, and trace.png, a plot. Prints a table. Times are the host's; the counters are the kernel's own.
Where there is the judge of lab 5, and no other command is asked for, it counts the wheel's instructions besides: what they
are for, and the costliest functions.

    kicks = read_kicks(machine.trace())     each kick, with its commands and when the device had answered them
    frames = group(kicks)                   kicks, from the top of the picture to its bottom
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Iterable, Optional, Sequence

from grade.machine.console import ConsoleError
from grade.machine.job import Job
from grade.machine.machine import Machine
from grade.machine.trace import TraceEvent
from grade.marking.promise import Broken

if TYPE_CHECKING:
    from grade.rate.profile import Function

WHEEL = "roulette -q -f 0 -n 3"
FUNCTIONS = 15  # are listed
EVENTS = ["virtio_queue_notify", "virtio_gpu_cmd_*", "virtqueue_flush"]
NAMES = {"res_xfer_toh_2d": "TRANSFER", "res_flush": "FLUSH", "set_scanout": "SET_SCANOUT"}


@dataclass
class Command:
    name: str
    start: float  # seconds: the device takes it up
    end: float = 0.0  # its answer is on the used ring
    top: Optional[int] = None  # first row of its rectangle


@dataclass
class Kick:
    time: float
    commands: list[Command] = field(default_factory=list)
    next: float = 0.0  # the kick after it; 0 for the last

    @property
    def answered(self) -> float:
        return max((command.end for command in self.commands), default=self.time)


@dataclass
class Frame:
    kicks: list[Kick]

    @property
    def start(self) -> float:
        return self.kicks[0].time

    @property
    def end(self) -> float:
        return self.kicks[-1].next or self.kicks[-1].answered


def read_kicks(events: Iterable[TraceEvent]) -> list[Kick]:
    """Of a machine that has no queue but the display's control queue in use. Kicks without a command are left out."""
    kicks: list[Kick] = []
    open_commands: list[Command] = []
    for event in events:
        if event.name == "virtio_queue_notify":
            kicks.append(Kick(event.time))
        elif event.name.startswith("virtio_gpu_cmd_") and kicks:
            name = event.name[len("virtio_gpu_cmd_") :]
            top = event.number("y") if "y" in event.fields else None
            command = Command(NAMES.get(name, name), event.time, top=top)
            kicks[-1].commands.append(command)
            open_commands.append(command)
        elif event.name == "virtqueue_flush" and open_commands:
            open_commands.pop(0).end = event.time  # answered in their order
    kicks = [kick for kick in kicks if kick.commands]
    for this, following in zip(kicks, kicks[1:]):
        this.next = following.time
    return kicks


def group(kicks: list[Kick]) -> list[Frame]:
    """A new frame begins where a FLUSH is no further down than the one before; kicks from a TRANSFER on belong to the FLUSH
    that follows. What shows nothing is left out."""
    frames: list[Frame] = []
    before: list[Kick] = []  # those that wait for their FLUSH
    last = -1
    for kick in kicks:
        tops = [command.top for command in kick.commands if command.name == "FLUSH" and command.top is not None]
        if not tops and (before or any(command.name == "TRANSFER" for command in kick.commands)):
            before.append(kick)
        elif not tops:
            last = -1
        else:
            if not frames or last < 0 or tops[0] <= last:
                frames.append(Frame([]))
            frames[-1].kicks += [*before, kick]
            before, last = [], tops[-1]
    return frames


# ---- what is shown ----


def _span(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _row(name: str, spans: list[float], whole: float) -> str:
    ordered = sorted(spans)
    ninety = ordered[-(-9 * len(ordered) // 10) - 1]
    numbers = (statistics.median(ordered), ninety, ordered[-1])
    return f"{name:32}" + "".join(f"{_span(number):>10}" for number in numbers) + f"{100 * sum(spans) / whole:8.0f} %"


def table(frames: list[Frame]) -> str:
    kicks = [kick for frame in frames for kick in frame.kicks]
    commands = sum(len(kick.commands) for kick in kicks)
    whole = frames[-1].end - frames[0].start
    lines = [
        f"{len(frames)} frames in {_span(whole)}: {len(frames) / whole:.1f} frames/s, {len(kicks) / len(frames):.0f} kicks and "
        f"{commands / len(frames):.0f} commands a frame",
        "",
        f"{'':32}{'median':>10}{'90 %':>10}{'longest':>10}{'of all':>10}",
        _row("a frame", [frame.end - frame.start for frame in frames], whole),
        _row("from a kick to the last answer", [kick.answered - kick.time for kick in kicks], whole),
    ]
    after = [kick.next - kick.answered for frame in frames for kick in frame.kicks[:-1]]
    if after:
        lines.append(_row("from there to the next kick", [max(0.0, span) for span in after], whole))
    return "\n".join(lines)


def budget_table(parts: dict[str, float], functions: Sequence[Function]) -> str:
    """Instructions of a frame by what they are for, and by function."""
    whole = sum(parts.values()) or 1.0
    lines = [f"{'what a frame takes':40}{'instructions':>14}{'of all':>10}"]
    lines += [f"{name:40}{count:14,.0f}{100 * count / whole:8.0f} %" for name, count in {**parts, "together": whole}.items()]
    lines += ["", f"{'function':40}{'instructions':>14}{'of all':>10}  file"]
    lines += [f"{f.name:40}{f.instructions:14,.0f}{100 * f.instructions / whole:8.0f} %  {f.file}" for f in functions[:FUNCTIONS]]
    return "\n".join(lines)


BUDGET_MEANS = """\
draw: the program; submit: commands made and sent; wait: asleep and awake again; console: lines printed; copy: memory moved
by the processor. The device's own copy, TRANSFER, costs the processor nothing: it lies between a kick and its last answer.
Counted as the grader counts: one processor, poll=0."""


def perfetto(frames: list[Frame]) -> dict[str, object]:
    """In the trace event format: one track for frames, one for the driver's side, one for the device's."""
    events: list[dict[str, object]] = []
    for number, name in enumerate(("frames", "driver", "device"), 1):
        events.append({"ph": "M", "pid": 1, "tid": number, "name": "thread_name", "args": {"name": name}})
    if not frames:
        return {"traceEvents": events}
    zero = frames[0].start

    def slice(track: int, name: str, start: float, end: float) -> None:
        # Nested where they overlap; never of no length, for that is not drawn.
        events.append({"ph": "X", "pid": 1, "tid": track, "name": name, "ts": (start - zero) * 1e6, "dur": max((end - start) * 1e6, 0.1)})

    for number, frame in enumerate(frames):
        slice(1, f"frame {number}", frame.start, frame.end)
        for kick in frame.kicks:
            slice(2, "kick, and wait for the answer", kick.time, kick.answered)
            if kick.next > kick.answered:
                slice(2, "answered", kick.answered, kick.next)
            for command in kick.commands:
                slice(3, command.name, command.start, command.end)
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def plot(frames: list[Frame], path: Path, parts: dict[str, float]) -> None:
    """The first frames on a line of time, how long the two halves of each kick took, and the instructions' `parts` if any."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (above, below, *last) = pyplot.subplots(2 + bool(parts), 1, figsize=(9, 9 if parts else 6), constrained_layout=True)
    kicks = [kick for frame in frames for kick in frame.kicks if kick.next]
    zero = frames[0].start
    shown = kicks[:40]
    for kick in shown:
        above.barh(0, (kick.answered - kick.time) * 1e3, left=(kick.time - zero) * 1e3, height=0.6, color="tab:blue")
        above.barh(1, (kick.next - kick.answered) * 1e3, left=(kick.answered - zero) * 1e3, height=0.6, color="tab:orange")
    above.set_yticks([0, 1], ["kick to\nlast answer", "answer to\nnext kick"])
    above.set_xlabel(f"milliseconds: the first {len(shown)} kicks")
    spans = {"kick to last answer": [k.answered - k.time for k in kicks], "answer to next kick": [k.next - k.answered for k in kicks]}
    for (name, values), colour in zip(spans.items(), ("tab:blue", "tab:orange")):
        ordered = sorted(max(value, 1e-6) * 1e3 for value in values)
        below.plot(ordered, [100 * (i + 1) / len(ordered) for i in range(len(ordered))], label=name, color=colour)
    below.set_xscale("log")
    below.set_xlabel("milliseconds")
    below.set_ylabel("% of kicks that took at most so long")
    below.legend()
    below.grid(True, which="both", alpha=0.3)
    for axes in last:
        bars = axes.barh(list(parts), list(parts.values()), color="tab:purple")
        axes.bar_label(bars, [f"{value:,.0f}" for value in parts.values()], padding=4)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set_xticks([])  # each bar has its number
        axes.set_xlabel("instructions of a frame, by what they are for")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


# ---- the command ----


def record(job: Job, command: str, kernel: Optional[Path] = None, cpus: int = 2, args: str = "") -> tuple[list[Frame], str]:
    """Runs it on a machine with a display and nothing else; the frames, and the kernel's counters."""
    with Machine(job, disk=None, rng=False, trace=EVENTS, kernel=kernel, cpus=cpus, args=args) as machine:
        counters = machine.run(f"vqstat -d {command}", quiet=60)
        return group(read_kicks(machine.trace())), counters[counters.find("queue ") :].rstrip()


def count(job: Job) -> dict[str, float]:
    """The judge counts the wheel's instructions: prints them, and returns what they are for. Nothing where it cannot."""
    try:
        from grade.rate import profile, watch
    except ImportError:
        return {}  # it is handed out with lab 5
    if not watch.plugin(job).exists():
        print("instructions are counted by a QEMU plugin, which is built on Linux only\n")
        return {}
    print("trace: counting instructions", file=sys.stderr)
    try:
        run = watch.watch(job, 640, 480, seed=1, shots=0)
    except Broken as error:
        print(f"trace: no instructions are counted: {error}", file=sys.stderr)
        return {}
    parts = profile.budget(run)
    print(f"{budget_table(parts, profile.functions(run))}\n\n{BUDGET_MEANS}\n")
    return parts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default=WHEEL)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--args", default="", help="boot arguments")
    given = parser.parse_args()
    job = Job.from_environment()
    print(f"trace: {given.command}", file=sys.stderr)
    try:
        frames, counters = record(job, given.command, cpus=given.cpus, args=given.args)
    except (AssertionError, ConsoleError) as error:
        print(f"trace: {error}", file=sys.stderr)
        return 1
    if not frames:
        print("trace: nothing was flushed to the display", file=sys.stderr)
        return 1
    folder = job.build / "trace"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trace.json").write_text(json.dumps(perfetto(frames)))
    print(f"{table(frames)}\n\n{counters}\n")
    parts = count(job) if given.command == WHEEL else {}
    try:
        plot(frames, folder / "trace.png", parts)
        print(f"plot: {folder / 'trace.png'}    for https://ui.perfetto.dev: {folder / 'trace.json'}")
    except ImportError:
        print(f"for https://ui.perfetto.dev: {folder / 'trace.json'} (a plot needs python3-matplotlib)")
    return 0


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)
