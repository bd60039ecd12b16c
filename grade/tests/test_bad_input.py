"""Every common mistake leads to one clear line that says what to do, and to a shell if one is possible."""

from __future__ import annotations

import random
import stat
import struct
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from grade.machine.job import Job
from grade.machine.machine import Machine, copy_sparse
from grade.tests.test_make import make

Boot = Callable[..., Machine]


def test_no_disk(machine_factory: Boot) -> None:
    machine = machine_factory(disk=None)
    assert "no disk: " in machine.text
    assert "README" in machine.run("ls")


def wreck(tmp_path: Path, change: Callable[[bytearray, int], None], seed: int) -> Path:
    """A copy of the disk image with changes in its first 64 KiB."""
    job = Job.from_environment()
    image = tmp_path / "wrecked.img"
    copy_sparse(job.build / "disk.img", image)
    with image.open("r+b") as file:
        start = bytearray(file.read(65536))
        change(start, seed)
        file.seek(0)
        file.write(start)
    return image


def zero_all(start: bytearray, _: int) -> None:
    start[:] = bytes(len(start))


def garbage(start: bytearray, seed: int) -> None:
    start[:] = random.Random(seed).randbytes(len(start))


def flip_in_super_block(start: bytearray, _: int) -> None:
    # After magic and version: only the checksum can catch it.
    start[4096 + 16] ^= 0x40


@pytest.mark.parametrize("change", [zero_all, garbage, flip_in_super_block])
def test_disk_without_our_file_system(
    machine_factory: Boot, tmp_path: Path, change: Callable[[bytearray, int], None], seed: int
) -> None:
    machine = machine_factory(disk=wreck(tmp_path, change, seed))
    lines = [line for line in machine.text.splitlines() if line.startswith("disk0: ")]
    assert len(lines) == 1, machine.text
    assert "mkfs" in lines[0] or "make" in lines[0], f"does not say what to do: {lines[0]}"
    assert "root: initrd" in machine.text
    assert "README" in machine.run("ls")
    machine.power_off()


@pytest.mark.parametrize("size", [0, 512, 4096, 1 << 20])
def test_truncated_disk(job: Job, machine_factory: Boot, tmp_path: Path, size: int) -> None:
    image = tmp_path / "short.img"
    image.write_bytes((job.build / "disk.img").open("rb").read(size))
    machine = machine_factory(disk=image)
    assert [line for line in machine.text.splitlines() if line.startswith("disk0: ")], machine.text
    assert "README" in machine.run("ls")


def test_damaged_file(job: Job, machine_factory: Boot, host: Path, tmp_path: Path) -> None:
    """An inode with block numbers out of range causes errors for programs that read that file, but no panic."""
    image = tmp_path / "damaged.img"
    copy_sparse(job.build / "disk.img", image)
    listing = subprocess.run([host / "fscat", "-l", image], check=True, stdout=subprocess.PIPE, text=True).stdout
    inode = next(int(word) for line in listing.splitlines() if "README" in line for word in line.split() if word.isdigit())
    with image.open("r+b") as file:
        file.seek(4096 + 24)
        (inode_start,) = struct.unpack("<I", file.read(4))
        file.seek(inode_start * 4096 + inode * 64 + 16)
        file.write(struct.pack("<12I", *[0x7FFFFFFF] * 12))
    machine = machine_factory(disk=image)
    status, output = machine.run_status("cat /README")
    assert status != 0 and "README" in output
    machine.run_status("rm /README")
    assert machine.run("echo alive") == "alive\n"
    assert "panic" not in machine.text


def test_no_gpu(machine_factory: Boot) -> None:
    machine = machine_factory(gpu=False)
    status, output = machine.run_status("roulette -n 1")
    assert status != 0
    assert "no display" in output and "make qemu" in output
    status, output = machine.run_status("fbtest all")
    assert status != 0 and "no display" in output


def test_no_rng(machine_factory: Boot) -> None:
    machine = machine_factory(rng=False)
    status, output = machine.run_status("hexdump /dev/random")
    assert status != 0 and "/dev/random" in output
    machine.power_off()


@pytest.mark.parametrize("mem", ["16M", "32M", "48M"])
def test_too_little_memory(machine_factory: Boot, mem: str) -> None:
    machine = machine_factory(mem=mem, shell=False, initrd=False)
    match = machine.expect(r"too little memory.*\n")
    assert "64" in match.group(0) and "MEM" in match.group(0)


def test_legacy_transport(machine_factory: Boot) -> None:
    machine = machine_factory(extra=["-global", "virtio-mmio.force-legacy=true"])
    assert "force-legacy=false" in machine.text
    assert "README" in machine.run("ls")


def test_nothing_to_boot_from(machine_factory: Boot) -> None:
    machine = machine_factory(disk=None, initrd=False, shell=False)
    match = machine.expect(r"no root file system.*\n")
    assert "make qemu" in match.group(0)


def test_bad_root_argument(machine_factory: Boot) -> None:
    machine = machine_factory(args="root=floppy", shell=False)
    machine.expect(r"root=floppy cannot be mounted")


# ---- make ----


def test_unknown_start() -> None:
    done = make("qemu", "START=9-moon")
    assert done.returncode != 0
    lines = [line for line in done.stdout.splitlines() if "9-moon" in line]
    assert len(lines) == 1 and "START" in lines[0], done.stdout


def test_missing_disk(tmp_path: Path) -> None:
    done = make("qemu", f"DISK={tmp_path}/none.img")
    assert done.returncode != 0 and "there is no disk image" in done.stdout


@pytest.mark.parametrize("version", ["5.2.0", "7.1.0", "6.2.0 (Debian)"])
def test_old_qemu(tmp_path: Path, version: str) -> None:
    fake = tmp_path / "qemu-system-riscv64"
    fake.write_text(f"#!/bin/sh\necho 'QEMU emulator version {version}'\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    for goal in ("qemu", "doctor"):
        done = make(goal, f"QEMU={fake}")
        assert done.returncode != 0
        assert "7.2" in done.stdout and version.split()[0] in done.stdout, done.stdout


def test_bad_number_of_harts() -> None:
    for cpus in ("0", "9", "two"):
        done = make("qemu", f"CPUS={cpus}")
        assert done.returncode != 0 and "must be 1 to 8" in done.stdout


def test_missing_tool() -> None:
    done = make("all", "CC=", "TOOLPREFIX=riscv64-moon-elf-")
    assert done.returncode != 0 and "riscv64-moon-elf-gcc" in done.stdout and "make doctor" in done.stdout
