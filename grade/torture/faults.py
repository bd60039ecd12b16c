"""Devices that fail: the program that asked gets the error, no safe data is lost, and everything else goes on.

QEMU's blkdebug makes disks fail (an error once or always, on a sector, on reads, writes or flushes); its throttle makes
them hang; others are too short or read-only. The display has too little memory, or stops answering (vqsan's device=stuck).
Each fault is a function; its assertions say what must hold. Another test runs a workload while its disk fails somewhere,
and judges the disk afterwards call by call, as after a crash (crashes.py).
"""

from __future__ import annotations

import hashlib
import random
import re
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

from grade.machine.job import Job
from grade.machine.machine import ConsoleError, Machine, QmpError
from grade.plugins.vqsan.sanitizer import plugin_arguments
from grade.tests.support.fs_image import BLOCK, FsImage, contents
from grade.tests.test_files import splitmix
from grade.torture.crashes import WORKS, Recording
from grade.torture.frame import Row, Run

SECTORS = BLOCK // 512
IO_ERROR, READ_ONLY = "input/output error", "read-only file system"
DEVICES = "console:c:1:0 fb0:c:2:0 disk0:c:3:0 random:c:4:0 vqstat:c:5:0 null:c:6:0 kstat:c:7:0".split()
WORKLOADS = 40  # workloads with a failing disk, in a full run
TURNS = 4  # how often a full run tries each fault


def rule(kind: str, block: Optional[int] = None, once: bool = False, number: int = 0) -> str:
    """A rule for blkdebug: makes requests of this kind fail, either all of them or those that touch `block`."""
    start = f"inject-error.{number}"
    text = f"{start}.event=none,{start}.iotype={kind},{start}.errno=5,{start}.once={'on' if once else 'off'}"
    return text if block is None else f"{text},{start}.sector={block * SECTORS}"


class Ground:
    """A disk image to damage, and machines that run on it."""

    def __init__(self, job: Job, folder: Path, rng: random.Random) -> None:
        self.job, self.folder, self.rng = job, folder, rng
        self.host = job.build / "host"
        self.disk = folder / "disk.img"
        data = folder / "data"
        (data / "sub").mkdir(parents=True)
        self.seed = rng.randrange(1 << 30)
        (data / "file").write_bytes(splitmix(self.seed, 150_000))
        (data / "other").write_bytes(splitmix(self.seed + 1, 20_000))
        (data / "sub/inner").write_bytes(b"inner\n")
        programs = sorted(path for path in (job.build / "image").iterdir() if path.is_file())
        devices = [f"dev/{device}" for device in DEVICES]
        subprocess.run([self.host / "mkfs", "-s", "8M", "-l", "128", self.disk, *programs, data, *devices], check=True)
        self.facts = FsImage(self.disk)
        self.machine: Optional[Machine] = None
        self.seen = ""  # console output of all machines so far

    def boot(self, rules: str = "", driver: str = "", extra: list[str] = [], **options: Any) -> Machine:
        """Boots on the image itself, with blkdebug's rules or another block driver in between."""
        self.end()
        chain = ["-blockdev", f"driver=file,node-name=file,filename={self.disk}"]
        between = driver or (f"driver=blkdebug,node-name=disk,image=file,{rules}" if rules else "driver=raw,node-name=disk,file=file")
        chain += ["-blockdev", between]
        chain += ["-device", "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0,werror=report,rerror=report"]
        self.machine = Machine(self.job, disk=None, extra=chain + extra, gpu=False, **options)
        return self.machine

    def end(self) -> None:
        """Cuts the running machine's power. No kernel may have panicked."""
        if self.machine:
            self.seen += self.machine.text
            self.machine.close()
            self.machine = None
        assert "panic" not in self.seen, self.seen[-3000:]

    def check(self) -> None:
        """Checks that the image is consistent and that its original files are intact."""
        self.end()
        done = subprocess.run([self.host / "fsck", "-q", self.disk], stdout=subprocess.PIPE, text=True)
        assert done.returncode == 0, f"fsck:\n{done.stdout}"
        assert self.on_disk("/data/file") == splitmix(self.seed, 150_000), "/data/file has changed"

    def on_disk(self, path: str) -> bytes:
        return contents(self.host, self.disk, path)

    def first_block(self, path: str) -> int:
        return self.facts.get(self.facts.find(path), "direct0")

    def inode_block(self, path: str) -> int:
        return self.facts.super("inode_start") + self.facts.find(path) * 64 // BLOCK

    def log_block(self) -> int:
        return self.facts.super("log_start") + self.rng.randrange(4)

    def fill_log(self) -> None:
        """Leaves transactions in the image's log, as a crash does."""
        machine = self.boot()
        machine.run(f"mkfile 60K /kept {self.seed}; sync /kept; mkdir /data/new; sync")
        self.end()


