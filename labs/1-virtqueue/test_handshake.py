"""Part A: the handshake, as QEMU sees it register by register."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

import pytest

from grade.machine.console import ConsoleError
from grade.machine.machine import Machine
from grade.marking.promise import Broken

Boot = Callable[..., Machine]

# Registers (VirtIO 1.2, 4.2.2).
VERSION, OFFERED, OFFERED_SEL, ACCEPTED, ACCEPTED_SEL = 0x04, 0x10, 0x14, 0x20, 0x24
QUEUE_SEL, QUEUE_NUM, QUEUE_READY, NOTIFY, STATUS = 0x30, 0x38, 0x44, 0x50, 0x70
ADDRESSES = {0x80: "the descriptors", 0x90: "the available ring", 0xA0: "the used ring"}
NAMES = {0x14: "DeviceFeaturesSel", 0x20: "DriverFeatures", 0x24: "DriverFeaturesSel", 0x30: "QueueSel"}
NAMES |= {0x38: "QueueNum", 0x44: "QueueReady", 0x50: "QueueNotify", 0x70: "Status", 0x64: "InterruptACK"}
NAMES |= {0x80: "QueueDescLow", 0x84: "QueueDescHigh", 0x90: "QueueDriverLow", 0x94: "QueueDriverHigh"}
NAMES |= {0xA0: "QueueDeviceLow", 0xA4: "QueueDeviceHigh"}

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, FAILED = 1, 2, 4, 8, 128
RNG = "virtio-rng-device,bus=virtio-mmio-bus.2"
RAM, RAM_END = 0x80000000, 0x90000000


@dataclass(frozen=True)
class Access:
    register: int
    value: Optional[int]  # what was written; None for a read

    def __str__(self) -> str:
        name = NAMES.get(self.register, f"register {self.register:#x}")
        return f"read {name}" if self.value is None else f"{name} = {self.value:#x}"


def accesses(machine: Machine) -> list[Access]:
    """What the driver did to the one device that is there; before it, it looks at the empty slots."""
    found = []
    for event in machine.trace():
        if "offset" in event.fields:
            found.append(Access(event.number("offset"), event.number("value") if "value" in event.fields else None))
    # Each slot is asked for magic value and type; a version is read only where a device is.
    start = next((i for i, access in enumerate(found) if access.register == VERSION), len(found))
    return [access for access in found[start + 1 :] if access.register not in (0x0, 0x8)]


def writes(log: list[Access], register: int) -> list[int]:
    return [access.value for access in log if access.register == register and access.value is not None]


def boot(machine_factory: Boot, *devices: str) -> tuple[list[Access], str]:
    """Boots with these devices only, to a shell if it comes so far: the trace, and what the kernel said."""
    extra = [word for device in devices for word in ("-device", device)]
    if any("virtio-blk" in device for device in devices):
        extra = ["-blockdev", "driver=null-co,node-name=empty,size=1048576,read-zeroes=on", *extra]
    machine = machine_factory(
        disk=None, gpu=False, rng=False, shell=False, extra=extra, trace=["virtio_mmio_read", "virtio_mmio_write_offset"]
    )
    try:
        machine.expect(r"^\$ ", quiet=20)
    except ConsoleError:
        if not accesses(machine):
            raise
    return accesses(machine), machine.said(r"lab 1: .*|(?:rng|blk)0: .*")


def accepted_features(log: list[Access]) -> dict[int, int]:
    """The halves of the features that the driver has written, as they were in the end."""
    half, accepted = 0, {}
    for access in log:
        if access.register == ACCEPTED_SEL and access.value is not None:
            half = access.value
        elif access.register == ACCEPTED and access.value is not None:
            accepted[half] = access.value
    return accepted


def show(log: list[Access], registers: tuple[int, ...] = ()) -> str:
    """The writes, in one line; some of them."""
    shown = [str(access) for access in log if access.value is not None and access.register in (registers or NAMES)]
    return ", ".join(shown[:24]) + (", ..." if len(shown) > 24 else "") or "nothing was written"


@pytest.mark.promise("order")
def test_order(machine_factory: Boot, award: Callable[[float, str], None]) -> None:
    log, said = boot(machine_factory, RNG)
    steps: list[tuple[str, Callable[[Access], bool]]] = [
        ("1. Status = 0 (reset)", lambda a: a == Access(STATUS, 0)),
        ("2. Status = 1 (ACKNOWLEDGE)", lambda a: a == Access(STATUS, ACKNOWLEDGE)),
        ("3. Status = 3 (DRIVER added)", lambda a: a == Access(STATUS, ACKNOWLEDGE | DRIVER)),
        ("4. DeviceFeatures read", lambda a: a == Access(OFFERED, None)),
        ("4. DriverFeatures written", lambda a: a.register == ACCEPTED and a.value is not None),
        ("5. Status = 0xb (FEATURES_OK added)", lambda a: a == Access(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)),
        ("7. QueueReady = 1", lambda a: a == Access(QUEUE_READY, 1)),
        (
            "8. Status = 0xf (DRIVER_OK added)",
            lambda a: a == Access(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK),
        ),
    ]
    seen = f"the trace shows: {show(log, (STATUS, ACCEPTED, QUEUE_READY, NOTIFY))}{said}"
    position, reached = 0, 0
    for name, is_step in steps:
        where = next((i for i in range(position, len(log)) if is_step(log[i])), None)
        if where is None:
            earlier = any(is_step(access) for access in log[:position])
            award(reached / 2 / len(steps), f"{reached} of {len(steps)} steps were in order")
            raise Broken(seen=f"step {name!r} {'comes too early' if earlier else 'does not come'}; {seen}")
        position, reached = where + 1, reached + 1
    status = writes(log, STATUS)
    for before, after in zip(status, status[1:]):
        if after != 0 and after & before != before:
            raise Broken(seen=f"a bit of the status is lost between {before:#x} and {after:#x}; {seen}", spec="VirtIO 1.2, 2.1.1")
    if FEATURES_OK | ACKNOWLEDGE | DRIVER in status:
        agreed = log.index(Access(STATUS, FEATURES_OK | ACKNOWLEDGE | DRIVER))
        if any(access.register == ACCEPTED for access in log[agreed:]):
            raise Broken(seen=f"features are written after FEATURES_OK; {seen}")
    live = next(i for i, access in enumerate(log) if access.register == STATUS and (access.value or 0) & DRIVER_OK)
    if any(access.register == NOTIFY for access in log[:live]):
        raise Broken(seen=f"the doorbell is rung before DRIVER_OK; {seen}")
    if any(access.register == QUEUE_READY and access.value for access in log[live:]):
        raise Broken(seen=f"a queue is made ready after DRIVER_OK; {seen}")


@pytest.mark.promise("features")
def test_features(machine_factory: Boot) -> None:
    """With a disk that can flush and is not read-only; the driver would like to know of both."""
    log, said = boot(machine_factory, "virtio-blk-device,drive=empty,bus=virtio-mmio-bus.0")
    half, read = 0, set()
    for access in log:
        if access.register == OFFERED_SEL and access.value is not None:
            half = access.value
        elif access.register == OFFERED:
            read.add(half)
    accepted = accepted_features(log)
    seen = f"the trace shows: {show(log, (OFFERED_SEL, ACCEPTED_SEL, ACCEPTED))}{said}"
    if not {0, 1} <= read:
        raise Broken(seen=f"of the features offered, the halves {sorted(read) or 'none'} are read, not 0 and 1; {seen}")
    if not {0, 1} <= accepted.keys():
        raise Broken(seen=f"of the features accepted, the halves {sorted(accepted) or 'none'} are written, not 0 and 1; {seen}")
    if accepted[1] != 1:
        raise Broken(seen=f"bits 32 to 63 are accepted as {accepted[1]:#x}; VIRTIO_F_VERSION_1 alone is 0x1; {seen}")
    if accepted[0] & 1 << 5:
        raise Broken(seen=f"bit 5 (VIRTIO_BLK_F_RO) is accepted, which this device does not offer; {seen}")
    if not accepted[0] & 1 << 9:
        raise Broken(seen=f"bit 9 (VIRTIO_BLK_F_FLUSH) is wanted and offered, and not accepted; {seen}")
    if accepted[0] & (1 << 28 | 1 << 29):
        raise Broken(seen=f"bits 28, 29 are accepted as {accepted[0]:#x}: no driver of ours wants these; {seen}")


@pytest.mark.promise("features-ok")
def test_features_ok(machine_factory: Boot) -> None:
    """The device insists on a feature that our drivers do not know, and so it refuses FEATURES_OK."""
    log, said = boot(machine_factory, f"{RNG},iommu_platform=on")
    status, upper = writes(log, STATUS), accepted_features(log).get(1, 0)
    verdict = "the device had refused FEATURES_OK"
    if upper != 1:
        verdict = f"the device had nothing to refuse, as bits 32 to 63 were accepted as {upper:#x}: see the line above (features)"
    seen = f"{verdict}; the trace shows: {show(log, (STATUS, ACCEPTED_SEL, ACCEPTED, QUEUE_READY, NOTIFY))}{said}"
    asked = next((i for i, value in enumerate(status) if value & FEATURES_OK), None)
    if asked is None:
        raise Broken(seen=f"FEATURES_OK is never written, so nothing was refused; the trace shows: {show(log, (STATUS,))}{said}")
    if any(value & DRIVER_OK for value in status):
        raise Broken(seen=f"the driver went on to DRIVER_OK: {seen}")
    if writes(log, QUEUE_READY):
        raise Broken(seen=f"the driver went on to set up a queue: {seen}")
    if not any(value & FAILED for value in status[asked:]):
        raise Broken(seen=f"the device is not marked FAILED: {seen}", spec="VirtIO 1.2, 2.1.1 and 3.1.1")


@pytest.mark.promise("queue")
def test_queue(machine_factory: Boot) -> None:
    log, said = boot(machine_factory, RNG)
    used = (QUEUE_SEL, QUEUE_NUM, QUEUE_READY, *ADDRESSES, *(low + 4 for low in ADDRESSES))
    seen = f"the trace shows: {show(log, used)}{said}"
    ready = next((i for i, access in enumerate(log) if access == Access(QUEUE_READY, 1)), None)
    if ready is None:
        raise Broken(seen=f"QueueReady = 1 is never written; {seen}")
    before = log[:ready]
    last = {access.register: access.value for access in before if access.value is not None}
    if last.get(QUEUE_SEL) != 0:
        raise Broken(seen=f"queue 0 is not selected by QueueSel; {seen}")
    if Access(QUEUE_READY, None) not in before:
        raise Broken(seen=f"QueueReady is not read first: is the queue in use already? {seen}")
    size = last.get(QUEUE_NUM) or 0
    if size == 0 or size & (size - 1) or size > 1024:
        raise Broken(seen=f"QueueNum is {size or 'not written'} before QueueReady = 1; {seen}")
    end = 0
    for (low, what), align, length in zip(ADDRESSES.items(), (16, 2, 4), (16 * size, 6 + 2 * size, 6 + 8 * size)):
        if low not in last or low + 4 not in last:
            half = "low" if low not in last else "high"
            raise Broken(seen=f"the {half} half of the address of {what} is not written before QueueReady = 1; {seen}")
        address = (last[low] or 0) | (last[low + 4] or 0) << 32
        if not RAM <= address <= RAM_END - length:
            raise Broken(seen=f"{what} would lie at {address:#x}, where there is no memory: a physical address? {seen}")
        if address % align:
            raise Broken(seen=f"{what} would lie at {address:#x}, which is no multiple of {align}; {seen}")
        if address < end:
            raise Broken(seen=f"{what} would lie at {address:#x}, inside what comes before it; {seen}")
        end = address + length
    after = [access for access in log[ready + 1 :] if access.value is not None and access.register in used]
    if any(access.register not in (QUEUE_SEL, QUEUE_READY) for access in after):
        raise Broken(seen=f"the queue is changed after it was made ready; {seen}")
