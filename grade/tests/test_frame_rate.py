"""Checks the judge of frame rates: its results repeat, also on a busy host; each lever of lab 5 changes what the handout
says; the start and the reference are as fast as the report says. Tests of how it reads a trace need no machine."""

from __future__ import annotations

import json
import os
import runpy
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Iterator

import pytest

from grade import ROOT
from grade.machine import binutils
from grade.machine.job import Job, clean_environment
from grade.rate.model import model
from grade.rate.profile import busiest
from grade.rate.watch import Frame, FrameReader, Run
from grade.staff import mutants

LAB = ROOT / "labs/5-frame-rate"
NOISE = 0.02

pytestmark = pytest.mark.needs("linux")


# ---- reading a trace ----


def frames_of(tmp_path: Path, *lines: str) -> list[Frame]:
    path = tmp_path / "trace"
    path.write_text("\n".join(lines) + "\n")
    log = FrameReader(path)
    log.read()
    return log.frames


def mark(instructions: int) -> str:
    return f"frame instructions={instructions} waits=0 polls=0"


def flush(resource: int, width: int = 10, x: int = 0) -> str:
    return f"1@1.5:virtio_gpu_cmd_res_flush res {resource:#x}, w {width}, h 10, x {x}, y 0"


KICK = "1@1.0:virtio_queue_notify vdev 0x1 n 0 vq 0x2"


def test_flushes_go_to_their_frames(tmp_path: Path) -> None:
    # The first frame waits for its flush; the next begins before the flushes come; then two are in flight at once.
    lines = [mark(0), KICK, flush(3), mark(100), KICK, mark(250), flush(4), flush(4, x=20), KICK, mark(300), KICK, flush(3)]
    lines += [flush(3, x=20), flush(4), mark(400)]
    frames = frames_of(tmp_path, *lines)
    assert [frame.instructions for frame in frames[:4]] == [100, 150, 50, 100]
    assert [frame.kicks for frame in frames[:4]] == [1, 1, 1, 1]
    assert [len(frame.flushes) for frame in frames[:4]] == [1, 2, 2, 1]
    assert [frame.ahead for frame in frames[:4]] == [False, True, True, False]


def test_bands_of_one_resource_stay_with_their_frame(tmp_path: Path) -> None:
    frames = frames_of(tmp_path, *(3 * [mark(0), KICK, flush(3), KICK, flush(3)]))
    assert [len(frame.flushes) for frame in frames] == [2, 2, 2]


def test_the_log_of_newer_versions_is_read(tmp_path: Path) -> None:
    """From QEMU 11 on, each line begins with the date, also a plugin's lines."""
    lines = [mark(0), KICK.split(":", 1)[1], flush(3).split(":", 1)[1], mark(100)]
    first, _ = frames_of(tmp_path, *(f"1970-01-01T00:00:01.500000Z {line}" for line in lines))
    assert (first.instructions, first.kicks, len(first.flushes), first.wall) == (100, 1, 1, 1.5)


