"""Lab 4's experiments: the tables show what docs/stale-index.md says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest
from PIL import Image, ImageChops

from grade import ROOT
from grade.explore.loop import disassemble
from grade.machine import patience
from grade.machine.job import Job
from grade.staff.experiments import barriers, case, workshop
from grade.tests.test_slow_wheel import COMPILERS, EACH_COMPILER, RING, make, tree_of_the_kernel

# They share the copy of the tree in build/experiments.
pytestmark = [pytest.mark.long, pytest.mark.needs("linux"), pytest.mark.xdist_group("experiments")]


def command(name: str, *options: str) -> list[str]:
    return [sys.executable, "-m", f"grade.staff.experiments.{name}", *options]


def script(name: str, *options: str) -> None:
    done = subprocess.run(
        command(name, *options), cwd=ROOT, env=Job.from_environment().environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=600 * patience.scale(),
    )
    assert done.returncode == 0, done.stdout


def run(name: str, out: Path, *options: str) -> Any:
    script(name, "--json", str(out), *options)
    return json.loads(out.read_text())


def test_barriers(tmp_path: Path) -> None:
    results = {row["variant"]: row for row in run("barriers", tmp_path / "out.json", "--rounds", "1", "--seconds", "0.3")}
    # What vqsan reports, and whether injection does harm.
    assert {name: row["verdict"] for name, row in results.items()} == {
        "hoisted": "R7",
        "volatile": "R1",
        "fence-before": "R1",
        "fence-after": "clean",
        "both": "clean",
        "acquire": "clean",
        "full-every-poll": "clean",
    }
    assert {name for name, row in results.items() if row["bite"] != "none"} == {"volatile", "fence-before"}
    # How often each variant loads the index, and how many fences it executes: one per turn of the loop, or one per command
    # (two commands per band).
    for name, row in results.items():
        assert (row["loads_per_turn"] < 0.1) == (name == "hoisted") and (row["loads_per_turn"] > 0.9) == (name != "hoisted")
        if name in ("hoisted", "fence-after"):
            assert row["fences"] == 480
        elif name == "volatile":
            assert row["fences"] == 0
        else:
            assert row["fences"] >= row["polls"] >= 480
        assert row["rate"] > 0 and row["undisturbed"] > 0 and row["p50"] <= row["p99"]


def fences_in_the_loop(job: Job, kernel: Path) -> list[str]:
    """The fences in virtq_poll()'s loops, as compiled. GDB prints a fence of everything without its operands."""
    loops = disassemble(job, kernel, "virtq_poll").loops()
    return [each.text for body in loops for each in body if each.name == "fence"]


@pytest.mark.parametrize("choice", EACH_COMPILER)
def test_fences_of_the_loops(job: Job, tmp_path: Path, choice: str) -> None:
    """Which fence each compiler puts into each turn. Only for C11's acquire load may the compiler choose."""
    tree = tree_of_the_kernel(tmp_path)
    source, object_file = (tree / RING).read_text(), "build/kernel/virtio/virtqueue.c.o"
    found = {}
    for variant in barriers.VARIANTS:
        (tree / RING).write_text(workshop.put_poll_used(source, workshop.variant_text(variant)))
        make(tree, choice, "START=4-slow-wheel", "BUILD=build", object_file)
        found[variant] = fences_in_the_loop(job, tree / object_file)
    acquire = found.pop("acquire")
    assert found == {
        "hoisted": [],
        "volatile": [],
        "fence-before": ["fence r,r"],
        "fence-after": [],
        "both": ["fence r,r"],
        "full-every-poll": ["fence rw,rw"],
    }
    asked = subprocess.run([COMPILERS[choice], "--version"], capture_output=True, text=True, check=True).stdout
    if "gcc" in COMPILERS[choice] and re.search(r"\) 12\.", asked):
        assert acquire == ["fence"]
    elif "clang version 14." in asked:
        assert acquire == ["fence r,rw"]
    else:
        assert acquire in (["fence"], ["fence rw,rw"], ["fence r,rw"])


