"""The virtqueue sanitizer, tested on a driver whose fences can be changed (grade/tests/support/vqsan/selftest/driver.c).

Each row of the tables is one run: which fence is in which place, and whether it is enough. If it is not enough, vqsan must
report it under the right rule, and injection must make the driver fail. If it is enough, neither may happen, even with
everything injected. "Bitten" means that the driver noticed harm from a missing fence.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Iterable

import pytest

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job
from grade.plugins.vqsan.sanitizer import plugin_arguments
from grade.staff.fences import (
    BITTEN,
    DRIVER,
    EARLY,
    EVENT,
    FORGET,
    GOOD,
    HOISTED,
    INDIRECT,
    MANY,
    NO_IR,
    PLACES,
    RESET,
    RIGHT,
    SLEEP,
    Guest,
    mode_for,
)

pytestmark = pytest.mark.needs("linux")
long = pytest.mark.long


def cases(all: Iterable[Any], quick: Iterable[Any] = ()) -> list[Any]:
    """Parameters of a test. Those in `quick` are part of `make test`; all others are long tests."""
    chosen = list(quick)
    rows = [case if isinstance(case, tuple) else (case,) for case in all]
    return [pytest.param(*row, marks=() if (row if len(row) > 1 else row[0]) in chosen else long) for row in rows]


@pytest.fixture
def guest(job: Job, tmp_path: Path) -> Guest:
    return Guest(job, tmp_path)


# ---- several harts drive one queue at the same time ----


@pytest.mark.parametrize("harts,seed", cases([(2, 0), (2, 1), (2, 2), (4, 0), (4, 1), (4, 2)], [(2, 0)]))
def test_harts_together(guest: Guest, harts: int, seed: int) -> None:
    every = 1 + 2 * seed
    run = guest(f"inject=all,seed={seed},every={every}", harts=harts, requests=3000)
    assert run.status == GOOD and not run.report.violations, run
    assert run.report.total("injected") > 1000 / every, run
    assert run.report.total("completions") == 3000, run


@long
@pytest.mark.parametrize("place", ("rmb", "wmb", "kick", "iob"))
def test_harts_together_not_enough(guest: Guest, place: str) -> None:
    rule, injection = PLACES[place][:2]
    run = guest(f"inject={injection}", harts=2, requests=MANY, fences={place: "none"})
    assert run.report.rules == {rule}, run
    assert run.status == BITTEN, run


# ---- each fence in each place ----


ENOUGH = [(place, shape) for place in PLACES for shape in PLACES[place][2]]
NOT_ENOUGH = [(place, shape) for place in PLACES for shape in PLACES[place][3]]


@pytest.mark.parametrize("place,shape", cases(ENOUGH, RIGHT.items()))
def test_enough(guest: Guest, place: str, shape: str) -> None:
    run = guest("inject=all", mode_for(place), fences={place: shape})
    assert run.status == GOOD and not run.report.violations, run
    if (place, shape) not in (("rmb", "load.aq"), ("rmb", "address")):
        assert run.report.total("injected") > 0, run


@pytest.mark.parametrize("place,shape", cases(NOT_ENOUGH, [(place, "none") for place in PLACES]))
def test_not_enough(guest: Guest, place: str, shape: str) -> None:
    rule, injection = PLACES[place][:2]
    run = guest(f"inject={injection}", mode_for(place), requests=MANY, fences={place: shape})
    assert run.report.rules == {rule}, run
    assert run.status == BITTEN, run


@pytest.mark.parametrize("place", cases(PLACES, ["rmb"]))
@pytest.mark.needs("x86-64")
def test_x86_hides_it(guest: Guest, place: str) -> None:
    """Without injection, vqsan reports the missing fence but nothing fails: this is why a sanitizer is needed."""
    run = guest("", mode_for(place), fences={place: "none"})
    assert run.report.rules == {PLACES[place][0]}, run
    assert run.status == GOOD, run


@long
def test_memory_of_a_memfd(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    """vqsan finds the guest's memory in a memfd, for a QEMU that has no function to ask."""
    monkeypatch.setenv("VQSAN_MEMORY", "memfd")
    run = guest("inject=rmb", requests=MANY, memfd=True, fences={"rmb": "none"})
    assert run.report.rules == {"R1"} and run.status == BITTEN, run
    assert "cannot reach" in guest("").log


# ---- other ways to drive ----


@pytest.mark.parametrize("mode", cases((SLEEP, EVENT, EVENT | SLEEP, INDIRECT, INDIRECT | EVENT, RESET, RESET | SLEEP)))
def test_modes(guest: Guest, mode: int) -> None:
    run = guest("inject=all", mode)
    assert run.status == GOOD and not run.report.violations, run
    assert run.report.total("completions") == (400 if mode & RESET else 200), run
    if mode & EVENT:
        assert run.report.total("kicks") + run.report.total("kicks_saved") >= 200, run


@long
@pytest.mark.parametrize("place,mode", (("kick", EVENT), ("enable", EVENT | SLEEP), ("wmb", INDIRECT), ("rmb", RESET)))
def test_modes_not_enough(guest: Guest, place: str, mode: int) -> None:
    run = guest("", mode, fences={place: "none"})
    assert run.report.rules == {PLACES[place][0]}, run


