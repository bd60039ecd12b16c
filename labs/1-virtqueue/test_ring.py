"""Part B: the ring, by unit tests on the host (host/), built with the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from grade.promise import Broken

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

# What the object may need from elsewhere: a ring has no reason to print, to exit or to look at its tests.
ALLOWED = re.compile(r"__asan_\w+|__ubsan_\w+|__sanitizer_\w+|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|mem(cpy|set|move|cmp)|lab_todo")
SYSTEM_CALL = re.compile(r"\s(syscall|sysenter|int\s+\$0x80|svc)\b")


def check_object(build: Path) -> None:
    """The unit tests run in one program with what they judge; so it must not be able to speak for them."""
    name = str(build / "host/asan/kernel/virtio/virtqueue.c.o")

    def look(*command: str) -> str:
        return subprocess.run([*command, name], capture_output=True, text=True, check=True).stdout

    foreign = [line.split()[-1] for line in look("nm", "-u").splitlines()]
    foreign = [symbol for symbol in foreign if not ALLOWED.fullmatch(symbol.split("@")[0])]
    if foreign:
        raise Broken(
            promised="virtqueue.c depends on nothing but its own queue",
            seen=f"it uses {', '.join(foreign[:5])}",
            look="kernel/virtio/virtqueue.c: what it may use is in virtqueue.h and barrier.h",
        )
    # The address sanitizer registers one function that runs before main(); there is no reason for another.
    early = [line.split() for line in look("objdump", "-h").splitlines() if re.search(r"\.(pre)?init_array|\.ctors", line)]
    if sum(int(fields[2], 16) for fields in early) > 8 or SYSTEM_CALL.search(look("objdump", "-d")):
        raise Broken(
            promised="virtqueue.c runs only when it is called, and calls no operating system",
            seen="it holds a constructor or a system call",
            look="kernel/virtio/virtqueue.c",
        )


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


def judge(promise: str, native: Native, build: Path, award: Award) -> None:
    check_object(build)
    broken = {}
    for name in UNITS[promise]:
        done = native("virtqueue_test", name, seconds=20)
        if done.returncode != 0 or done.stdout.strip() != f"ok {name}":
            broken[name] = reason(done.stdout, name)
    if broken:
        held = len(UNITS[promise]) - len(broken)
        award(held / 2 / len(UNITS[promise]), f"{held} of {len(UNITS[promise])} unit tests pass")
        listed = "\n".join(f"{name}: {why}" for name, why in broken.items())
        raise Broken(seen=f"{listed}\nrun it: build/host/virtqueue_test {' '.join(broken)}")


@pytest.mark.promise("init")
def test_init(native: Native, build: Path, award: Award) -> None:
    judge("init", native, build, award)


@pytest.mark.promise("chain")
def test_chain(native: Native, build: Path, award: Award) -> None:
    judge("chain", native, build, award)


@pytest.mark.promise("refuse")
def test_refuse(native: Native, build: Path, award: Award) -> None:
    judge("refuse", native, build, award)


@pytest.mark.promise("publish")
def test_publish(native: Native, build: Path, award: Award) -> None:
    judge("publish", native, build, award)


@pytest.mark.promise("kick")
def test_kick(native: Native, build: Path, award: Award) -> None:
    judge("kick", native, build, award)


@pytest.mark.promise("take")
def test_take(native: Native, build: Path, award: Award) -> None:
    judge("take", native, build, award)


@pytest.mark.promise("wrap")
def test_wrap(native: Native, build: Path, award: Award) -> None:
    judge("wrap", native, build, award)


@pytest.mark.promise("leak")
def test_leak(native: Native, build: Path, award: Award) -> None:
    judge("leak", native, build, award)


@pytest.mark.promise("callbacks")
def test_callbacks(native: Native, build: Path, award: Award) -> None:
    judge("callbacks", native, build, award)


@pytest.mark.promise("lies")
def test_lies(native: Native, build: Path, award: Award) -> None:
    judge("lies", native, build, award)


@pytest.mark.promise("counters")
def test_counters(native: Native, build: Path, award: Award) -> None:
    judge("counters", native, build, award)
