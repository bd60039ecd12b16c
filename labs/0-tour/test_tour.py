"""The answers of lab 0, compared with the machine that `make qemu` starts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable

import pytest

from grade.machine import binutils
from grade.machine.machine import Machine
from grade.marking.course import Lab
from grade.marking.promise import Broken

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib

Boot = Callable[..., Machine]
Answer = Callable[[str, type], Any]


@pytest.fixture
def answer(lab: Lab) -> Answer:
    def look_up(key: str, kind: type) -> Any:
        path = lab.folder / "answers.toml"
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8")).get(key)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise Broken(seen=f"labs/0-tour/answers.toml cannot be read: {error}") from None
        if found is None or (isinstance(found, kind) and not found):
            raise Broken(seen=f"{key} in labs/0-tour/answers.toml is not answered yet")
        if not isinstance(found, kind) or isinstance(found, bool):
            wanted = "a list of numbers, such as [1, 2]" if kind is list else "a number, such as 123 or 0x7b, without quotes"
            raise Broken(seen=f"{key} in labs/0-tour/answers.toml is {found!r}; it should be {wanted}")
        return found

    return look_up


def check(key: str, said: Any, true: Any) -> None:
    """Does not tell the right answer: it is there to be found."""
    if said != true:
        raise Broken(seen=f"{key} = {f'{said} ({said:#x})' if isinstance(said, int) else said}; the machine says something else")


@pytest.mark.promise("disk-registers")
def test_disk_registers(machine_factory: Boot, answer: Answer) -> None:
    said = answer("disk_registers", int)
    tree = machine_factory(shell=False).monitor("info qtree")
    slots = re.split(r"^  dev: ", tree, flags=re.MULTILINE)
    (slot,) = (slot for slot in slots if slot.startswith("virtio-mmio") and "virtio-blk-device" in slot)
    match = re.search(r"^    mmio ([0-9a-f]+)/", slot, re.MULTILINE)
    assert match
    check("disk_registers", said, int(match[1], 16))


@pytest.mark.promise("handshake")
def test_handshake(machine_factory: Boot, answer: Answer) -> None:
    said = answer("handshake", list)
    machine = machine_factory(trace=["virtio_set_status"])
    seen = [(event.fields["vdev"], event.number("val")) for event in machine.trace()]
    first = next(device for device, value in seen if value)
    if said and all(isinstance(value, int) and value & (value - 1) == 0 for value in said[1:]):
        raise Broken(seen=f"handshake = {said}; these are single bits: what is written is the whole register, with the bits set before")
    check("handshake", said, [value for device, value in seen if device == first and value])


@pytest.mark.promise("queue-size")
def test_queue_size(machine_factory: Boot, answer: Answer) -> None:
    said = answer("rng_queue_size", int)
    machine = machine_factory(disk=None, gpu=False, trace=["virtio_mmio_queue_write"])
    check("rng_queue_size", said, next(event.number("write") for event in machine.trace()))


@pytest.mark.promise("kicks")
def test_kicks(machine_factory: Boot, answer: Answer) -> None:
    said = answer("bars_kicks", int)
    machine = machine_factory(disk=None, rng=False, trace=["virtio_queue_notify"])
    before = len(machine.trace())
    machine.run("fbtest bars")
    check("bars_kicks", said, len(machine.trace()) - before)


@pytest.mark.promise("poll-used")
def test_poll_used(build: Path, answer: Answer) -> None:
    said = answer("poll_used", int)
    check("poll_used", said, binutils.address(build / "kernel.elf", "poll_used"))


@pytest.mark.promise("used-ring")
def test_used_ring(machine_factory: Boot, answer: Answer) -> None:
    said = answer("disk_used_ring", int)
    machine = machine_factory(trace=["virtio_set_status", "virtio_mmio_write_offset", "virtio_blk_handle_read"])
    device = disk = ""  # whose handshake is in progress; which one is the disk
    halves: dict[str, dict[int, int]] = {}  # for each device, what was written to its registers
    for event in machine.trace():
        if event.name == "virtio_set_status":
            device = event.fields["vdev"]
        elif event.name == "virtio_mmio_write_offset":
            halves.setdefault(device, {})[event.number("offset")] = event.number("value")
        elif event.name == "virtio_blk_handle_read":
            disk = event.fields["vdev"]
    check("disk_used_ring", said, halves[disk][0xA4] << 32 | halves[disk][0xA0])
