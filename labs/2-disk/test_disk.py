"""The disk driver, as QEMU's trace and the disk image see it."""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pytest

from grade.console import ConsoleError
from grade.machine import PROMPT, Machine
from grade.promise import Broken

Boot = Callable[..., Machine]
EVENTS = ["virtqueue_pop", "virtio_queue_notify", "virtio_notify", "virtio_blk_*"]
DEVICES = "dev/console:c:1:0 dev/fb0:c:2:0 dev/disk0:c:3:0 dev/random:c:4:0 dev/vqstat:c:5:0 dev/null:c:6:0 dev/kstat:c:7:0"
SECTORS_PER_BLOCK = 8


# ---- a machine whose only device is the disk ----


@pytest.fixture
def make_image(build: Path, host: Path, tmp_path: Path) -> Callable[[bytes], Path]:
    """A disk with our programs and a file `secret`."""

    def make(secret: bytes) -> Path:
        (tmp_path / "secret").write_bytes(secret)
        files = [*sorted((build / "image").iterdir()), tmp_path / "secret"]
        image = tmp_path / "disk.img"
        subprocess.run([host / "mkfs", "-s", "24M", image, *files, *DEVICES.split()], check=True, stdout=subprocess.DEVNULL)
        return image

    return make


def said(machine: Machine) -> str:
    lines = re.findall(r"^(?:lab [12]: .*|disk0: .*|blk0: .*|.*panic.*)$", machine.text, re.MULTILINE)
    return "; the kernel said: " + " / ".join(lines[:4]) if lines else ""


def boot(factory: Boot, image: Path, **options: object) -> Machine:
    """Boots from the disk."""
    machine = factory(disk=image, gpu=False, rng=False, trace=EVENTS, shell=False, **options)
    try:
        machine.expect(PROMPT, quiet=20)
    except ConsoleError:
        raise Broken(seen=f"the machine does not come to its shell; {counts(machine)}{said(machine)}") from None
    if "root: disk0" not in machine.text:
        raise Broken(seen=f"the disk's file system cannot be mounted; {counts(machine)}{said(machine)}")
    return machine


def ask(machine: Machine, command: str) -> tuple[int, str]:
    try:
        return machine.run_status(command, quiet=20, total=60)
    except ConsoleError:
        raise Broken(seen=f"{command!r} does not end; {counts(machine)}{said(machine)}") from None


# ---- what the trace says ----


@dataclass(frozen=True)
class Event:
    name: str
    fields: dict[str, str]

    def number(self, field: str) -> int:
        return int(self.fields[field], 0)


def events(machine: Machine, *names: str) -> list[Event]:
    found = []
    for line in machine.trace():
        match = re.match(r"\d+@[\d.]+:(\w+) (.*)", line)
        if match and (not names or match[1] in names):
            words = match[2].split()
            found.append(Event(match[1], dict(zip(words[::2], words[1::2]))))
    return found


def counts(machine: Machine) -> str:
    kicks, popped = len(events(machine, "virtio_queue_notify")), len(events(machine, "virtqueue_pop"))
    done = len(events(machine, "virtio_blk_req_complete"))
    return f"the device was kicked {kicks} times, took {popped} chains and completed {done}"


def deepest(log: list[Event]) -> int:
    """The most reads that were with the device at one time."""
    open_requests: set[str] = set()
    most = 0
    for event in log:
        if event.name == "virtio_blk_handle_read":
            open_requests.add(event.fields["req"])
        elif event.name == "virtio_blk_req_complete":
            open_requests.discard(event.fields["req"])
        most = max(most, len(open_requests))
    return most


# ---- checkpoint 1 ----


