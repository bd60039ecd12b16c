"""make trace [COMMAND="roulette -q -f 0 -n 3"]: shows where the time of a frame goes, from QEMU's trace.

Runs the command on a machine whose only device is the display. Prints a table, and writes two files to build/trace:
trace.json, for https://ui.perfetto.dev, and trace.png, a plot. Times are measured on the host; the kernel counts the
counters. If this tree has the judge of lab 5 and you gave no other command, it also counts the wheel's instructions: what
they are for, and which functions cost most.

    kicks = read_kicks(machine.trace())     each kick, its commands, and when the device answered each command
    frames = group(kicks)                   the kicks of each frame, from the top of the picture to its bottom
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
FUNCTIONS = 15  # the table lists at most this many
EVENTS = ["virtio_queue_notify", "virtio_gpu_cmd_*", "virtqueue_flush"]
NAMES = {"res_xfer_toh_2d": "TRANSFER", "res_flush": "FLUSH", "set_scanout": "SET_SCANOUT"}


@dataclass
class Command:
    name: str
    start: float  # seconds: the device starts it
    end: float = 0.0  # seconds: the device puts its answer on the used ring
    top: Optional[int] = None  # the first row of its rectangle


@dataclass
class Kick:
    time: float
    commands: list[Command] = field(default_factory=list)
    next: float = 0.0  # the time of the next kick; 0 for the last

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
    """Reads the kicks from a trace. The machine must use no queue except the display's control queue. Skips kicks without
    commands."""
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
            open_commands.pop(0).end = event.time  # the device answers in order
    kicks = [kick for kick in kicks if kick.commands]
    for this, following in zip(kicks, kicks[1:]):
        this.next = following.time
    return kicks


def group(kicks: list[Kick]) -> list[Frame]:
    """Groups kicks into frames. A new frame begins with a FLUSH that is not further down than the FLUSH before it. Kicks
    from a TRANSFER on belong to the FLUSH that follows. Skips kicks that show nothing."""
    frames: list[Frame] = []
    before: list[Kick] = []  # kicks whose FLUSH has not come yet
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


# ---- tables and plots ----


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
    """A table of a frame's instructions: by purpose (`parts`), and by function."""
    whole = sum(parts.values()) or 1.0
    lines = [f"{'what a frame takes':40}{'instructions':>14}{'of all':>10}"]
    lines += [f"{name:40}{count:14,.0f}{100 * count / whole:8.0f} %" for name, count in {**parts, "together": whole}.items()]
    lines += ["", f"{'function':40}{'instructions':>14}{'of all':>10}  file"]
    lines += [f"{f.name:40}{f.instructions:14,.0f}{100 * f.instructions / whole:8.0f} %  {f.file}" for f in functions[:FUNCTIONS]]
    return "\n".join(lines)


BUDGET_MEANS = """\
draw: the program draws; submit: the driver makes and sends commands; wait: it goes to sleep and wakes up; console: lines
are printed; copy: the processor copies memory. TRANSFER is a copy by the device. It costs the processor nothing and happens
between a kick and its last answer. As in the grader, the machine has one processor and poll=0."""


def perfetto(frames: list[Frame]) -> dict[str, object]:
    """The frames in the trace event format, with three tracks: frames, driver, device."""
    events: list[dict[str, object]] = []
    for number, name in enumerate(("frames", "driver", "device"), 1):
        events.append({"ph": "M", "pid": 1, "tid": number, "name": "thread_name", "args": {"name": name}})
    if not frames:
        return {"traceEvents": events}
    zero = frames[0].start

    def slice(track: int, name: str, start: float, end: float) -> None:
        # Perfetto nests slices that overlap. It does not draw slices of length zero, so none is that short.
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
    """Plots the first kicks on a time line, the durations of the two halves of each kick, and `parts`, if there are any."""
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
    below.set_ylabel("% of kicks that took at most this long")
    below.legend()
    below.grid(True, which="both", alpha=0.3)
    for axes in last:
        bars = axes.barh(list(parts), list(parts.values()), color="tab:purple")
        axes.bar_label(bars, [f"{value:,.0f}" for value in parts.values()], padding=4)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set_xticks([])  # each bar has its number
        axes.set_xlabel("instructions of a frame, by purpose")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


# ---- the command ----


def record(job: Job, command: str, kernel: Optional[Path] = None, cpus: int = 2, args: str = "") -> tuple[list[Frame], str]:
    """Runs `command` on a machine whose only device is the display. Returns the frames, and the kernel's counters."""
    with Machine(job, disk=None, rng=False, trace=EVENTS, kernel=kernel, cpus=cpus, args=args) as machine:
        counters = machine.run(f"vqstat -d {command}", quiet=60)
        return group(read_kicks(machine.trace())), counters[counters.find("queue ") :].rstrip()


def count(job: Job) -> dict[str, float]:
    """Lets the judge of lab 5 count the wheel's instructions. Prints them, and returns their number by purpose. Returns {}
    if this tree or host cannot count."""
    try:
        from grade.rate import profile, watch
    except ImportError:
        return {}  # handouts have the judge from lab 5 on
    if not watch.plugin(job).exists():
        print("no instruction counts: they need a QEMU plugin, which is built only on Linux\n")
        return {}
    print("trace: counting instructions", file=sys.stderr)
    try:
        run = watch.watch(job, 640, 480, seed=1, shots=0)
    except Broken as error:
        print(f"trace: no instruction counts: {error}", file=sys.stderr)
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
        print("trace: the command flushed nothing to the display", file=sys.stderr)
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
    except BrokenPipeError:  # the reader, such as head, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)
