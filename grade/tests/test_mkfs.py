"""mkfs and fscat: files come out as they went in, and mkfs refuses invalid input with a message."""

from __future__ import annotations

import hashlib
import os
import random
import re
from pathlib import Path

import pytest

from grade.tests.support.fs_image import BLOCK, DIRECT, DOUBLE, POINTERS, SINGLE, FsImage, contents, run


def listing(host: Path, image: Path) -> dict[str, tuple[str, int, str]]:
    """path: (type, inode, size or numbers)"""
    found = {}
    for line in run(host / "fscat", "-l", image).stdout.splitlines():
        match = re.fullmatch(r"([dfc]) +(\d+) +(\d+(?:, *\d+)?) (.*)", line)
        assert match, line
        found[match[4]] = (match[1], int(match[2]), match[3])
    return found


def mkfs_fails(host: Path, image: Path, *arguments: object) -> str:
    """Runs a mkfs that must fail and leave no file behind. Returns its message."""
    before = sorted(image.parent.iterdir())
    done = run(host / "mkfs", *arguments, ok=False)
    assert done.returncode == 1 and done.stdout == ""
    assert sorted(image.parent.iterdir()) == before
    assert done.stderr.startswith("mkfs: ") and done.stderr.count("\n") == 1
    return done.stderr


def make_tree(directory: Path, rng: random.Random, depth: int = 3) -> None:
    directory.mkdir()
    for i in range(rng.randrange(1, 12)):
        size = rng.choice([0, rng.randrange(100), rng.randrange(20_000), rng.randrange(300_000)])
        (directory / f"f{i}-{rng.randrange(10**9)}").write_bytes(rng.randbytes(size))
    for i in range(rng.randrange(4) if depth else 0):
        make_tree(directory / f"d{i}", rng, depth - 1)


@pytest.mark.parametrize("round_", range(3))
def test_a_tree_comes_back_by_hash(host: Path, tmp_path: Path, round_: int, seed: int) -> None:
    source = tmp_path / "tree"
    make_tree(source, random.Random(seed))
    image = tmp_path / "image"
    run(host / "mkfs", "-s", "64M", image, source)
    run(host / "fsck", image)
    listed = listing(host, image)
    for path in source.rglob("*"):
        there = "/" + str(path.relative_to(tmp_path))
        kind, _, size = listed.pop(there)
        if path.is_dir():
            assert kind == "d"
        else:
            assert (kind, int(size)) == ("f", path.stat().st_size)
            got = hashlib.sha256(contents(host, image, there)).digest()
            assert got == hashlib.sha256(path.read_bytes()).digest(), there
    assert sorted(listed) == ["/", "/tree"]


SIZES = [0, 1, 15, 16, BLOCK - 1, BLOCK, BLOCK + 1, SINGLE - 1, SINGLE, SINGLE + 1, DOUBLE - 1, DOUBLE, DOUBLE + 1]
SIZES += [DOUBLE + POINTERS * BLOCK, DOUBLE + POINTERS * BLOCK + 1]