def test_case(job: Job, tmp_path: Path) -> None:
    """Every row is measured. The test compares counts, because frame rates depend on the host."""
    results = run("case", tmp_path / "out.json", "--rounds", "1", "--seconds", "0.3")
    assert [row["what"] for row in results] == [row.what for row in case.ROWS]
    assert all(row["rate"] > 0 for row in results)
    initrd = job.build / "experiments/initrd.img"
    for variant, rules in {"report-start": {"R1"}, "report-back": {"R1"}, "report-counters": {"R1"}, "hoisted-counters": set()}.items():
        kernel = job.build / f"experiments/{variant}.elf"
        _, _, report = barriers.under_vqsan(job, kernel, initrd, f"roulette {barriers.SMALL} -n 3")
        assert {violation.rule for violation in report.of("gpu") if not violation.asleep} == rules, variant
        assert report.loads_per_turn("gpu") > 0.9, variant  # an atomic counter is enough to keep a plain load in the loop


def brightness(picture: Image.Image) -> Image.Image:
    return picture.convert("L").resize((64, 48))


def test_demo(job: Job, tmp_path: Path) -> None:
    """The demo records a GIF without flashes, and its kernel's four loops are what their names say."""
    gif = tmp_path / "wheel.gif"
    script("demo", "--gif", str(gif))
    assert gif.stat().st_size < 1_000_000
    with Image.open(gif) as film:
        assert film.size == (644, 484) and film.n_frames == 12
        frames = []
        for i in range(film.n_frames):
            film.seek(i)
            frames.append(brightness(film.convert("RGB")))
    # A flash means that a quarter of the picture suddenly gets much lighter or darker. Three per second would be allowed.
    for before, after in zip(frames, frames[1:]):
        changed = ImageChops.difference(before, after).point(lambda value: 255 if value > 25 else 0)
        assert changed.histogram()[255] < 64 * 48 / 4
    for box in ((0, 0, 32, 24), (32, 0, 64, 24), (0, 24, 32, 48), (32, 24, 64, 48)):
        assert len(set(frames[-1].crop(box).getdata())) > 20, "a wheel is missing"

    kernel, initrd = job.build / "demo/tree/build/4-slow-wheel/kernel.elf", job.build / "demo/initrd.img"
    for loop, (rules, loads, fences_per) in enumerate(
        [({"R7"}, False, "element"), ({"R1"}, True, "look"), (set(), True, "element"), (set(), True, "look")]
    ):
        # The device is too late for the first look, so the driver really waits and the first loop's index goes stale.
        _, fences, report = barriers.under_vqsan(job, kernel, initrd, f"roulette -r 160x144 -n 6 -m {loop}", "device=slow,only=gpu")
        found = {violation.rule for violation in report.of("gpu") if not violation.asleep}
        assert found == rules, (loop, found)
        waits = [wait for queue in report.queues for wait in queue["loops"] if wait["turns"] > 1000]
        assert all(wait["looks"] > 0.9 * wait["turns"] for wait in waits) == loads, (loop, waits)
        if fences_per == "element":  # and one each time the correct loop asked for an interrupt
            completions = report.total("completions")
            assert completions <= fences <= completions + 2 * report.total("sleeps"), loop
        else:
            assert fences > 2 * report.total("completions"), loop


def test_r_opens_the_recording(tmp_path: Path) -> None:
    """The lecturer's fallback: `r` opens the recording in the browser. Here the browser only records its argument."""
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    os.mkfifo(opened)
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    environment = {**Job.from_environment().environment(), "VNC": "0,to=99", "BROWSER": f"{browser} %s"}
    reader = pexpect.spawn("cat", [str(opened)], encoding="utf-8", timeout=120 * patience.scale())
    program, *words = command("demo")
    demo = pexpect.spawn(program, words, cwd=str(ROOT), env=environment, encoding="utf-8", timeout=120 * patience.scale())
    try:
        demo.expect("q end")
        demo.send("r")
        reader.expect_exact((ROOT / "docs/img/slow-wheel.gif").as_uri())
        demo.send("q")
        demo.expect(pexpect.EOF)
    finally:
        demo.close(force=True)
        reader.close(force=True)
    assert demo.exitstatus == 0
