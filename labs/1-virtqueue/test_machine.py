"""Both parts together: the entropy device of a real machine, which gives what we feed it."""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from grade.machine import patience
from grade.machine.console import ConsoleError
from grade.machine.machine import NEVER_GIVE_UP, PROMPT, Machine
from grade.machine.trace import TraceEvent
from grade.marking.promise import Broken

Boot = Callable[..., Machine]
DEVICE = "virtio-rng-device,rng=fed,bus=virtio-mmio-bus.2"
EVENTS = ["virtio_queue_notify", "virtio_notify", "virtqueue_pop", "virtqueue_fill"]


class Feed:
    """A pipe from which the entropy device takes its bytes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "entropy"
        os.mkfifo(self.path)
        self.pipe = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)  # both ends: QEMU never sees it end

    def arguments(self) -> list[str]:
        return ["-object", f"rng-random,id=fed,filename={self.path}", "-device", DEVICE]

    def give(self, data: bytes) -> None:
        os.write(self.pipe, data)


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    feed = Feed(tmp_path)
    yield feed
    os.close(feed.pipe)


def secret(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def events(machine: Machine, name: str) -> list[TraceEvent]:
    return [event for event in machine.trace() if event.name == name]


def said(machine: Machine) -> str:
    """What the kernel has said about the device."""
    return machine.said(r"lab 1: .*|rng0: .*")


def read_random(machine: Machine, size: int) -> bytes:
    """The bytes that hexdump reads and shows, 16 a request."""
    try:
        status, output = machine.run_status(f"hexdump -n {size} /dev/random", quiet=10, total=20)
    except ConsoleError:
        kicks, popped = len(events(machine, "virtio_queue_notify")), len(events(machine, "virtqueue_pop"))
        filled = len(events(machine, "virtqueue_fill"))
        raise Broken(
            seen=f"reading /dev/random does not end; the device was kicked {kicks} times, took {popped} chains and "
            f"completed {filled}{said(machine)}"
        ) from None
    if status != 0:
        raise Broken(seen=f"/dev/random cannot be read: {output.strip()}{said(machine)}")
    rows = re.findall(r"^[0-9a-f]{8} ((?: +[0-9a-f]{2})+)", output, re.MULTILINE)
    return bytes.fromhex("".join(rows))


def boot(factory: Boot, feed: Feed, args: str = "") -> Machine:
    """On a slow host we wait longer than the kernel waits for a silent device: so it is told never to give one up."""
    trace = [*EVENTS, "virtio_mmio_write_offset"]
    args = f"{args} {NEVER_GIVE_UP}"
    machine = factory(disk=None, gpu=False, rng=False, shell=False, args=args, extra=feed.arguments(), trace=trace)
    try:
        machine.expect(PROMPT, quiet=20)
    except ConsoleError as error:
        raise Broken(seen=f"the machine does not come to its shell{said(machine)}\n{error}") from None
    return machine


@pytest.mark.promise("random")
def test_random(machine_factory: Boot, feed: Feed, seed: int) -> None:
    machine = boot(machine_factory, feed)
    given = secret(seed, 40)  # three requests: 16, 16 and 8 bytes
    feed.give(given)
    got = read_random(machine, len(given))
    if got != given:
        at = next((i for i, pair in enumerate(zip(got, given)) if pair[0] != pair[1]), min(len(got), len(given)))
        raise Broken(
            seen=f"the device gave {len(given)} bytes, the process got {len(got)}; from byte {at} on they differ: given "
            f"{given[at : at + 8].hex(' ') or 'nothing'} ..., got {got[at : at + 8].hex(' ') or 'nothing'} ...{said(machine)}"
        )
    kicks, popped = len(events(machine, "virtio_queue_notify")), len(events(machine, "virtqueue_pop"))
    if (kicks, popped) != (3, 3):
        raise Broken(seen=f"for three requests the device was kicked {kicks} times and took {popped} chains")


def interrupts_wanted(machine: Machine) -> bool:
    """What the device finds in avail->flags."""
    written = {event.number("offset"): event.number("value") for event in events(machine, "virtio_mmio_write_offset")}
    address = written.get(0x94, 0) << 32 | written.get(0x90, 0)
    flags = re.search(r": (0x[0-9a-f]+)", machine.monitor(f"xp /1hx {address:#x}"))
    return flags is not None and int(flags[1], 16) & 1 == 0


def asleep(machine: Machine) -> bool:
    """Do all harts sleep, but for a tick now and then? Where one is busy, no look finds it asleep."""
    deadline = time.monotonic() + 5 * patience.scale()
    found = 0
    while found < 3 and time.monotonic() < deadline:
        found = found + 1 if machine.asleep() else 0
        time.sleep(0.01)
    return found == 3


@pytest.mark.promise("sleep")
def test_sleep(machine_factory: Boot, feed: Feed, seed: int) -> None:
    """The device answers only after it was asked to interrupt, so the reader has seen that nothing is there yet."""
    machine = boot(machine_factory, feed, args="poll=0")
    machine.send("hexdump -n 16 /dev/random; echo '<'end:$?'>'\n")
    deadline = time.monotonic() + 10 * patience.scale()
    while not events(machine, "virtio_queue_notify"):
        if time.monotonic() > deadline or "<end:" in machine.text:
            raise Broken(seen=f"the device was never kicked{said(machine)}")
        time.sleep(0.02)
    deadline = time.monotonic() + 5 * patience.scale()
    while not (wanted := interrupts_wanted(machine)) and time.monotonic() < deadline:
        time.sleep(0.02)
    if not asleep(machine):
        raise Broken(seen=f"the device has not answered yet, and the process does not sleep: a hart is busy all the time{said(machine)}")
    before = len(events(machine, "virtio_notify"))
    feed.give(secret(seed, 16))
    try:
        machine.expect(r"<end:0>", quiet=10, total=10)
    except ConsoleError:
        if not events(machine, "virtqueue_fill"):
            raise Broken(
                seen=f"the device was kicked, and completes nothing, so this says nothing about sleeping{said(machine)}",
                look="the line above (random), and first of all those of part A",
            ) from None
        count = len(events(machine, "virtio_notify")) - before
        told = "it interrupted, and nobody woke up" if count else "it was not asked to interrupt, so it did not"
        raise Broken(seen=f"the device has answered; {told}; the process sleeps on{said(machine)}") from None
    if len(events(machine, "virtio_notify")) == before:
        why = "it did not sleep" if wanted else "by its flag in avail->flags the driver wants none"
        raise Broken(seen=f"the process went on, but no interrupt came: {why}{said(machine)}")
