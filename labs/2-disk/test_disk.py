"""The disk driver, as QEMU's trace, the disk itself and the data that arrives show it."""

from __future__ import annotations

import hashlib
import random
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from served_disk import ServedDisk

from grade.machine import patience
from grade.machine.console import ConsoleError
from grade.machine.machine import PROMPT, Machine
from grade.machine.trace import TraceEvent
from grade.marking.promise import Broken

Boot = Callable[..., Machine]
Award = Callable[[float, str], None]
MakeImage = Callable[..., Path]
Serve = Callable[[Path], ServedDisk]
EVENTS = ["virtqueue_pop", "virtio_queue_notify", "virtio_notify", "virtio_blk_*"]
DEVICES = "dev/console:c:1:0 dev/fb0:c:2:0 dev/disk0:c:3:0 dev/random:c:4:0 dev/vqstat:c:5:0 dev/null:c:6:0 dev/kstat:c:7:0"
BLOCK, SECTORS_PER_BLOCK = 4096, 8


# ---- a machine whose only device is the disk ----


@pytest.fixture
def make_image(build: Path, host: Path, tmp_path: Path) -> MakeImage:
    """A disk with our programs and the files `files`."""

    def make(**files: bytes) -> Path:
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        contents = [*sorted((build / "image").iterdir()), *(tmp_path / name for name in files)]
        image = tmp_path / "disk.img"
        subprocess.run([host / "mkfs", "-s", "24M", image, *contents, *DEVICES.split()], check=True, stdout=subprocess.DEVNULL)
        return image

    return make


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Makes a disk that is a program of ours, from an image."""
    disks: list[ServedDisk] = []

    def make(image: Path) -> ServedDisk:
        disks.append(ServedDisk(image.read_bytes()))
        return disks[-1]

    yield make
    for disk in disks:
        disk.close()


def said(machine: Machine) -> str:
    return machine.said(r"lab [12]: .*|disk0: .*|blk0: .*")


def unwritten(machine: Machine) -> str:
    """What is to be written before anything else; "" if all has been begun."""
    parts = ("blk_submit", "issue_waiting", "blk_complete", "blk_wait")
    left = [name for name in parts if f"lab 2: {name} is yours to write" in machine.text]
    return f"{left[0]}(), which is not written yet" if left else ""


def of_the_reads(machine: Machine) -> str:
    """What the trace shows of reads that did not bring what is on the disk; "" if they look right."""
    log = machine.trace()
    reads = named(log, "virtio_blk_handle_read")
    succeeded = [event for event in named(log, "virtio_blk_req_complete") if event.number("status") == 0]
    if "no magic number" in machine.text and reads and succeeded:
        return "; the read succeeded, but its bytes did not arrive in the request's memory (or came from another place)"
    # The file system reads three blocks, one at a time, and then many with one request.
    if len(reads) > 3 and all(read.number("nsectors") == SECTORS_PER_BLOCK for read in reads):
        return f"; each of {len(reads)} reads was for one block, as if its chain carried only the first of the segments"
    return ""


NOTHING_YET = "the first lines of this table: until the disk can be mounted, nothing can be seen of this promise"
cannot_mount: list[str] = []  # what the first test said that found it so: the others need not try


def boot(factory: Boot, image: Path | ServedDisk, look: str = NOTHING_YET, **options: Any) -> Machine:
    """Boots from the disk. Whoever waits sleeps at once, unless `args` says otherwise."""
    if isinstance(image, ServedDisk):
        options.update(disk=None, extra=image.arguments)
    else:
        options.update(disk=image)
    if cannot_mount:
        raise Broken(seen="not tried: the disk cannot be mounted, see above", look="the first failure")
    machine = factory(gpu=False, rng=False, trace=EVENTS, shell=False, **{"args": "poll=0", **options})
    try:
        machine.expect(PROMPT, quiet=10)
        trouble = "" if "root: disk0" in machine.text else "the disk's file system cannot be mounted"
    except ConsoleError:
        trouble = "the machine does not come to its shell"
    if not trouble:
        return machine
    if "args" not in options:  # as it is booted most of the time
        cannot_mount.append(trouble)
    seen = f"{trouble}; {counts(machine)}{of_the_reads(machine)}{said(machine)}"
    raise Broken(seen=seen, look=unwritten(machine) or look)


def ask(machine: Machine, command: str) -> tuple[int, str]:
    try:
        return machine.run_status(command, quiet=8, total=60)
    except ConsoleError:
        raise Broken(seen=f"{command!r} does not end; {counts(machine)}{said(machine)}") from None


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ---- what the trace says ----


def named(log: list[TraceEvent], name: str) -> list[TraceEvent]:
    return [event for event in log if event.name == name]


def counts(machine: Machine) -> str:
    log = machine.trace()
    kicks, popped = len(named(log, "virtio_queue_notify")), len(named(log, "virtqueue_pop"))
    done = len(named(log, "virtio_blk_req_complete"))
    return f"the device was kicked {kicks} times, took {popped} chains and completed {done}"


def all_reached(log: list[TraceEvent], submitted: int, machine: Machine) -> None:
    """Have so many reads, submitted together, reached the device?"""
    reads = len(named(log, "virtio_blk_handle_read"))
    if reads < submitted:
        raise Broken(
            seen=f"of {submitted} reads, submitted many at a time, only {reads} reached the device{said(machine)}",
            look="blk_submit(): is each request's `next` read before it is changed?",
        )


def deepest(log: list[TraceEvent]) -> int:
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


# ---- numbers that the guest draws from a seed ----


def split_mix(seed: int) -> Iterator[int]:
    """SplitMix64, as user/lib/random.c has it."""
    mask = (1 << 64) - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def made(seed: int, size: int) -> bytes:
    """What mkfile writes."""
    numbers = split_mix(seed)
    return b"".join(next(numbers).to_bytes(8, "little") for _ in range((size + 7) // 8))[:size]


def random_places(image: bytes, seed: int, stretches: int, blocks: int) -> list[int]:
    """Where diskread reads, in bytes."""
    places, numbers = len(image) // BLOCK - blocks + 1, split_mix(seed)
    return [next(numbers) % places * BLOCK for _ in range(stretches)]


def read_at_random(image: bytes, seed: int, stretches: int, blocks: int) -> bytes:
    """What diskread writes out."""
    return b"".join(image[start : start + blocks * BLOCK] for start in random_places(image, seed, stretches, blocks))


# ---- checkpoint 1 ----


@pytest.mark.promise("chain")
def test_chain(machine_factory: Boot, make_image: MakeImage) -> None:
    """The first request of all is the one for the super block: one block, block 0 or 1."""
    machine = machine_factory(disk=make_image(), gpu=False, rng=False, trace=EVENTS, shell=False)
    try:
        machine.expect(PROMPT, quiet=10)
    except ConsoleError:
        pass  # what it did with the device tells more
    log = machine.trace()
    popped, reads = named(log, "virtqueue_pop"), named(log, "virtio_blk_handle_read")
    if not popped:
        kicked = bool(named(log, "virtio_queue_notify"))
        raise Broken(
            seen=f"no chain reached the device; {counts(machine)}{said(machine)}",
            look="issue_waiting(): the device was told to look, and saw nothing; who shows it what was added?"
            if kicked
            else unwritten(machine),
        )
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
        raise Broken(
            seen=f"a read begins at sector {wrong[0] if wrong else 0}; a block has {SECTORS_PER_BLOCK} sectors, so blocks "
            f"begin at multiples of {SECTORS_PER_BLOCK}"
        )


@pytest.mark.promise("read")
def test_read(machine_factory: Boot, make_image: MakeImage, seed: int) -> None:
    secret = random.Random(seed).randbytes(150_000)
    machine = boot(machine_factory, make_image(secret=secret), look="")  # its own hint
    for start in (0, 4096 + seed % 4000, 4096 * 9, len(secret) - 100):
        status, output = ask(machine, f"hexdump -s {start} -n 64 secret")
        rows = re.findall(r"^[0-9a-f]{8} ((?: +[0-9a-f]{2})+)", output, re.MULTILINE)
        got, wanted = bytes.fromhex("".join(rows)), secret[start : start + 64]
        if status != 0 or got != wanted:
            raise Broken(
                seen=f"at byte {start} of a file the disk has {wanted[:12].hex(' ')} ..., the process got "
                f"{got[:12].hex(' ') + ' ...' if got else output.strip() or 'nothing'}{of_the_reads(machine)}{said(machine)}"
            )


@pytest.mark.promise("status")
def test_status(machine_factory: Boot, make_image: MakeImage, serve: Serve, award: Award, seed: int) -> None:
    """First the reads of one file fail; then so many in a row that a slot lost with each would leave none."""
    secret = random.Random(seed).randbytes(64_000)
    disk = serve(make_image(secret=secret))
    machine = boot(machine_factory, disk)
    ask(machine, "diskread > /dev/null")  # so that the program is in memory
    first = disk.contents.index(secret[:BLOCK])
    disk.fails = lambda offset, length: offset < first + len(secret) and offset + length > first
    status, output = ask(machine, "hexdump -n 64 secret")
    failed = [event for event in named(machine.trace(), "virtio_blk_req_complete") if event.number("status") != 0]
    if not failed:
        raise Broken(seen=f"the file's blocks were not read from the disk; {counts(machine)}{said(machine)}")
    if re.search(r"^[0-9a-f]{8}  *[0-9a-f]{2} ", output, re.MULTILINE):
        raise Broken(seen=f"the device reported status 1, VIRTIO_BLK_S_IOERR; the process got bytes: {output.splitlines()[0]}")
    disk.fails = lambda offset, length: True
    try:
        for _ in range(6):
            ask(machine, "diskread -c 32 > /dev/null")
        disk.fails = lambda offset, length: False
        before = len(machine.trace())
        status, output = ask(machine, f"hexdump -n 64 secret; diskread -c 32 -s {seed} | sha256sum")
    except Broken:
        award(0.5, "errors are reported")
        raise Broken(
            seen=f"reads failed one after the other, and were reported; after some the next one never ended; {counts(machine)}",
            look="blk_complete(): whatever the status says, what has to happen with the slot?",
        ) from None
    all_reached(machine.trace()[before:], 32, machine)
    if f"00000000  {secret[:8].hex(' ')}" not in output or sha256(read_at_random(disk.contents, seed, 32, 1)) not in output:
        raise Broken(seen=f"the disk failed for a while, and works again; what is read after that is wrong{said(machine)}")


# ---- checkpoint 2 ----


@pytest.mark.promise("depth")
def test_depth(machine_factory: Boot, make_image: MakeImage) -> None:
    machine = boot(machine_factory, make_image())
    before = len(machine.trace())
    ask(machine, "diskread -n 8 -c 32 > /dev/null")
    log = machine.trace()[before:]
    reads, kicks = len(named(log, "virtio_blk_handle_read")), len(named(log, "virtio_queue_notify"))
    depth = deepest(log)
    all_reached(log, 256, machine)
    if depth < 32:
        raise Broken(seen=f"32 reads were submitted together; at most {depth} were with the device at one time")
    if kicks > reads / 8:
        raise Broken(seen=f"for {reads} reads, submitted 32 at a time, the device was kicked {kicks} times")


@pytest.mark.promise("order")
def test_order(machine_factory: Boot, make_image: MakeImage, serve: Serve, seed: int) -> None:
    """Of two requests the disk answers the later one first, and the other one only a while after. First two processes
    wait, each for one; then one process for both, and it looks at the ring for so long that it sees each answer come."""
    numbers = random.Random(seed)
    files = {f"file{i}": numbers.randbytes(20_000) for i in range(6)}
    disk = serve(make_image(**files))
    machine = boot(machine_factory, disk, args="poll=1000000")
    # So that all but what is to be read is in memory.
    ask(machine, "ls > /dev/null; hexdump -n 16 README; diskread | sha256sum")
    for i in (0, 2, 4):
        disk.pairs = 1
        pair = [f"hexdump -s 12288 -n 16 file{n}" for n in (i, i + 1)]
        _, output = ask(machine, f"{pair[0]} & {pair[1]}; wait")
        wanted = [files[f"file{n}"][12288:12304] for n in (i, i + 1)]
        if any(f"{row[:8].hex(' ')}  {row[8:].hex(' ')}" not in output for row in wanted):
            raise Broken(
                seen="two processes read, and the disk answered the later request first; the other process then had not the "
                f"bytes that are on the disk{said(machine)}",
                look="blk_complete(): whose chain is it?",
            )
    for number in range(seed, seed + 4):
        disk.pairs, before = 1, len(machine.trace())
        _, output = ask(machine, f"diskread -c 2 -s {number} | sha256sum")
        all_reached(machine.trace()[before:], 2, machine)
        if sha256(read_at_random(disk.contents, number, 2, 1)) not in output:
            raise Broken(
                seen="two reads were submitted together, and the disk answered the second one first; blk_wait() for the first "
                f"then came back before its bytes were there{said(machine)}",
                look="blk_wait(): virtio_queue_wait() returns early at times; what has to be looked at when it does?",
            )


# Each time 32 reads of 32 blocks that do not touch in memory: 34 descriptors each, more than any queue here has.
FILL = "diskread -n {} -c 32 -b 32 > /dev/null"
IN_A_QUEUE = 512 // 34  # of these, at most


@pytest.mark.promise("full")
def test_full(machine_factory: Boot, make_image: MakeImage, seed: int) -> None:
    machine = boot(machine_factory, make_image())
    assert machine.disk is not None
    ask(machine, "diskread -n 8 -c 32 | sha256sum")
    start = machine.trace()
    for _ in range(10):  # a slot lost each time leaves few
        status, output = ask(machine, FILL.format(3))
        if status != 0:
            break
    log = machine.trace()[len(start) :]
    reads = [event for event in named(log, "virtio_blk_handle_read") if event.number("nsectors") == 32 * SECTORS_PER_BLOCK]
    if status != 0:
        raise Broken(seen=f"more was submitted than the queue holds; a part of it failed: {output.strip()}{said(machine)}")
    if len(reads) != 960:
        raise Broken(seen=f"960 reads were submitted, 32 at a time; the device was given {len(reads)}{said(machine)}")
    image = machine.disk.read_bytes()
    places = [start // 512 for start in random_places(image, 0, 96, 32)] * 10
    if [read.number("sector") for read in reads] != places:
        raise Broken(
            seen="requests that waited for room reached the device in another order than they were submitted in",
            look="blk.waiting_first ... blk.waiting_last: at which end does a request go in, at which does it come out?",
        )
    _, output = ask(machine, f"diskread -c 32 -b 32 -s {seed} | sha256sum")
    if sha256(read_at_random(image, seed, 32, 32)) not in output:
        raise Broken(seen=f"more was submitted than the queue holds; what was read is not what is on the disk{said(machine)}")
    before = len(machine.trace())
    ask(machine, "diskread -n 8 -c 32 > /dev/null")
    depths = deepest(start), deepest(machine.trace()[before:])
    if depths[1] * 2 < min(32, depths[0]):  # how deep it gets depends on how busy the host is, too
        raise Broken(
            seen=f"of 32 requests, {depths[0]} were with the device at one time; after the queue had been full some hundred "
            f"times, only {depths[1]}: something is lost each time",
            look="issue_waiting(): when virtq_add() says -ENOSPC, is the slot still free?",
        )


def sleeps(machine: Machine, disk: ServedDisk) -> bool:
    """Does the machine's hart sleep while the disk keeps a read? Where it is busy, no look finds it asleep."""
    found = 0
    while disk.holding() and found < 3:
        found = found + 1 if machine.asleep() else 0
        time.sleep(0.01)
    return found == 3


