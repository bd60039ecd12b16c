"""Part B: the ring, by unit tests on the host (host/), built with the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import re
import subprocess
from typing import Callable

import pytest

from grade.marking.promise import Broken

Native = Callable[..., "subprocess.CompletedProcess[str]"]
Award = Callable[[float, str], None]

# Which unit tests decide which promise. host/ has more of them, which are for whoever works on the ring.
UNITS = {
    "init": ["init", "bad_sizes"],
    "chain": ["layout"],
    "refuse": ["no_space", "invalid"],
    "publish": ["publish"],
    "kick": ["batch_one_kick", "no_notify"],
    "take": ["results", "one_at_a_time", "out_of_order"],
    "wrap": ["round_1", "round_2", "round_256", "round_1024"],
    "leak": ["recycle", "scribble", "take_back"],
    "callbacks": ["callbacks"],
    "lies": ["id_out_of_range", "id_not_in_flight", "double_completion", "mid_chain_id", "length_too_long", "index_jump"]
    + ["good_before_bad", "break"],
    "counters": ["stats", "poll_budget"],
}

endless: list[str] = []  # the unit tests that did not come to an end: two cost their time, all others little


def reason(output: str, name: str) -> str:
    """What a unit test that failed has said: its own words, or the sanitizer's."""
    match = re.search(rf"^FAIL {name}: (.*)$", output, re.MULTILINE)
    if match:
        return match[1]
    match = re.search(r"^(.*runtime error:.*)$", output, re.MULTILINE) or re.search(
        r"^SUMMARY: AddressSanitizer: (.*)$", output, re.MULTILINE
    )
    if match:
        return re.sub(r"/\S*/(kernel|labs)/", r"\1/", match[1])
    last = output.strip().splitlines()[-1:] or ["it printed nothing"]
    return f"it did not come to an end: {last[0]}"


def judge(promise: str, native: Native, award: Award) -> None:
    broken = {}
    for name in UNITS[promise]:
        quick = ["-q"] if len(endless) >= 2 else []
        done = native("virtqueue_test", *quick, name, seconds=20)
        # What comes before the last line the driver has said, by kprintf().
        if done.returncode != 0 or done.stdout.splitlines()[-1:] != [f"ok {name}"]:
            broken[name] = reason(done.stdout, name)
            endless.extend([name] if "an endless loop" in broken[name] else [])
            print(done.stdout)
    if broken:
        held = len(UNITS[promise]) - len(broken)
        award(held / 2 / len(UNITS[promise]), f"{held} of {len(UNITS[promise])} unit tests pass")
        listed = "\n".join(f"{name}: {why}" for name, why in broken.items())
        if len({*broken.values()}) == 1 and len(broken) > 1:
            listed = f"{next(iter(broken.values()))} (so say {' '.join(broken)})"
        raise Broken(seen=f"{listed}\nrun it: build/host/virtqueue_test {' '.join(broken)}")


@pytest.mark.promise("init")
def test_init(native: Native, award: Award) -> None:
    judge("init", native, award)


@pytest.mark.promise("chain")
def test_chain(native: Native, award: Award) -> None:
    judge("chain", native, award)


@pytest.mark.promise("refuse")
def test_refuse(native: Native, award: Award) -> None:
    judge("refuse", native, award)


@pytest.mark.promise("publish")
def test_publish(native: Native, award: Award) -> None:
    judge("publish", native, award)


@pytest.mark.promise("kick")
def test_kick(native: Native, award: Award) -> None:
    judge("kick", native, award)


@pytest.mark.promise("take")
def test_take(native: Native, award: Award) -> None:
    judge("take", native, award)


@pytest.mark.promise("wrap")
def test_wrap(native: Native, award: Award) -> None:
    judge("wrap", native, award)


@pytest.mark.promise("leak")
def test_leak(native: Native, award: Award) -> None:
    judge("leak", native, award)


@pytest.mark.promise("callbacks")
def test_callbacks(native: Native, award: Award) -> None:
    judge("callbacks", native, award)


@pytest.mark.promise("lies")
def test_lies(native: Native, award: Award) -> None:
    judge("lies", native, award)


@pytest.mark.promise("counters")
def test_counters(native: Native, award: Award) -> None:
    judge("counters", native, award)