def refused(machine: Machine, command: str, *words: str) -> None:
    """Checks that the command fails and says why."""
    status, output = machine.run_status(command, quiet=30)
    assert status != 0 and any(word in output for word in words), f"{command}: status {status}, {output!r}"


def goes_on(machine: Machine) -> None:
    """Checks that everything except the failed device still works."""
    assert machine.run("echo alive") == "alive\n"
    machine.run("cat /README | wc -l >/dev/null")


# ---- reads ----


def read_fails_once(ground: Ground) -> None:
    block = ground.first_block("/data/file") + ground.rng.randrange(10)
    machine = ground.boot(rule("read", block, once=True))
    whole = hashlib.sha256(splitmix(ground.seed, 150_000)).hexdigest()
    status, output = machine.run_status("sha256sum /data/file")
    # Read-ahead may have hit the error; then the kernel read the block again.
    assert whole in output if status == 0 else IO_ERROR in output, output
    assert whole in machine.run("sha256sum /data/file")
    ground.check()


def read_fails_always(ground: Ground) -> None:
    machine = ground.boot(rule("read", ground.first_block("/data/file") + ground.rng.randrange(10)))
    for _ in range(2):
        refused(machine, "cat /data/file >/dev/null", IO_ERROR)
    machine.run("cat /data/other >/dev/null; mkfile 50K /data/more 3; sync; rm /data/more")
    goes_on(machine)
    ground.check()


def directory_cannot_be_read(ground: Ground) -> None:
    machine = ground.boot(rule("read", ground.first_block("/data/sub")))
    refused(machine, "cat /data/sub/inner", IO_ERROR)
    refused(machine, "touch /data/sub/inner2", IO_ERROR)
    machine.run("touch /data/inner2; sync")
    goes_on(machine)
    ground.check()


def falls_back_to_initrd(machine: Machine, said: str) -> None:
    assert re.search(f"^disk0: .*{said}", machine.text, re.MULTILINE), machine.text[-2000:]
    assert "root: initrd" in machine.text
    goes_on(machine)


def super_block_cannot_be_read(ground: Ground) -> None:
    falls_back_to_initrd(ground.boot(rule("read", 1)), "cannot read the super block")
    ground.check()


def inode_table_cannot_be_read(ground: Ground) -> None:
    falls_back_to_initrd(ground.boot(rule("read", ground.inode_block("/data/file"))), "cannot be read")
    ground.check()


def bitmap_cannot_be_read(ground: Ground) -> None:
    falls_back_to_initrd(ground.boot(rule("read", ground.facts.super("bitmap_start"))), "cannot be read")
    ground.check()


# ---- writes and flushes, at a commit and at a checkpoint ----


def commit_fails(ground: Ground, rules: str) -> None:
    machine = ground.boot(rules)
    machine.run_status("mkfile 30K /lost 5")
    refused(machine, "sync /lost", IO_ERROR, READ_ONLY, "no such file")
    refused(machine, "touch /more", READ_ONLY)
    refused(machine, "rm /data/file", READ_ONLY)
    machine.run("cat /data/file >/dev/null")
    goes_on(machine)
    ground.check()


def log_write_fails_once(ground: Ground) -> None:
    commit_fails(ground, rule("write", ground.log_block(), once=True))


def log_write_fails_always(ground: Ground) -> None:
    commit_fails(ground, rule("write", ground.log_block()))


def every_write_fails(ground: Ground) -> None:
    commit_fails(ground, rule("write"))


def flush_fails_once(ground: Ground) -> None:
    commit_fails(ground, rule("flush", once=True))


def flush_fails_always(ground: Ground) -> None:
    commit_fails(ground, rule("flush"))


def checkpoint_fails(ground: Ground) -> None:
    """Data synced earlier is in the log, and the kernel finds it there once the disk works again."""
    machine = ground.boot(rule("write", ground.first_block("/data")))
    machine.run(f"mkfile 60K /kept {ground.seed}; sync /kept")
    for number in range(30):
        status, output = machine.run_status(f"mkfile 100K /data/more{number % 2} {number} && sync")
        if status:
            break
    assert status and (IO_ERROR in output or READ_ONLY in output), output
    refused(machine, "touch /other", READ_ONLY)
    goes_on(machine)
    ground.check()
    kept_after_repair(ground)


def kept_after_repair(ground: Ground) -> None:
    machine = ground.boot()
    assert "root: disk0" in machine.text
    machine.run("cat /kept >/dev/null; mkdir /fine")
    machine.power_off()
    ground.check()
    assert ground.on_disk("/kept") == splitmix(ground.seed, 60 << 10), "synced data is missing"