@pytest.mark.promise("chain")
def test_chain(machine_factory: Boot, make_image: Callable[[bytes], Path]) -> None:
    """The first request of all is the one for the super block: one block, block 0 or 1."""
    machine = machine_factory(disk=make_image(b"x"), gpu=False, rng=False, trace=EVENTS, shell=False)
    try:
        machine.expect(PROMPT, quiet=20)
    except ConsoleError:
        pass  # what it did with the device tells more
    popped, reads = events(machine, "virtqueue_pop"), events(machine, "virtio_blk_handle_read")
    if not popped:
        raise Broken(seen=f"no chain reached the device; {counts(machine)}{said(machine)}")
    shape = popped[0].number("out_num"), popped[0].number("in_num")
    if shape != (1, 2):
        raise Broken(
            seen=f"in the first chain the device reads {shape[0]} buffers and writes {shape[1]}; "
            f"it reads the header, and writes the data and the status{said(machine)}"
        )
    if not reads:
        raise Broken(seen=f"the device took a chain, but found no VIRTIO_BLK_T_IN in it{said(machine)}")
    if reads[0].number("nsectors") != SECTORS_PER_BLOCK:
        raise Broken(seen=f"the first read asks for {reads[0].fields['nsectors']} sectors; a block has {SECTORS_PER_BLOCK}")
    wrong = [read.fields["sector"] for read in reads if read.number("sector") % SECTORS_PER_BLOCK]
    if wrong or not any(read.number("sector") for read in reads):
        raise Broken(seen=f"reads begin at sector {wrong[0] if wrong else 0}; blocks begin at multiples of {SECTORS_PER_BLOCK}")


@pytest.mark.promise("read")
def test_read(machine_factory: Boot, make_image: Callable[[bytes], Path], seed: int) -> None:
    secret = random.Random(seed).randbytes(150_000)
    machine = boot(machine_factory, make_image(secret))
    for start in (0, 4096 + seed % 4000, 4096 * 9, len(secret) - 100):
        status, output = ask(machine, f"hexdump -s {start} -n 64 secret")
        rows = re.findall(r"^[0-9a-f]{8} ((?: +[0-9a-f]{2})+)", output, re.MULTILINE)
        got, wanted = bytes.fromhex("".join(rows)), secret[start : start + 64]
        if status != 0 or got != wanted:
            raise Broken(
                seen=f"at byte {start} of a file the disk has {wanted[:12].hex(' ')} ..., the process got "
                f"{got[:12].hex(' ') + ' ...' if got else output.strip() or 'nothing'}{said(machine)}"
            )