@pytest.fixture(scope="module")
def boundary_image(host: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sizes")
    for size in SIZES:
        (folder / str(size)).write_bytes(random.Random(size).randbytes(size))
    run(host / "mkfs", "-s", "40M", folder / "image", *(folder / str(size) for size in SIZES))
    run(host / "fsck", folder / "image")
    return folder / "image"


@pytest.fixture(scope="module")
def boundary_inodes(boundary_image: Path) -> FsImage:
    return FsImage(boundary_image)


@pytest.mark.parametrize("size", SIZES)
def test_size_at_a_boundary(host: Path, boundary_image: Path, boundary_inodes: FsImage, size: int) -> None:
    assert contents(host, boundary_image, f"/{size}") == random.Random(size).randbytes(size)
    inode = boundary_inodes.find(f"/{size}")
    assert bool(boundary_inodes.get(inode, "indirect")) == (size > SINGLE)
    assert bool(boundary_inodes.get(inode, "double")) == (size > DOUBLE)


def test_sources_of_every_kind(host: Path, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "deep").write_text("deep")
    (tmp_path / "a" / "top").write_text("top")
    (tmp_path / "link").symlink_to(tmp_path / "a" / "top")
    image = tmp_path / "image"
    devices = ["/dev/console:c:1:0", "dev/fb0:c:2:0", "null:c:6:3"]
    run(host / "mkfs", image, tmp_path / "a", f"{tmp_path}/a/.", tmp_path / "link", *devices)
    listed = {path: (kind, size) for path, (kind, _, size) in listing(host, image).items()}
    assert listed == {
        "/": ("d", "128"),
        "/a": ("d", "64"),
        "/a/b": ("d", "48"),
        "/a/b/deep": ("f", "4"),
        "/a/top": ("f", "3"),
        "/b": ("d", "48"),
        "/b/deep": ("f", "4"),
        "/dev": ("d", "64"),
        "/dev/console": ("c", "1,  0"),
        "/dev/fb0": ("c", "2,  0"),
        "/link": ("f", "3"),
        "/null": ("c", "6,  3"),
        "/top": ("f", "3"),
    }
    assert image.stat().st_size == 48 << 20
    assert image.stat().st_blocks * 512 < 2 << 20, "the image is not sparse"


def test_same_salt_same_bytes(host: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    images = [tmp_path / name for name in ("a", "b", "c")]
    for image, salt in zip(images, ("-S 7", "-S 0x7", "")):
        run(host / "mkfs", "-s", "4M", *salt.split(), image, tmp_path / "file")
    a, b, c = (image.read_bytes() for image in images)
    assert a == b
    other = FsImage(images[2])
    other.set_super("salt", 7)
    assert c != a and other.data == a


@pytest.mark.parametrize(
    "size,log,inodes",
    [("1M", 64, 64), ("4M", 85, 256), ("48M", 1024, 3072), ("1G", 1024, 65536), ("100G", 1632, 65536)],
)
def test_default_layout(host: Path, tmp_path: Path, size: str, log: int, inodes: int) -> None:
    image = tmp_path / "image"
    run(host / "mkfs", "-s", size, image)
    with image.open("rb") as file:  # an FsImage would read the whole image
        super_block = file.read(2 * BLOCK)[BLOCK:]
    words = [int.from_bytes(super_block[i : i + 4], "little") for i in range(0, 44, 4)]
    assert words[2] * BLOCK == image.stat().st_size
    assert (words[5], words[3]) == (log, inodes)
    run(host / "fsck", image)


def test_bad_command_lines(host: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    small, long = tmp_path / "small", tmp_path / "fifteen-letters"
    small.write_text("x")
    long.write_text("x")
    os.mkfifo(tmp_path / "pipe")
    cases: list[tuple[list[object], str]] = [
        ([image, long], "fifteen-letters: the name 'fifteen-letters' has 15 bytes; a name has at most 14"),
        ([image, tmp_path / "none"], "none: No such file"),
        ([image, tmp_path / "pipe"], "pipe: neither a file nor a directory"),
        ([image, small, small], "two sources want the name 'small'"),
        ([image, "x/small:c:1:0", "x/small:c:2:0"], "two sources want the name 'small' in '/x'"),
        ([image, "dev/new:c:99:0"], "dev/new:c:99:0: a device has a major from 1 to 7"),
        ([image, "a/../b:c:1:0"], "a name cannot be '.' or '..'"),
        ([image, "dev/:c:1:0"], "empty name"),
        (["-s", "12 ", image], "size '12 ' is not a number"),
        (["-s", "12X", image], "size '12X' is not a number with K, M or G"),
        (["-s", "-1", image], "size '-1' is not"),
        (["-s", "99999999999G", image], "size '99999999999G' is not"),
        (["-s", "64T", image], "size '64T' is not"),
        (["-s", "20000G", image], "at most 125G"),
        (["-s", "64K", image], "too small: 16 blocks, and log, inodes and bitmap take 68"),
        (["-l", "10", image], "the log needs at least 64 blocks"),
        (["-i", "70000", image], "inodes: '70000' is not a number from 0 to 65535"),
        ([tmp_path / "no" / "image", small], "No such file or directory"),
    ]
    for arguments, message in cases:
        assert message in mkfs_fails(host, image, *arguments), arguments


def test_what_does_not_fit(host: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    run(host / "mkfs", "-s", "1M", image)
    free = FsImage(image).super("size") - FsImage(image).super("data_start") - 1  # the root directory takes one block
    former = image.read_bytes()
    # The file needs one block of block numbers, and content that just fits beside the root directory.
    file = tmp_path / "file"
    file.write_bytes(b"x" * ((free - 1) * BLOCK + 1))
    message = mkfs_fails(host, image, "-s", "1M", image, file)
    assert f"too small: the files need {free + 2} blocks, {free + 1} are free (-s)" in message
    assert image.read_bytes() == former, "a failing mkfs must keep an existing image"
    file.write_bytes(b"x" * ((free - 1) * BLOCK))
    run(host / "mkfs", "-s", "1M", image, file)
    run(host / "fsck", image)
    assert contents(host, image, "/file") == file.read_bytes()

    names = [f"n{i}:c:6:0" for i in range(63)]
    run(host / "mkfs", "-s", "1M", image, *names[:62])
    run(host / "fsck", image)
    assert "too many files: 64 inodes needed, 63 there (-i)" in mkfs_fails(host, image, "-s", "1M", image, *names)
    run(host / "mkfs", "-s", "1M", "-i", "65", image, *names)

    with file.open("wb") as sparse:
        sparse.truncate((DIRECT + POINTERS + POINTERS**2) * BLOCK + 1)
    assert "file: too large" in mkfs_fails(host, image, image, file)