# ---- recovery ----


def recovery_fails(ground: Ground, kind: str, block: Optional[int], said: str) -> None:
    """The kernel refuses to mount the disk, and recovers it once the disk works again."""
    falls_back_to_initrd(ground.boot(rule(kind, block)), said)
    ground.check()
    assert ground.on_disk("/kept") == splitmix(ground.seed, 60 << 10)
    kept_after_repair(ground)


def recovery_cannot_read_a_header(ground: Ground) -> None:
    """The kernel must not take the unreadable header for the log's end."""
    ground.fill_log()
    recovery_fails(ground, "read", ground.facts.super("log_start"), "log cannot be read")


def recovery_cannot_read(ground: Ground) -> None:
    """A block after the header is unreadable: the kernel must not take the transaction for a torn one."""
    ground.fill_log()
    recovery_fails(ground, "read", ground.facts.super("log_start") + 1 + ground.rng.randrange(3), "log cannot be read")


def recovery_cannot_write(ground: Ground) -> None:
    ground.fill_log()
    recovery_fails(ground, "write", ground.facts.super("bitmap_start"), "log cannot be read or recovered")


def recovery_cannot_flush(ground: Ground) -> None:
    ground.fill_log()
    recovery_fails(ground, "flush", None, "log cannot be read or recovered")


# ---- short and read-only ----


def disk_is_short(ground: Ground) -> None:
    size = ground.rng.choice([0, 512, BLOCK, 3 * BLOCK + 512, 1 << 20, (8 << 20) - BLOCK, (8 << 20) - 512])
    whole = ground.disk.read_bytes()
    ground.disk.write_bytes(whole[:size])
    falls_back_to_initrd(ground.boot(), "")
    ground.end()
    assert ground.disk.read_bytes() == whole[:size], "the short disk was written to"
    ground.disk.write_bytes(whole)
    ground.check()


def disk_is_read_only(ground: Ground) -> None:
    before = ground.disk.read_bytes()
    machine = ground.boot(driver="driver=raw,node-name=disk,file=file,read-only=on")
    for command in ("touch /new", "mkdir /new", "rm /README", "ln /README /new", "mkfile 9 /README 1"):
        refused(machine, command, READ_ONLY)
    machine.run("cat /data/file >/dev/null; sync")
    goes_on(machine)
    machine.power_off()
    ground.check()
    assert ground.disk.read_bytes() == before, "a read-only disk was written to"


def disk_is_read_only_and_dirty(ground: Ground) -> None:
    ground.fill_log()
    before = ground.disk.read_bytes()
    machine = ground.boot(driver="driver=raw,node-name=disk,file=file,read-only=on")
    falls_back_to_initrd(machine, "cannot be repaired because it is read-only")
    ground.end()
    assert ground.disk.read_bytes() == before, "a read-only disk was written to"
    kept_after_repair(ground)


# ---- devices that do not answer ----


def disk_stops_to_answer(ground: Ground, first: list[str]) -> None:
    """Every program that uses the disk gets an error after the timeout, also the first one. Programs in memory go on."""
    group = ["-object", "throttle-group,id=group"]
    machine = ground.boot(driver="driver=throttle,node-name=disk,file=file,throttle-group=group", extra=group, args="blk_timeout=2")
    # Loads these programs into memory.
    machine.run("echo; cat /README | wc -l >/dev/null; touch /data/other; ls /data/sub; mkfile 1 /more 4; sync")
    assert machine.qmp is not None
    machine.qmp.command("qom-set", path="/objects/group", property="limits", value={"iops-total": 1, "bps-total": 1})
    machine.run_status("cat /data/other >/dev/null", quiet=60)  # uses up the group's allowance
    for command in first:
        refused(machine, command, IO_ERROR, READ_ONLY, "timed out")
    assert "blk0: queue broken" in machine.text
    goes_on(machine)
    ground.check()


def disk_stops_to_answer_reads(ground: Ground) -> None:
    # The inner file is one request. Only this one times out; the others are never sent.
    disk_stops_to_answer(ground, ["cat /data/sub/inner", "cat /data/file >/dev/null", "mkfile 200K /more 4; sync /"])


def disk_stops_to_answer_writes(ground: Ground) -> None:
    disk_stops_to_answer(ground, ["mkfile 200K /more 4; sync /", "cat /data/file >/dev/null"])