@pytest.mark.promise("sleep")
def test_sleep_for_answer(machine_factory: Boot, make_image: MakeImage, serve: Serve) -> None:
    """The disk takes its time. The processor is for others meanwhile, and if there are none, it waits for an interrupt."""
    disk = serve(make_image())
    machine = boot(machine_factory, disk, cpus=1)
    ask(machine, "diskread > /dev/null")  # so that the program is in memory
    disk.slow_reads = 2.0
    machine.send("diskread > /dev/null; echo '<'read'>'\n")
    deadline = time.monotonic() + 10 * patience.scale()
    while not disk.holding():
        if time.monotonic() > deadline:
            raise Broken(seen=f"a read was made, and did not reach the device; {counts(machine)}{said(machine)}")
        time.sleep(0.01)
    if not sleeps(machine, disk):
        raise Broken(
            seen="with poll=0, a process read from the disk, which did not answer for two seconds; the machine's only hart, "
            f"which had nothing else to do, did not sleep meanwhile: somebody looked at the ring all the time{said(machine)}"
        )


@pytest.mark.promise("sleep")
def test_unattended(machine_factory: Boot, make_image: MakeImage, serve: Serve) -> None:
    """A process polls for a block until it is there, and the interrupt is off. Then blocks are fetched ahead, by a request
    that nobody waits for; its end must interrupt. (The watch over silent devices would notice it too, within a second, and
    switches the interrupt on when it looks: hence several times.)"""
    names = [f"file{i}" for i in range(6)]
    disk = serve(make_image(**{name: bytes(20_000) for name in names}))
    machine = boot(machine_factory, disk, args="poll=1000000")
    ask(machine, "hexdump -n 16 README; ls; diskread > /dev/null")
    for name in names:
        disk.slow_reads = 0.0
        ask(machine, "diskread > /dev/null")
        disk.slow_reads = 0.2
        before = len(machine.trace())
        ask(machine, f"hexdump -n 16 {name} > /dev/null")
        log = machine.trace()[before:]
        if named(log, "virtio_blk_req_complete") and not named(log, "virtio_notify"):
            raise Broken(
                seen="blocks were fetched ahead, by a request that nobody waits for at the queue, and the device was not asked "
                f"to interrupt when it has done it{said(machine)}",
                look="blk_submit() and blk_wait(): which unlock sees to it that the interrupt is on for what is unattended?",
            )