def test_element_read_at_once(guest: Guest) -> None:
    """One load of eight bytes reads the element. Without injection, vqsan watches such loads in another way."""
    assert guest("", fences={"rmb": "ld"}).report.rules == {"R1"}


@long
def test_early_element(guest: Guest) -> None:
    assert "R2" in guest("", EARLY).report.rules


def test_stale_index_in_a_loop(guest: Guest) -> None:
    run = guest("", HOISTED)
    assert run.report.rules == {"R7"}, run
    assert line_of("read once, then the register") in {v.first.line for v in run.report.violations}, run


@long
def test_stale_index_asleep(guest: Guest) -> None:
    assert guest("", FORGET).report.rules == {"R7"}


def test_who_waits(guest: Guest) -> None:
    """A sleep counts only for the hart that waits, not for a hart that looked for another one; waiting for a lock does not
    count."""
    alone = guest("", FORGET).report
    assert alone.total("sleeps") == alone.total("sleeps_unnotified") > 0, alone
    beside = guest("device=slow,every=1", SLEEP, harts=2)
    assert beside.status == GOOD and not beside.report.violations, beside
    assert beside.report.total("completions") == 200 and beside.report.total("sleeps_unnotified") == 0, beside


def test_interrupt_status(guest: Guest) -> None:
    assert guest("", SLEEP | NO_IR).report.rules == {"R8"}


# ---- what is reported ----


def line_of(comment: str) -> int:
    """The number of the line in driver.c that ends with this comment."""
    lines = DRIVER.read_text().splitlines()
    (number,) = (n for n, line in enumerate(lines, 1) if line.endswith(f"// {comment}"))
    return number


@pytest.mark.parametrize(
    "place,first,second",
    (
        ("rmb", "the index", "the element's id"),
        ("wmb", "the entry", "publish"),
        ("iob", "publish", "the doorbell"),
    ),
)
def test_lines(guest: Guest, place: str, first: str, second: str) -> None:
    run = guest("", fences={place: "none"})
    lines = {(v.first.line, v.second.line) for v in run.report.violations}
    assert (line_of(first), line_of(second)) in lines, run
    assert {v.second.file for v in run.report.violations} == {"grade/tests/support/vqsan/selftest/driver.c"}, run
    assert re.search(rf"grade/tests/support/vqsan/selftest/driver.c:{line_of(second)}\b", run.log), run


def test_the_documentation(guest: Guest) -> None:
    """The report in docs/ordering.md is what vqsan prints, except for the places in the code."""
    text = (ROOT / "docs/ordering.md").read_text()
    shown = re.search(r"^ +vqsan: R1.*\n(?: +vqsan:.*\n)+", text, re.MULTILINE)
    assert shown

    def shape(lines: str) -> list[str]:
        return [re.sub(r"\d+|in \w+, \S+| \w+ queue| 0x\w+", "#", line.strip()) for line in lines.splitlines()]

    printed = shape(guest("", fences={"rmb": "none"}).log)
    expected = shape(shown.group())
    start = printed.index(expected[0])
    assert printed[start : start + len(expected)] == expected


def test_counts(guest: Guest) -> None:
    report = guest("").report
    assert [report.total(count) for count in ("completions", "publishes", "kicks")] == [200, 200, 200], report
    fences = {fence["kind"]: fence["count"] for fence in report.fences}
    assert (fences["fence r,r"], fences["fence w,w"], fences["fence w,o"]) == (200, 200, 200), fences


@long
def test_same_seed_same_injections(guest: Guest) -> None:
    counts = [guest(f"inject=iob,every=7,seed={seed}").report.total("injected") for seed in (5, 5, 6, 7)]
    assert counts[0] == counts[1] and len(set(counts)) > 1, counts
    assert all(10 < count < 60 for count in counts), counts


def test_hidden_rules(guest: Guest) -> None:
    run = guest("hide=R1,R2,R5,R7", fences={"rmb": "none", "wmb": "none"})
    assert {v.rule: v.hidden for v in run.report.violations} == {"R1": True, "R3": False}, run
    assert "R3" in run.log and "R1" not in run.log and "fence r,r" not in run.log.split("fences in all")[0], run


@pytest.mark.parametrize("options", cases(("inject=rnb", "device=good", "hide=R9", "colour=red", "elf=/dev/null"), ["inject=rnb"]))
def test_bad_option(job: Job, options: str) -> None:
    command = [job.qemu, "-machine", "none", "-display", "none", "-monitor", "none", *plugin_arguments(job.build, options)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * patience.scale())
    assert done.returncode != 0 and "vqsan: " in done.stderr, done


# ---- a hostile device ----


@pytest.mark.parametrize("device", cases(("bad-id", "double", "long-len", "index-jump", "stuck", "early-irq"), ["bad-id"]))
def test_hostile_device(guest: Guest, device: str) -> None:
    """The small driver notices each kind of wrong answer."""
    run = guest(f"device={device},every=1", SLEEP if device == "early-irq" else 0, requests=MANY)
    assert run.report.total("corrupted") > 0, run
    assert run.status == BITTEN, run