@pytest.mark.promise("status")
def test_status(machine_factory: Boot, make_image: Callable[[bytes], Path], host: Path, seed: int, tmp_path: Path) -> None:
    """QEMU's blkdebug fails each read of the file's blocks; of nothing else."""
    secret = random.Random(seed).randbytes(64_000)
    image = make_image(secret)
    first = image.read_bytes().index(secret[:4096])
    rules = tmp_path / "faults"
    rules.write_text(
        "".join(
            f'[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "{sector}"\nonce = "off"\n'
            for sector in range(first // 512, first // 512 + 32)
        )
    )
    extra = ["-drive", f"file=blkdebug:{rules}:{image},if=none,format=raw,id=faulty,werror=report,rerror=report"]
    extra += ["-device", "virtio-blk-device,drive=faulty,bus=virtio-mmio-bus.0"]
    machine = boot(machine_factory, None, extra=extra)  # type: ignore[arg-type]
    status, output = ask(machine, "hexdump -n 64 secret")
    failed = [event for event in events(machine, "virtio_blk_req_complete") if event.number("status") != 0]
    if not failed:
        raise Broken(seen=f"the file's blocks were not read from the disk; {counts(machine)}{said(machine)}")
    if re.search(r"^[0-9a-f]{8}  *[0-9a-f]{2} ", output, re.MULTILINE):
        raise Broken(seen=f"the device reported status 1, VIRTIO_BLK_S_IOERR; the process got bytes: {output.splitlines()[0]}")
    status, output = ask(machine, "echo al''ive")
    if "alive" not in output:
        raise Broken(seen=f"after an error the system is not usable{said(machine)}")


# ---- checkpoint 2 ----


@pytest.mark.promise("depth")
def test_depth(machine_factory: Boot, make_image: Callable[[bytes], Path]) -> None:
    machine = boot(machine_factory, make_image(b"x"))
    before = len(events(machine))
    ask(machine, "bench -q disk-4k-32")
    log = events(machine)[before:]
    reads = sum(event.name == "virtio_blk_handle_read" for event in log)
    kicks = sum(event.name == "virtio_queue_notify" for event in log)
    depth = deepest(log)
    if reads < 64:
        raise Broken(seen=f"batches of 32 reads were submitted; the device saw {reads} reads{said(machine)}")
    if depth < 32:
        raise Broken(seen=f"32 reads were submitted together; at most {depth} were with the device at one time")
    if kicks > reads / 8:
        raise Broken(seen=f"for {reads} reads, submitted 32 at a time, the device was kicked {kicks} times")


@pytest.mark.promise("sleep")
def test_sleep(machine_factory: Boot, make_image: Callable[[bytes], Path]) -> None:
    machine = boot(machine_factory, make_image(b"x"), args="poll=0")
    before = len(events(machine))
    ask(machine, "bench -q disk-4k")
    log = events(machine)[before:]
    reads = sum(event.name == "virtio_blk_handle_read" for event in log)
    interrupts = sum(event.name == "virtio_notify" for event in log)
    if reads < 3 or interrupts < reads * 0.8:
        raise Broken(
            seen=f"with poll=0, {reads} reads were made one after the other; for {interrupts} of them "
            f"the device was asked to interrupt{said(machine)}"
        )


def made(seed: int, size: int) -> bytes:
    """What mkfile writes: SplitMix64 from that seed."""
    mask, words = (1 << 64) - 1, []
    for _ in range((size + 7) // 8):
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        words.append((z ^ (z >> 31)).to_bytes(8, "little"))
    return b"".join(words)[:size]


@pytest.mark.promise("write")
def test_write(machine_factory: Boot, make_image: Callable[[bytes], Path], host: Path, seed: int) -> None:
    machine = boot(machine_factory, make_image(b"x"))
    assert machine.disk is not None
    sizes = {"small": 5_000, "large": 700_000}
    for name, size in sizes.items():
        status, output = ask(machine, f"mkfile {size} {name} {seed}")
        if status != 0:
            raise Broken(seen=f"a file of {size} bytes cannot be written: {output.strip()}{said(machine)}")
    ask(machine, "sync")
    machine.cut_power()
    for name, size in sizes.items():
        done = subprocess.run([host / "fscat", machine.disk, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wanted = made(seed, size)
        if done.stdout != wanted:
            place = next((i for i, (a, b) in enumerate(zip(done.stdout, wanted)) if a != b), min(len(done.stdout), size))
            raise Broken(
                seen=f"a file of {size} bytes was written and synced; on the disk it has {len(done.stdout)} bytes, "
                f"right up to byte {place}{said(machine)}"
            )


@pytest.mark.promise("flush")
def test_flush(machine_factory: Boot, make_image: Callable[[bytes], Path]) -> None:
    machine = boot(machine_factory, make_image(b"x"))
    before = len(events(machine))
    ask(machine, "mkfile 5000 new 1; sync")
    log = events(machine)[before:]
    writes = sum(event.name == "virtio_blk_handle_write" for event in log)
    flushes = sum(
        event.name == "virtqueue_pop" and (event.number("out_num"), event.number("in_num")) == (1, 1) for event in log
    )
    if writes == 0:
        raise Broken(seen=f"a file was written and synced; no write reached the device{said(machine)}")
    if not flushes:
        raise Broken(seen=f"a file was written and synced; {writes} writes reached the device, and no flush")
    if any(event.number("nsectors") == 0 for event in log if event.name in ("virtio_blk_handle_read", "virtio_blk_handle_write")):
        raise Broken(seen="a request without data reached the device whose header says VIRTIO_BLK_T_IN or _OUT, not _FLUSH")
