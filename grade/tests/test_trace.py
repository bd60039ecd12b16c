"""The tools for experiments: traces, compiled loops, guesses and counted instructions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from grade import ROOT
from grade.explore import hypothesis
from grade.explore.loop import Function, Instruction, disassemble, mark_shared
from grade.explore.timeline import budget_table, group, perfetto, read_kicks, table
from grade.machine.job import Job
from grade.machine.trace import TraceEvent, TraceReader, parse
from grade.rate.profile import PLACES, Function as Counted

# Two frames of two bands. For each band the device takes 2 ms, then the driver takes 8 ms to continue.
BAND = """\
1@{0:.6f}:virtio_queue_notify vdev 0x1 n 0 vq 0x2
1@{1:.6f}:virtio_gpu_cmd_res_xfer_toh_2d res 0x1
1@{2:.6f}:virtqueue_flush vq 0x2 count 1
1@{2:.6f}:virtio_gpu_cmd_res_flush res 0x1, w 640, h 2, x 0, y {4}
1@{3:.6f}:virtqueue_flush vq 0x2 count 1
"""
TRACE = "".join(
    BAND.format(t, t + 0.0005, t + 0.001, t + 0.002, y) for t, y in ((1.0, 0), (1.01, 2), (1.02, 0), (1.03, 2))
)


def test_a_trace_is_read() -> None:
    kicks = read_kicks(parse(TRACE.splitlines()))
    assert [len(kick.commands) for kick in kicks] == [2, 2, 2, 2]
    assert [command.name for command in kicks[0].commands] == ["TRANSFER", "FLUSH"]
    assert kicks[0].answered == pytest.approx(1.002) and kicks[0].next == pytest.approx(1.01)
    frames = group(kicks)
    assert [len(frame.kicks) for frame in frames] == [2, 2]
    told = table(frames)
    assert "2 frames in 32.0 ms: 62.5 frames/s, 2 kicks and 4 commands a frame" in told
    assert "2.0 ms" in told and "8.0 ms" in told
    events = perfetto(frames)["traceEvents"]
    assert isinstance(events, list) and sum(event["ph"] == "X" for event in events) == 2 + 4 + 3 + 8


def test_every_qemu_writes_the_same_event() -> None:
    kick = "virtio_queue_notify vdev 0x1 n 0 vq 0x2"
    wanted = [TraceEvent(1.25, "virtio_queue_notify", "vdev 0x1 n 0 vq 0x2")]
    assert parse([f"1@1.25:{kick}"]) == wanted and parse([f"1970-01-01T00:00:01.250000Z {kick}"]) == wanted
    assert wanted[0].fields == {"vdev": "0x1", "n": "0", "vq": "0x2"} and wanted[0].number("vq") == 2


def test_a_plugin_writes_to_the_trace_too() -> None:
    mark = "frame instructions=7 waits=1 polls=0"
    for line in (mark, f"1970-01-01T00:00:01.250000Z {mark}"):
        (event,) = parse([line])
        assert (event.name, event.number("instructions"), event.number("waits")) == ("frame", 7, 1)
    assert [event.time for event in parse(["1@1.25:kick n 0", mark, "== not an event =="])] == [1.25, 1.25]


def test_half_a_line_is_read_once_it_is_complete(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    reader = TraceReader(trace)
    assert reader.read() == []
    whole = "1@1.0:kick n 1\n1@2.0:kick n 2\n"
    for written, numbers in ((3, []), (20, [1]), (len(whole), [2]), (len(whole), [])):
        trace.write_text(whole[:written])
        assert [event.number("n") for event in reader.read()] == numbers


def test_a_picture_sent_in_one_present_is_a_frame() -> None:
    lines = [line for t in (1.0, 1.01, 1.02) for line in BAND.format(t, t, t, t + 0.001, 0).splitlines()]
    assert len(group(read_kicks(parse(lines)))) == 3
    assert group(read_kicks(parse(["1@1.0:virtio_queue_notify vdev 0x1 n 0 vq 0x2"]))) == []


def test_a_kick_for_each_command_is_read() -> None:
    lines = []
    for line in TRACE.splitlines():
        if "res_flush" in line:
            lines.append(f"{line.split(':')[0]}:virtio_queue_notify vdev 0x1 n 0 vq 0x2")
        lines.append(line)
    assert [len(frame.kicks) for frame in group(read_kicks(parse(lines)))] == [4, 4]


def test_instructions_are_shown_by_purpose_and_by_function() -> None:
    found = [Counted("paint", "user/wheel.c", 900.0, 1.0), Counted("send", "kernel/virtio/gpu.c", 100.0, 1.0)]
    told = [line.split() for line in budget_table({"draw": 900.0, "submit": 100.0}, found).splitlines()]
    assert told[1:4] == [["draw", "900", "90", "%"], ["submit", "100", "10", "%"], ["together", "1,000", "100", "%"]]
    assert told[-2:] == [["paint", "900", "90", "%", "user/wheel.c"], ["send", "100", "10", "%", "kernel/virtio/gpu.c"]]


@pytest.mark.needs("linux")
def test_the_wheel_is_traced_and_counted(job: Job) -> None:
    """Most of the solved wheel's work is drawing. Its most expensive function is in roulette.c (which one depends on
    inlining). The plot shows each purpose."""
    command = [sys.executable, "-m", "grade.explore.timeline"]
    done = subprocess.run(command, cwd=ROOT, env=job.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shares = dict(re.findall(r"^(\w+) +[\d,]+ +(\d+) %", done.stdout, re.MULTILINE))
    assert {name for name, _ in PLACES} <= shares.keys(), done.stdout
    share, file = re.findall(r"^\w+ +[\d,]+ +(\d+) %  (\S+)$", done.stdout, re.MULTILINE)[0]
    assert int(shares["draw"]) > 50 and int(share) > 25 and file == "user/roulette/roulette.c", done.stdout
    if not find_spec("matplotlib"):
        assert "a plot needs python3-matplotlib" in done.stdout, done.stdout
        return
    with Image.open(job.build / "trace/trace.png") as picture:
        assert picture.height > 900, "the third part of the plot is missing"


def function(*lines: str) -> Function:
    code = [Instruction(0x100 + 4 * i, line, 0) for i, line in enumerate(lines)]
    return Function("f", code)


def test_loops_are_found() -> None:
    # A loop that is entered in its middle, and an exit that leads into no loop.
    looping = function("j 0x108 <f+8>", "addi a1,a1,1", "lhu a2,2(a4)", "beq a2,a3,0x104 <f+4>", "ret")
    assert [[each.address for each in body] for body in looping.loops()] == [[0x104, 0x108, 0x10C]]
    straight = function("beqz a0,0x108 <f+8>", "addi a1,a1,1", "ret")
    assert straight.loops() == []


def test_loads_from_a_ring_are_marked() -> None:
    code = function("ld a4,40(a0)", "lhu a3,66(a0)", "add a5,a4,a1", "lw a2,4(a5)", "mv a4,a1", "lhu a2,2(a4)", "ld a6,40(s0)", "lw a1,0(a6)").code
    mark_shared(code, {40})
    assert [each.text for each in code if each.shared] == ["lw a2,4(a5)"]


def test_a_kernel_function_is_shown(job: Job) -> None:
    shown = disassemble(job, job.build / "kernel.elf", "poll_used")
    assert any(each.shared for each in shown.code)
    assert any("used->idx" in line for line in shown.source.values())
    with pytest.raises(LookupError, match="no function"):
        disassemble(job, job.build / "kernel.elf", "no_such_function")


def test_a_guess_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hypothesis, "NOTEBOOK", tmp_path / "notebook.md")
    hypothesis.write_down("disk", "how fast?", "slow", "a\nb\n")
    text = (tmp_path / "notebook.md").read_text()
    assert text == "\n## disk: how fast?\nGuess: slow\nSeen:\n    a\n    b\nWhat follows:\n"
    environment = {name: value for name, value in os.environ.items() if name != "GUESS"}
    done = subprocess.run(
        [sys.executable, "-m", "grade.explore.hypothesis", "loop"], cwd=ROOT, env=environment, input="", capture_output=True, text=True
    )
    assert done.returncode == 2 and "no experiment without a guess" in done.stderr
