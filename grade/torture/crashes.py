"""Every crash point of workloads on the booted kernel.

The program workload (user/workload) changes the file system from several processes at once, while QEMU records every
write and flush that reaches the disk. Then the host program replay builds the disks that a crash at each point of the
record may leave, lets the kernel's own code recover each one, and judges it. replay/main.c says which states it tries;
replay/judge.c says what must hold. The booted kernel also recovers a sample of the states.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from grade.machine import patience
from grade.machine.job import Job
from grade.machine.machine import ConsoleError, Machine, copy_sparse
from grade.torture.frame import Row, Run

PROGRAMS = "init sh echo workload poweroff true".split()


@dataclass(frozen=True)
class Work:
    """A workload, and the disk it runs on."""

    name: str
    size: str  # disk size
    log: int  # blocks
    processes: int
    calls: int  # per process, in a full run
    largest: int  # write, in bytes
    sync: int  # one call in this many is an fsync; 0: none
    filler: int = 0  # bytes of a file that exists from the start; if not 0, the disk must fill up


WORKS = [
    Work("one process", "4M", 64, 1, 6000, 9000, 6),
    Work("many processes", "4M", 64, 6, 1200, 9000, 12),
    Work("large writes", "12M", 256, 3, 500, 100_000, 10),
    Work("no fsync", "4M", 64, 4, 1500, 3000, 0),
    Work("a full disk", "2M", 64, 5, 1200, 30_000, 20, filler=1_600_000),
]
SUBSETS = 24_000  # per workload, in a full run
BOOTED = 10  # states per workload that the booted kernel recovers


class Recording:
    """The disk before and after a workload, and QEMU's record of the writes in between."""

    def __init__(self, job: Job, work: Work, folder: Path, seed: int, calls: int, record: bool = True) -> None:
        self.job, self.work, self.seed, self.calls = job, work, seed, calls
        self.base, self.disk, self.log = folder / "base.img", folder / "disk.img", folder / "writes.log"
        filler = folder / "filler"
        filler.write_bytes(bytes(work.filler))
        programs = [filler, *(job.build / "image" / name for name in PROGRAMS)]
        devices = ["dev/console:c:1:0", "dev/disk0:c:3:0"]
        command = [job.build / "host/mkfs", "-s", work.size, "-l", str(work.log), self.base, *programs, *devices]
        subprocess.run([str(word) for word in command], check=True)
        with self.base.open("r+b") as file:  # room for marks after the file system
            file.truncate(self.base.stat().st_size + 16 * 4096)
        self.log.touch()
        copy_sparse(self.base, self.disk)
        if record:
            self.record()

    def record(self, fault: str = "") -> None:
        """Runs the workload. If `fault` is given, on a disk that fails: the option of -blockdev for a node "bad"."""
        extra = [
            *("-blockdev", f"driver=file,node-name=file,filename={self.disk}"),
            *(("-blockdev", fault) if fault else ()),
            *("-blockdev", f"driver=file,node-name=log,filename={self.log}"),
            *("-blockdev", f"driver=blklogwrites,node-name=disk,file={'bad' if fault else 'file'},log=log,log-super-update-interval=16"),
            *("-device", "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0,werror=report,rerror=report"),
        ]
        work = self.work
        with Machine(self.job, disk=None, initrd=False, gpu=False, rng=False, extra=extra) as machine:
            machine.run(f"workload {self.seed} {work.processes} {self.calls} {work.largest} {work.sync}", quiet=60, total=600)
            machine.cut_power()
            assert "panic" not in machine.text, machine.text[-3000:]

    def replay(self, *options: object) -> subprocess.CompletedProcess[str]:
        work = self.work
        what = [self.base, self.log, self.seed, work.processes, work.largest, work.sync]
        return subprocess.run(
            [str(word) for word in (self.job.build / "host/replay", *options, *what)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=1200 * patience.scale(),
        )


def summary(output: str) -> dict[str, int]:
    """The numbers in replay's last line."""
    last = output.strip().splitlines()[-1] if output.strip() else ""
    if not last.startswith("states "):
        return {}
    return {name: int(number) for name, number in re.findall(r"(\w+) (\d+)", last)}


def boot(recording: Recording, options: list[object], serial: int, folder: Path) -> str:
    """Lets the booted kernel recover a state. Returns what is wrong with the result, or ""."""
    crashed, after = folder / "crashed.img", folder / "after.img"
    recording.replay(*options, "-o", serial, "-s", crashed)
    try:
        with Machine(recording.job, disk=crashed, initrd=False, gpu=False, rng=False) as machine:
            machine.run("true")
            machine.power_off()
            assert machine.disk is not None
            copy_sparse(machine.disk, after)
    except (AssertionError, ConsoleError) as error:
        return f"the booted kernel, with state {serial}: {error}"
    judged = recording.replay(*options, "-o", serial, "-i", after)
    return "" if judged.returncode == 0 else f"the booted kernel: {judged.stdout}"


def run(run: Run) -> Iterator[Row]:
    states = Row("crash states of the booted kernel's disk", 0, detail="every prefix and seeded subsets of its writes")
    boots = Row("of them recovered by the booted kernel", 0)
    for number, work in ((n, work) for n, work in enumerate(WORKS) if run.wants(work.name)):
        seed = run.seed_for(work.name)
        again = f"(workload {number}, {work.name}, seed {seed})"
        run.progress(f"crashes: recording: {work.name}")
        folder = run.folder / str(number)
        folder.mkdir()
        calls = max(100, run.times(work.calls))
        try:
            recording = Recording(run.job, work, folder, seed, calls)
        except (AssertionError, ConsoleError) as error:
            states.lost.append(f"{again} {error}")
            continue
        options: list[object] = ["-n", run.times(SUBSETS), "-x", 6, "-r", seed]
        run.progress(f"crashes: replaying: {work.name} ({recording.log.stat().st_size >> 10:,} KiB written)")
        replayed = recording.replay(*options)
        found = summary(replayed.stdout)
        if not found:
            states.lost.append(f"{again} {replayed.stdout[-3000:]}")
            continue
        states.count += found["states"]
        if found["lost"]:
            states.lost.append(f"{again} {replayed.stdout[-6000:]}")
        if found["calls"] != calls * work.processes:
            states.lost.append(f"{again} the record ends after {found['calls']} of {calls * work.processes} calls")
        if (found["refused"] > 0) != (work.filler > 0):
            states.lost.append(f"{again} {found['refused']} calls failed because the disk was full")
        for _ in range(run.times(BOOTED)):
            serial = run.rng(f"boot {work.name} {boots.count}").randrange(found["states"])
            run.progress(f"crashes: booting state {serial:,}: {work.name}")
            trouble = boot(recording, options, serial, folder)
            boots.count += 1
            boots.lost += [f"{again} {trouble}"] if trouble else []
    yield states
    yield boots