def test_a_half_written_line_is_read_later(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    log = FrameReader(path)
    assert log.read() == 0
    path.write_text(mark(0) + "\n" + mark(5)[:-2])
    assert log.read() == 1
    path.write_text(mark(0) + "\n" + mark(5) + "\n")
    assert log.read() == 2 and log.frames[0].instructions == 5


def run_of(costs: list[int]) -> Run:
    frames = [Frame(instructions=cost) for cost in costs]
    return Run(Path("build"), 640, 480, 0, 0, frames, frames, [], 0.0, {})


def test_work_cannot_be_hidden_in_every_other_frame() -> None:
    even, odd = model(run_of([1000] * 96)), model(run_of([1, 1999] * 48))
    assert even.frame_ns == odd.frame_ns == 1000
    # A rare event does not count.
    assert model(run_of([1000] * 40 + [9_000_000] + [1000] * 55)).frame_ns == 1000


# ---- the profile ----


def test_no_profile_is_not_a_quiet_kernel(build: Path) -> None:
    with pytest.raises(LookupError, match="no kernel function"):
        busiest(replace(run_of([1000]), build=build))


def test_tools_are_found_by_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("llvm-nm-15", "riscv64-linux-gnu-addr2line"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    find = binutils.find.__wrapped__  # without the cache of other tests
    assert (find("nm"), find("addr2line")) == ("llvm-nm-15", "riscv64-linux-gnu-addr2line")
    with pytest.raises(FileNotFoundError, match="objdump is not installed"):
        find("objdump")


# ---- the judge at work ----


def cost(tree: Path, build: str, size: str = "640x480") -> dict[str, Any]:
    """The results of `make frame-cost` for that build of that tree."""
    command = [sys.executable, "-m", "grade.rate.cost", "-j", "-r", size]
    done = subprocess.run(command, cwd=tree, env={**Job.from_environment().environment(), "BUILD": build}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@contextmanager
def busy(core: int) -> Iterator[None]:
    """Three processes that use all the time they get on that core."""
    loop = f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
    processes = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(3)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.long
def test_the_rate_repeats_on_a_busy_host(build: Path) -> None:
    """The rate is the same alone, and on one core together with three busy processes."""
    mine = os.sched_getaffinity(0)
    core = min(mine)
    rates = [cost(ROOT, str(build))["rate"] for _ in range(3)]
    os.sched_setaffinity(0, [core])  # child processes stay on this core too
    try:
        with busy(core):
            rates += [cost(ROOT, str(build))["rate"] for _ in range(3)]
    finally:
        os.sched_setaffinity(0, mine)
    print("modelled frames/s:", *(f"{rate:.1f}" for rate in rates))
    assert max(rates) / min(rates) < 1 + NOISE


def known() -> dict[str, dict[str, float]]:
    figures = runpy.run_path(str(LAB / "known.py"))
    return {"start": asdict(figures["START"]), "reference": asdict(figures["REFERENCE"])}


@pytest.mark.long
def test_the_reference_is_what_the_report_says(build: Path) -> None:
    found, said = cost(ROOT, str(build)), known()["reference"]
    for name in ("rate", "instructions", "kicks", "mib"):
        assert found[name] == pytest.approx(said[name], rel=0.2), f"{name}: {found[name]}, known.py says {said[name]}"
    assert found["rate"] >= 2.5 * 240


# ---- levers ----


def make_build(tree: Path, start: str = "5-frame-rate") -> None:
    words = ["make", "all", f"START={start}", f"BUILD=build/{start or 'solved'}"]
    done = subprocess.run(words, cwd=tree, env=clean_environment("CI"), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def head(patch: Path) -> dict[str, list[str]]:
    text = re.split(r"^--- ", patch.read_text(), maxsplit=1, flags=re.MULTILINE)[0]
    fields = dict(re.findall(r"^(On|Moves|Stays): *(.*)$", text, re.MULTILINE))
    return {key: re.findall(r"[^\s,]+", fields.get(key, "")) for key in ("On", "Moves", "Stays")}


# On a busy host, each of the 240 waits per frame ends some ticks later, and each tick costs a sleeping hart some
# instructions.
SOME = 0.06
COLUMNS = ("rate", "instructions", "kicks", "mib", "console", "ahead")


@pytest.mark.long
def test_each_lever_moves_what_the_handout_says(
    tmp_path: Path, build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tries each lever alone, on the start state or on the levers that it names; on a small picture, which is faster."""
    tree = tmp_path / "tree"
    for name in mutants.tree_files(ROOT):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    found: dict[tuple[str, ...], dict[str, Any]] = {}

    def measure(*levers: str) -> dict[str, Any]:
        if levers not in found:
            changed = [name for lever in levers for name in mutants.apply(LAB / "levers" / f"{lever}.patch", tree)]
            make_build(tree)
            found[levers] = cost(tree, "build/5-frame-rate", "320x240")
            mutants.undo(changed, tree)
        return found[levers]

    rows, wrong = [("320x240, as handed out", measure())], []
    for patch in sorted((LAB / "levers").glob("*.patch")):
        fields = head(patch)
        assert set() < {*fields["Moves"], *fields["Stays"]} <= {*COLUMNS}, patch
        before, after = measure(*fields["On"]), measure(*fields["On"], patch.stem)
        rows.append((" + ".join((*fields["On"], patch.stem)), after))
        wrong += [f"{patch.stem}: {m} {before[m]} -> {after[m]}" for m in fields["Moves"] if after[m] > 0.97 * before[m]]
        wrong += [f"{patch.stem}: {m} {before[m]} -> {after[m]}" for m in fields["Stays"] if abs(after[m] / before[m] - 1) > SOME]
        if after["rate"] < before["rate"] * (1 - SOME):
            wrong.append(f"{patch.stem}: {after['rate']} frames/s after {before['rate']}")

    # The last lever shows its effect where frames are fast and the device is busy for a long time.
    changed = mutants.apply(LAB / "variants/one-buffer.patch", tree)
    make_build(tree, "")
    rows.append(("1920x1080, solved except two-buffers", one := cost(tree, "build/solved", "1920x1080")))
    mutants.undo(changed, tree)
    make_build(tree, "")
    rows.append(("1920x1080, solved", two := cost(tree, "build/solved", "1920x1080")))
    if not one["ahead"] == 0 < two["ahead"]:
        wrong.append(f"two-buffers: ahead {one['ahead']} -> {two['ahead']}")
    table = [f"\n{'each lever of lab 5, alone':40}" + "".join(f"{name:>14}" for name in COLUMNS)]
    table += [f"{title:40}" + "".join(f"{row[name]:14,.2f}" for name in COLUMNS) for title, row in rows]
    (build / "levers.txt").write_text("\n".join(table) + "\n")
    with capsys.disabled():
        print("\n".join(table), file=sys.__stderr__)  # visible even from a pytest-xdist worker
    assert not wrong, "\n".join(wrong)
    make_build(tree)
    whole, said = cost(tree, "build/5-frame-rate"), known()["start"]
    for name in ("rate", "instructions", "kicks", "mib", "console"):
        assert whole[name] == pytest.approx(said[name], rel=0.2), f"{name}: {whole[name]}, known.py says {said[name]}"
    assert whole["rate"] < 30 / 2
