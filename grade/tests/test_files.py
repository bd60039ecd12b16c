"""The guest reads what the host wrote, and the host reads what the guest wrote. Compares hashes."""

from __future__ import annotations

import hashlib
import random
import re
import subprocess
from pathlib import Path
from typing import Callable

from grade.machine.machine import Machine

Boot = Callable[..., Machine]
Fsck = Callable[[Path], str]
BLOCK = 4096
# Around every size where a file's layout on the disk changes, and a few in between.
SIZES = [0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 10 * BLOCK, 10 * BLOCK + 1, 11 * BLOCK, 333_333]
LARGE = [1034 * BLOCK - 1, 1034 * BLOCK + 1, 7_000_001]
MASK = (1 << 64) - 1


def splitmix(seed: int, size: int) -> bytes:
    """The bytes that user/mkfile.c writes."""
    words = []
    for _ in range((size + 7) // 8):
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        words.append((z ^ (z >> 31)).to_bytes(8, "little"))
    return b"".join(words)[:size]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def hashes_in_guest(machine: Machine, names: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(names), 5):
        output = machine.run("sha256sum " + " ".join(names[start : start + 5]), quiet=60)
        found.update({name: digest for digest, name in re.findall(r"^([0-9a-f]{64})  (\S+)$", output, re.MULTILINE)})
    return found


def test_host_to_guest(machine_factory: Boot, host: Path, build: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    tree = tmp_path / "data"
    wanted: dict[str, str] = {}
    folders = ["", "a/", "a/b/", "long-name-14-c/"]
    for number, size in enumerate(SIZES + LARGE + [rng.randrange(200_000) for _ in range(20)]):
        name = f"{rng.choice(folders)}f{number}"
        data = rng.randbytes(size)
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        wanted["/data/" + name] = sha256(data)
    image = tmp_path / "disk.img"
    programs = sorted(path for path in (build / "image").iterdir() if path.is_file())
    subprocess.run([host / "mkfs", "-s", "48M", image, *programs, tree, "dev/console:c:1:0"], check=True)
    machine = machine_factory(disk=image)
    assert hashes_in_guest(machine, sorted(wanted)) == wanted


def test_guest_to_host(machine: Machine, host: Path, fsck: Fsck, seed: int) -> None:
    files = {f"/made/f{number}": size for number, size in enumerate(SIZES + LARGE[:2])}
    machine.run("mkdir made")
    for number, (name, size) in enumerate(files.items()):
        machine.run(f"mkfile {size} {name} {seed + number}", quiet=60)
    machine.power_off()
    assert machine.disk is not None
    fsck(machine.disk)
    for number, (name, size) in enumerate(files.items()):
        found = subprocess.run([host / "fscat", machine.disk, name], check=True, stdout=subprocess.PIPE).stdout
        assert len(found) == size
        assert sha256(found) == sha256(splitmix(seed + number, size)), name


def test_sync_is_on_the_disk(machine: Machine, host: Path, fsck: Fsck) -> None:
    """Synced data survives a power cut, and the file system stays consistent."""
    machine.run("mkfile 500K synced 5; sync")
    machine.run("mkfile 300K maybe 6 && rm maybe; mkdir half; mkfile 10K half/x 7")
    machine.cut_power()
    assert machine.disk is not None
    fsck(machine.disk)
    found = subprocess.run([host / "fscat", machine.disk, "/synced"], check=True, stdout=subprocess.PIPE).stdout
    assert sha256(found) == sha256(splitmix(5, 500 << 10))


def test_the_log_commits_by_itself(machine: Machine, host: Path) -> None:
    """A file is on the disk at most one second after it was written, without a sync."""
    machine.run("mkfile 20K alone 9")
    machine.run("sleep 1.5")
    machine.cut_power()
    assert machine.disk is not None
    found = subprocess.run([host / "fscat", machine.disk, "/alone"], check=True, stdout=subprocess.PIPE).stdout
    assert found == splitmix(9, 20 << 10)