@pytest.mark.promise("sleep")
def test_sleep_for_room(machine_factory: Boot, make_image: MakeImage) -> None:
    machine = boot(machine_factory, make_image())
    before = len(machine.trace())
    try:
        ask(machine, FILL.format(8))
    except Broken:
        pass  # test_full tells; what was done until then can be judged
    # Without an interrupt nobody learns that there is room again, unless he looks at the ring.
    given = most = 0
    for event in machine.trace()[before:]:
        given = 0 if event.name == "virtio_notify" else given + (event.name == "virtio_blk_handle_read")
        most = max(most, given)
    if most > IN_A_QUEUE:
        raise Broken(
            seen=f"with poll=0 and a full queue, {most} requests were given to the device one after the other before it was "
            f"asked to interrupt; at most {IN_A_QUEUE} of them fit: somebody looked at the ring until there was room",
            look="issue_waiting(): whoever finds no room leaves; completions call it again",
        )


def file_on(host: Path, image: Path, name: str) -> bytes:
    return subprocess.run([host / "fscat", image, name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def of_the_writes(log: list[TraceEvent]) -> str:
    """What the trace shows of writes that are not as they must be; "" if they look right."""
    for popped, following in zip(log, log[1:]):
        if popped.name == "virtqueue_pop" and following.name == "virtio_blk_handle_write":
            reads, writes = popped.number("out_num"), popped.number("in_num")
            if reads < 2 or writes != 1:
                return (
                    f"; in the chain of a write the device reads {reads} of the buffers and writes {writes}: it reads the "
                    "header and the data, and writes the status"
                )
    return ""


@pytest.mark.promise("write")
def test_write(machine_factory: Boot, make_image: MakeImage, host: Path, seed: int) -> None:
    machine = boot(machine_factory, make_image())
    assert machine.disk is not None
    sizes = {"small": 5_000, "large": 700_000}
    for name, size in sizes.items():
        status, output = ask(machine, f"mkfile {size} {name} {seed}")
        if status != 0:
            raise Broken(seen=f"a file of {size} bytes cannot be written: {output.strip()}{said(machine)}")
    ask(machine, "sync")
    machine.cut_power()
    for name, size in sizes.items():
        found, wanted = file_on(host, machine.disk, name), made(seed, size)
        if found != wanted:
            place = next((i for i, (a, b) in enumerate(zip(found, wanted)) if a != b), min(len(found), size))
            raise Broken(
                seen=f"a file of {size} bytes was written and synced; on the disk it has {len(found)} bytes, "
                f"right up to byte {place}{of_the_writes(machine.trace())}{said(machine)}"
            )


@pytest.mark.promise("flush")
def test_flush(machine_factory: Boot, make_image: MakeImage, serve: Serve, host: Path, seed: int, tmp_path: Path) -> None:
    """The disk has a cache, and answers writes late. Whether each byte is right is the business of test_write."""
    disk = serve(make_image())
    machine = boot(machine_factory, disk)
    disk.slow_writes = True
    before = len(machine.trace())
    ask(machine, f"mkfile 50000 new {seed}; sync")
    log = machine.trace()[before:]
    durable, cached = tmp_path / "durable.img", tmp_path / "cached.img"
    durable.write_bytes(disk.durable)
    machine.cut_power()
    disk.close()
    cached.write_bytes(disk.contents)
    writes = len(named(log, "virtio_blk_handle_write"))
    flushes, taken_for = 0, ""
    for event, following in zip(log, log[1:] + log[-1:]):
        if event.name == "virtqueue_pop" and (event.number("out_num"), event.number("in_num")) == (1, 1):
            flushes += 1
            if following.name in ("virtio_blk_handle_read", "virtio_blk_handle_write"):
                taken_for = "_IN" if "read" in following.name else "_OUT"
    if writes == 0:
        raise Broken(seen=f"a file was written and synced; no write reached the device{said(machine)}")
    if taken_for:
        raise Broken(seen=f"a request without data reached the device whose header says VIRTIO_BLK_T{taken_for}, not _FLUSH")
    if flushes == 0:
        raise Broken(seen=f"a file was written and synced; {writes} writes reached the device, and no flush")
    if not file_on(host, cached, "new"):
        raise Broken(
            seen=f"a file was written and synced, in {writes} writes; it is neither on the disk nor in the disk's cache",
            look="the test above: what is written must arrive, before a flush can keep it",
        )
    if file_on(host, durable, "new") != file_on(host, cached, "new"):
        raise Broken(
            seen=f"a file was written and synced, and the power was cut: it was still in the disk's cache, and is gone. The "
            f"device had {writes} writes and {flushes} flushes; a flush covers only writes that were completed before it",
            look="blk_complete() and finish_request(): is a write done before the device says so?",
        )