def display_stops_to_answer(ground: Ground) -> None:
    display = ["-device", "virtio-gpu-device,bus=virtio-mmio-bus.1"]
    plugin = plugin_arguments(ground.job.build, "device=stuck,only=gpu,every=20")
    machine = ground.boot(extra=display + plugin, args="blk_timeout=2")
    refused(machine, "roulette -n 500 -f 0", "timed out", IO_ERROR)
    refused(machine, "roulette -n 1", "timed out", IO_ERROR)
    machine.run("mkfile 30K /more 3; sync /more; cat /data/file >/dev/null")
    goes_on(machine)
    machine.power_off()
    ground.check()
    assert ground.on_disk("/more") == splitmix(3, 30 << 10)


def display_answers_errors(ground: Ground) -> None:
    """The display has too little memory for a picture of this size. A smaller one works before and after."""
    display = ["-device", "virtio-gpu-device,bus=virtio-mmio-bus.1,max_hostmem=3M"]
    machine = ground.boot(extra=display)
    machine.run("roulette -n 1 -r 320x240")
    refused(machine, "roulette -n 1 -r 1920x1080", "out of memory", IO_ERROR)
    machine.run("roulette -n 1 -r 320x240")
    goes_on(machine)
    machine.power_off()
    ground.check()


FAULTS: list[Callable[[Ground], None]] = [
    read_fails_once,
    read_fails_always,
    directory_cannot_be_read,
    super_block_cannot_be_read,
    inode_table_cannot_be_read,
    bitmap_cannot_be_read,
    log_write_fails_once,
    log_write_fails_always,
    every_write_fails,
    flush_fails_once,
    flush_fails_always,
    checkpoint_fails,
    recovery_cannot_read_a_header,
    recovery_cannot_read,
    recovery_cannot_write,
    recovery_cannot_flush,
    disk_is_short,
    disk_is_read_only,
    disk_is_read_only_and_dirty,
    disk_stops_to_answer_reads,
    disk_stops_to_answer_writes,
    display_stops_to_answer,
    display_answers_errors,
]


def try_fault(job: Job, fault: Callable[[Ground], None], folder: Path, rng: random.Random) -> str:
    """Returns which assertion failed; "" if none did."""
    folder.mkdir()
    ground = Ground(job, folder, rng)
    try:
        fault(ground)
        ground.end()
        return ""
    except (AssertionError, ConsoleError, QmpError, subprocess.SubprocessError) as error:
        console = ground.machine.text if ground.machine else ground.seen
        return f"{fault.__name__}: {error}\nthe console:\n{console[-1500:]}"
    finally:
        if ground.machine:
            ground.machine.close()


# ---- a workload while the disk fails somewhere ----


def try_workload(job: Job, folder: Path, rng: random.Random) -> str:
    """Runs a workload whose disk fails to write some block, or to flush. Returns what is wrong with the disk afterwards, or
    ""."""
    work = rng.choice([work for work in WORKS if not work.filler])
    folder.mkdir()
    recording = Recording(job, work, folder, rng.randrange(1 << 30), 200, record=False)
    facts = FsImage(recording.base)
    log_start, end = facts.super("log_start"), facts.super("data_start") + 100
    block = rng.choice([None, rng.randrange(log_start, log_start + work.log), rng.randrange(log_start + work.log, end)])
    fault = rule("flush" if block is None else "write", block, once=rng.random() < 0.5)
    what = f"(workload {work.name}, seed {recording.seed}, {fault})"
    try:
        recording.record(f"driver=blkdebug,node-name=bad,image=file,{fault}")
    except (AssertionError, ConsoleError) as error:
        return f"{what} {error}"
    judged = recording.replay("-e", "-i", recording.disk)
    return "" if judged.returncode == 0 else f"{what} {judged.stdout}"


def run(run: Run) -> Iterator[Row]:
    faults = Row("device faults", 0, detail=f"{len(FAULTS)} kinds: disk and display; the error arrives, nothing safe is lost")
    for turn in range(run.times(TURNS)):
        for fault in (fault for fault in FAULTS if run.wants(fault.__name__)):
            run.progress(f"faults: {fault.__name__.replace('_', ' ')}")
            name = f"{fault.__name__}-{turn}"
            trouble = try_fault(run.job, fault, run.folder / name, run.rng(name))
            faults.count += 1
            faults.lost += [trouble] if trouble else []
    yield faults
    if not run.wants("a workload on a failing disk"):
        return
    works = Row("workloads while their disk fails", 0, detail="each call judged by what is left on the disk")
    for turn in range(run.times(WORKLOADS)):
        run.progress(f"faults: a workload on a failing disk, {turn}")
        trouble = try_workload(run.job, run.folder / f"work-{turn}", run.rng(f"fault workload {turn}"))
        works.count += 1
        works.lost += [trouble] if trouble else []
    yield works
