"""fsck names exactly what is wrong with an image, replays the log, and crashes on no image."""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from grade import ROOT
from grade.machine import patience
from grade.tests.support.fs_image import BLOCK, DOUBLE, POINTERS, FsImage, checksum, contents, run

SUMMARY = re.compile(r"(\d+) transactions replayed")


# ---- one fault each, and exactly the lines that report it ----


@pytest.fixture(scope="module")
def good(host: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/small (1 block), /big (indirect), /huge (double indirect), /dir/inner, /dir/sub, /dev/console"""
    folder = tmp_path_factory.mktemp("good")
    (folder / "dir" / "sub").mkdir(parents=True)
    (folder / "dir" / "inner").write_text("inner")
    (folder / "small").write_bytes(b"small")
    (folder / "big").write_bytes(b"b" * (15 * BLOCK))
    (folder / "huge").write_bytes(bytes(DOUBLE + 3 * BLOCK))
    sources = [folder / name for name in ("dir", "small", "big", "huge")]
    run(host / "mkfs", "-s", "8M", "-S", "1", folder / "image", *sources, "dev/console:c:1:0")
    run(host / "fsck", folder / "image")
    return folder / "image"


Damage = Callable[[FsImage], None]
CORRUPTIONS: dict[str, tuple[Damage, list[str]]] = {}


def corruption(*lines: str) -> Callable[[Damage], Damage]:
    """Registers a way to damage an image, with a pattern for each line that fsck must print about it."""

    def register(damage: Damage) -> Damage:
        CORRUPTIONS[damage.__name__] = (damage, list(lines))
        return damage

    return register


@corruption(r"super block: no Ringfence file system .*")
def magic(i: FsImage) -> None:
    i.set_super("magic", 0)


@corruption(r"super block: version 9; this program knows version 1")
def version(i: FsImage) -> None:
    i.set_super("version", 9)


@corruption(r"super block: wrong checksum")
def super_checksum(i: FsImage) -> None:
    i.set_super("salt", 5, valid=False)


@corruption(r"super block: 100000 blocks, but the image has only 2048", r"super block: the data area begins before the end of the bitmap")
def disk_too_short(i: FsImage) -> None:
    i.set_super("size", 100_000)


@corruption(r"super block: the inode table begins before the end of the log")
def areas_overlap(i: FsImage) -> None:
    i.set_super("inode_start", i.super("inode_start") - 1)


@corruption(r"super block: 0 inodes; .*", r"super block: the inode table \(0 blocks .*\) does not fit .*")
def no_inodes(i: FsImage) -> None:
    i.set_super("inodes", 0)


@corruption(r"super block: the data area \(0 blocks from 4294967295\) does not fit into 2048 blocks")
def data_beyond_end(i: FsImage) -> None:
    i.set_super("data_start", 0xFFFFFFFF)


@corruption(
    r"super block: the log \(4294967295 blocks from 2\) does not fit .*",
    r"super block: the inode table begins before the end of the log",
)
def log_too_long(i: FsImage) -> None:
    i.set_super("log_blocks", 0xFFFFFFFF)


@corruption(r"super block: a log of 63 blocks; the kernel wants 64")
def log_too_short(i: FsImage) -> None:
    i.set_super("log_blocks", 63)


@corruption(r"super block: 65537 inodes; .*", r"super block: the bitmap begins before the end of the inode table")
def too_many_inodes(i: FsImage) -> None:
    i.set_super("inodes", 65537)


@corruption(r"inode \d+ \(/small\): unknown type 9")
def unknown_type(i: FsImage) -> None:
    i.set(i.find("/small"), "type", 9)


@corruption(r"inode 0: in use, which it never may be")
def inode_zero(i: FsImage) -> None:
    i.set(0, "type", 2)


@corruption(r"inode \d+ \(/dir/sub\): a directory cannot have a size of 33 bytes")
def odd_directory_size(i: FsImage) -> None:
    i.set(i.find("/dir/sub"), "size", 33)


@corruption(r"inode \d+ \(/small\): its size is impossible: \d+ bytes")
def impossible_size(i: FsImage) -> None:
    i.set(i.find("/small"), "size", 1 << 60)


@corruption(r"inode \d+ \(/dev/console\): a device cannot have a size \(7 bytes\)")
def device_with_size(i: FsImage) -> None:
    i.set(i.find("/dev/console"), "size", 7)


@corruption(
    r"inode \d+ \(/small\): block 1 is outside the data area",
    r"bitmap: block \d+ marked in use, but nothing uses it",
)
def pointer_to_super_block(i: FsImage) -> None:
    i.set(i.find("/small"), "direct0", 1)


@corruption(
    r"inode \d+ \(/big\): block 2048 is outside the data area",
    r"bitmap: block \d+ marked in use, but nothing uses it",
)
def pointer_beyond_end(i: FsImage) -> None:
    i.set_word(i.get(i.find("/big"), "indirect"), 0, i.super("size"))


@corruption(
    r"inode \d+ \(/huge\): block 4294967295 is outside the data area",
    r"bitmap: blocks \d+ to \d+ marked in use, but nothing uses it",
    r"bitmap: block \d+ marked in use, but nothing uses it",
)
def double_indirect_lost(i: FsImage) -> None:
    i.set_word(i.get(i.find("/huge"), "double"), 0, 0xFFFFFFFF)


@corruption(
    r"inode \d+ \(/small\): block (\d+) is used twice, also by inode \d+ \(/big\)",
    r"bitmap: block \d+ marked in use, but nothing uses it",
)
def block_used_twice(i: FsImage) -> None:
    i.set(i.find("/small"), "direct0", i.get(i.find("/big"), "direct3"))


@corruption(
    r"inode (\d+) \(/huge\): block \d+ is used twice, also by inode \1 \(/huge\)",
    r"bitmap: block \d+ marked in use, but nothing uses it",
)
def block_used_twice_in_one_file(i: FsImage) -> None:
    huge = i.find("/huge")
    i.set(huge, "direct1", i.get(huge, "direct0"))


@corruption(r"inode \d+ \(/big\): 15 blocks lie past its end, the first is block \d+")
def blocks_past_end(i: FsImage) -> None:
    i.set(i.find("/big"), "size", BLOCK)  # 14 blocks of content, and one of block numbers


@corruption(
    r"inode \d+ \(/dir\): a directory of 1 blocks with a hole: 0 are there",
    r"bitmap: block \d+ marked in use, but nothing uses it",
    r"inode \d+ \(/dir\): has no '\.'",
    r"inode 1 \(/\): its link count is 3, but 2 entries name it",
    *[r"inode \d+: its link count is 1, but 0 entries name it"] * 2,
)
def directory_with_hole(i: FsImage) -> None:
    i.set(i.find("/dir"), "direct0", 0)


@corruption(r"bitmap: block \d+ marked free, but used by inode \d+ \(/small\)")
def used_block_marked_free(i: FsImage) -> None:
    i.set_bit(i.get(i.find("/small"), "direct0"), False)


@corruption(r"bitmap: blocks 2000 to 2001 marked in use, but nothing uses it", r"bitmap: block 2010 marked in use, .*")
def free_blocks_marked_used(i: FsImage) -> None:
    for block in (2000, 2001, 2010):
        i.set_bit(block, True)


@corruption(r"bitmap: block 0 before the data area marked free", r"bitmap: block 20 before the data area marked free")
def tables_marked_free(i: FsImage) -> None:
    i.set_bit(0, False)
    i.set_bit(20, False)


@corruption(r"bitmap: block 2048 marked in use, but past the last block", r"bitmap: block 32767 marked .*")
def bits_past_end(i: FsImage) -> None:
    i.set_bit(2048, True)
    i.set_bit(32767, True)


@corruption(r"inode \d+ \(/dir\): '\.' names inode 1")
def wrong_dot(i: FsImage) -> None:
    i.set_entry(i.find("/dir"), 0, 1, b".")


@corruption(
    r"inode \d+ \(/dir/sub\): '\.\.' names inode 1; its parent is inode \d+ \(/dir\)",
    r"inode 1 \(/\): its link count is 3, but 4 entries name it",
    r"inode \d+ \(/dir\): its link count is 2, but 1 entries name it",
)
def wrong_dot_dot(i: FsImage) -> None:
    i.set_entry(i.find("/dir/sub"), 1, 1, b"..")


@corruption(
    r"inode (\d+): '\.\.' names inode \d+, which is not a directory",
    r"inode \d+ \(/dir\): its link count is 2, but 1 entries name it",
    r"inode \d+: its link count is 1, but 0 entries name it",
    r"inode \d+ \(/small\): its link count is 1, but 2 entries name it",
)
def lost_directory_below_a_file(i: FsImage) -> None:
    directory, sub = i.find("/dir"), i.find("/dir/sub")
    i.set_entry(sub, 1, i.find("/small"), b"..")
    i.set_entry(directory, i.slot(directory, b"sub"), 0, b"")


@corruption(r"inode \d+ \(/dir\): has no '\.'")
def no_dot(i: FsImage) -> None:
    i.set_entry(i.find("/dir"), 0, 0, b"")


@corruption(
    r"inode \d+ \(/dir\): has no '\.\.'",
    r"inode 1 \(/\): its link count is 3, but 2 entries name it",
)
def no_dot_dot(i: FsImage) -> None:
    i.set_entry(i.find("/dir"), 1, 0, b"")


@corruption(
    r"inode \d+ \(/dir\): entry 0 is '\.\.', not '\.'",
    r"inode \d+ \(/dir\): entry 1 is '\.', not '\.\.'",
)
def dots_swapped(i: FsImage) -> None:
    inode = i.find("/dir")
    i.set_entry(inode, 0, 1, b"..")
    i.set_entry(inode, 1, inode, b".")


@corruption(r"inode \d+ \(/dir\): 'ghost' names inode 200, which is free")
def entry_of_free_inode(i: FsImage) -> None:
    i.append_entry(i.find("/dir"), 200, b"ghost")


@corruption(r"inode \d+ \(/dir\): 'ghost' names inode 60000; there are 512")
def entry_out_of_range(i: FsImage) -> None:
    i.append_entry(i.find("/dir"), 60000, b"ghost")


@corruption(r"inode \d+ \(/dir\): two entries have the name 'inner'")
def name_twice(i: FsImage) -> None:
    inner = i.find("/dir/inner")
    i.append_entry(i.find("/dir"), inner, b"inner")
    i.set(inner, "nlink", 2)


@corruption(r"inode \d+ \(/dir\): the name 'a/b' holds a '/'")
def name_with_slash(i: FsImage) -> None:
    directory = i.find("/dir")
    i.set_entry(directory, i.slot(directory, b"inner"), i.find("/dir/inner"), b"a/b")


@corruption(r"inode \d+ \(/dir\): the entry of inode \d+ has no name")
def name_empty(i: FsImage) -> None:
    directory = i.find("/dir")
    i.set_entry(directory, i.slot(directory, b"inner"), i.find("/dir/inner"), b"")


@corruption(r"inode \d+ \(/small\): its link count is 2, but 1 entries name it")
def link_count_too_high(i: FsImage) -> None:
    i.set(i.find("/small"), "nlink", 2)


@corruption(r"inode \d+ \(/small\): its link count is 0, but 1 entries name it")
def link_count_zero(i: FsImage) -> None:
    i.set(i.find("/small"), "nlink", 0)


@corruption(r"inode \d+ \(/small\): its link count is -1, but 1 entries name it")
def link_count_negative(i: FsImage) -> None:
    i.set(i.find("/small"), "nlink", -1)


@corruption(r"inode \d+: its link count is 1, but 0 entries name it")
def entry_lost(i: FsImage) -> None:
    i.set_entry(1, i.slot(1, b"small"), 0, b"")


@corruption(r"inode \d+ \(/\w+\): a directory, and 2 entries name it besides '\.\.'")
def directory_linked_twice(i: FsImage) -> None:
    directory = i.find("/dir")
    i.append_entry(1, directory, b"again")
    i.set(directory, "nlink", 3)


@corruption(r"inode 1 \(/\): a directory, and 1 entries name it besides '\.\.'")
def root_linked(i: FsImage) -> None:
    i.append_entry(i.find("/dir"), 1, b"up")
    i.set(1, "nlink", 4)


@corruption(*[r"inode \d+: cannot be reached from the root"] * 3)
def loop_off_the_root(i: FsImage) -> None:
    directory, sub = i.find("/dir"), i.find("/dir/sub")
    i.set_entry(1, i.slot(1, b"dir"), 0, b"")
    i.append_entry(sub, directory, b"dir")  # its ".." still names the root


@corruption(r"inode 1: the root is not a directory")
def root_is_a_file(i: FsImage) -> None:
    i.set(1, "type", 2)


@corruption(r"log: transaction 3 writes block 1, which no transaction may")
def log_over_super_block(i: FsImage) -> None:
    i.log(0, 3, {i.super("size") - 1: b"x", 1: b"x"})


@corruption(r"log: transaction 3 writes block 5, which no transaction may")
def log_over_log(i: FsImage) -> None:
    i.log(0, 3, {5: b"x"})


@corruption(r"log: transaction 3 writes block 2048, which no transaction may")
def log_beyond_end(i: FsImage) -> None:
    i.log(0, 3, {2048: b"x"})


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_fsck_names_what_is_wrong(host: Path, good: Path, tmp_path: Path, name: str) -> None:
    damage, patterns = CORRUPTIONS[name]
    image = FsImage(good)
    damage(image)
    path = image.save(tmp_path / "image")
    done = run(host / "fsck", "-q", path, ok=False)
    lines = done.stdout.splitlines()
    assert len(lines) == len(patterns), "\n" + done.stdout
    for line, pattern in zip(lines, patterns):
        assert re.fullmatch(pattern, line), f"{line!r} is not {pattern!r}"
    assert (done.returncode, done.stderr) == (1, "")
    assert path.read_bytes() == image.data, "fsck changed the image"


def test_an_orphan_is_legal(host: Path, good: Path, tmp_path: Path) -> None:
    image = FsImage(good)
    for path in ("/big", "/dir/sub"):
        parent = image.find("/dir") if path.startswith("/dir") else 1
        image.set(image.find(path), "nlink", 0)
        image.set_entry(parent, image.slot(parent, path.split("/")[-1].encode()), 0, b"")
    image.set(image.find("/dir"), "nlink", 1)  # "/dir/sub/.." no longer counts
    done = run(host / "fsck", image.save(tmp_path / "image"))
    assert len(re.findall(r"^note: inode \d+: was unlinked while in use", done.stdout, re.M)) == 2
    assert "its 16 blocks" in done.stdout
    assert run(host / "fsck", "-q", tmp_path / "image").stdout == ""


def test_a_directory_that_was_never_finished_is_legal(host: Path, good: Path, tmp_path: Path) -> None:
    """If the disk is full, mkdir() leaves an inode without links, until it is freed."""
    image = FsImage(good)
    free = next(n for n in range(1, image.super("inodes")) if image.get(n, "type") == 0)
    image.set(free, "type", 1)
    done = run(host / "fsck", "-q", image.save(tmp_path / "image"))
    assert done.stdout == ""
    image.set(free, "nlink", 1)
    done = run(host / "fsck", "-q", image.save(tmp_path / "image"), ok=False)
    assert "a directory cannot have a size of 0 bytes" in done.stdout


def test_a_device_without_a_driver_is_legal(host: Path, good: Path, tmp_path: Path) -> None:
    image = FsImage(good)
    image.set(image.find("/dev/console"), "major", 8)
    done = run(host / "fsck", image.save(tmp_path / "image"))
    assert re.search(r"^note: inode \d+ \(/dev/console\): no driver has the device number 8$", done.stdout, re.M)


def test_unreadable_images(host: Path, good: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_bytes(b"x" * 4096)
    cases: list[list[object]] = [[tmp_path / "none"], [tmp_path], [short], [], ["-z", good]]
    for arguments in cases:
        done = run(host / "fsck", *arguments, ok=False)
        assert done.returncode == 2 and done.stdout == "" and done.stderr, arguments
    assert run(host / "fscat", short, "/x", ok=False).returncode == 2
    for path in ("/none", "/small/x", "/dir", "/" + "x" * 15):
        done = run(host / "fscat", good, path, ok=False)
        assert done.returncode == 1 and done.stdout == "" and path in done.stderr


def test_several_images(host: Path, good: Path, tmp_path: Path) -> None:
    bad = FsImage(good)
    link_count_zero(bad)
    bad.save(tmp_path / "bad")
    done = run(host / "fsck", "-q", good, tmp_path / "bad", good, ok=False)
    assert done.returncode == 1
    assert re.fullmatch(f"{tmp_path}/bad: inode .*\n", done.stdout)


# ---- the log ----


def replayed(host: Path, image: Path) -> int:
    summary = SUMMARY.search(run(host / "fsck", image).stdout)
    assert summary
    return int(summary[1])


def test_valid_transactions_are_replayed(host: Path, good: Path, tmp_path: Path) -> None:
    image = FsImage(good)
    block = image.get(image.find("/small"), "direct0")
    spare = image.super("size") - 1
    at = image.log(0, 41, {block: b"first", spare: b"not used by any file"})
    at = image.log(at, 42, {block: b"again"})
    image.log(at, 44, {block: b"wrong"})  # 43 is missing
    path = image.save(tmp_path / "image")
    assert replayed(host, path) == 2
    assert contents(host, path, "/small") == b"again"
    assert path.read_bytes() == image.data


@pytest.mark.parametrize("torn", ["contents", "last", "number", "count", "sequence", "magic", "salt"])
def test_a_torn_transaction_is_not_replayed(host: Path, good: Path, tmp_path: Path, torn: str) -> None:
    image = FsImage(good)
    block = image.get(image.find("/small"), "direct0")
    log = image.super("log_start")
    image.log(image.log(0, 1, {block: b"whole"}), 2, {block: b"torn!", block + 1: b"x"})
    damage: dict[str, Callable[[], None]] = {
        "contents": lambda: image.set_word(log + 3, 0, 0),
        "last": lambda: image.set_word(log + 4, POINTERS - 1, 1),
        "number": lambda: image.set_word(log + 2, 6, block + 2),
        "count": lambda: image.set_word(log + 2, 1, 1),
        "sequence": lambda: image.set_word(log + 2, 2, 3),
        "magic": lambda: image.set_word(log + 2, 0, 0),
        "salt": lambda: image.set_super("salt", 99),
    }
    damage[torn]()
    path = image.save(tmp_path / "image")
    assert replayed(host, path) == (0 if torn == "salt" else 1)
    assert contents(host, path, "/small") == (b"small" if torn == "salt" else b"whole")


def test_the_log_may_be_full_to_the_last_block(host: Path, good: Path, tmp_path: Path) -> None:
    image = FsImage(good)
    first = image.super("size") - 500
    image.log(0, 1, {first + i: b"%d" % i for i in range(image.super("log_blocks") - 1)})
    assert replayed(host, image.save(tmp_path / "image")) == 1
    # A header that announces one block more than the log has.
    image.set_word(image.super("log_start"), 1, image.super("log_blocks"))
    assert replayed(host, image.save(tmp_path / "image")) == 0


# ---- no image crashes fsck or fscat ----

MUTATIONS = 2000
BATCH = 50


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fsck and fscat, built with the address and undefined-behaviour sanitizers."""
    folder = tmp_path_factory.mktemp("sanitized")
    shared = [ROOT / "mkfs" / name for name in ("image.c", "check.c", "check_blocks.c", "check_names.c")]
    flags = ["-std=gnu11", "-O1", "-g", f"-I{ROOT}", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    compiler = os.environ.get("HOSTCC") or "cc"
    for name in ("fsck", "fscat"):
        run(compiler, *flags, "-o", folder / name, ROOT / "mkfs" / f"{name}.c", *shared)
    return folder


def mutate(image: FsImage, rng: random.Random) -> None:
    """Damages important fields of an image, and often corrects the checksums so that the damage gets past them."""
    start, data, size = (image.super(field) for field in ("inode_start", "data_start", "size"))
    values = [0, 1, 2, 15, 16, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, data, data + 1, size]
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        value = rng.choice(values + [rng.getrandbits(32), rng.randrange(data, size)])
        where = rng.randrange(10)
        if where == 0:
            image.set_word(1, rng.randrange(11), value)
            image.set_word(1, 10, checksum(0, image.data[BLOCK : BLOCK + 40]))
        elif where < 5:
            image.set_word(start, rng.randrange(16 * 12), value)
        elif where < 8:
            image.set_word(data + rng.randrange(22), rng.randrange(64), value)
        elif where == 8:
            target = rng.choice([start, data, data + 1, rng.randrange(data, data + 22)])
            image.log(0, 1, {target: rng.randbytes(BLOCK) if rng.random() < 0.5 else image.block(data)})
        else:
            offset = rng.randrange(len(image.data) - 64)
            image.data[offset : offset + 64] = rng.randbytes(64)


def test_hostile_images(host: Path, sanitized: Path, tmp_path: Path, seed: int) -> None:
    (tmp_path / "dir" / "sub").mkdir(parents=True)
    (tmp_path / "dir" / "f").write_bytes(b"x" * 45_000)
    (tmp_path / "file").write_bytes(b"y" * 5_000)
    base = tmp_path / "base"
    run(host / "mkfs", "-s", "360K", base, tmp_path / "dir", tmp_path / "file", "dev/console:c:1:0")
    original = base.read_bytes()
    rng = random.Random(seed)
    image = FsImage(base)
    paths = [tmp_path / f"image{i}" for i in range(BATCH)]
    inconsistent = 0
    for _ in range(MUTATIONS // BATCH):
        for path in paths:
            image.data[:] = original
            mutate(image, rng)
            image.save(path)
        done = subprocess.run([sanitized / "fsck", *paths], capture_output=True, timeout=60 * patience.scale(), text=True)
        assert done.returncode in (0, 1) and not done.stderr, done.stderr
        inconsistent += len({line.split(":")[0] for line in done.stdout.splitlines() if ": clean:" not in line})
        listed = subprocess.run([sanitized / "fscat", "-l", paths[0]], capture_output=True, timeout=60 * patience.scale())
        assert listed.returncode in (0, 1, 2) and not re.search(b"Sanitizer|runtime error", listed.stderr), listed.stderr
    assert inconsistent > MUTATIONS // 2, "most mutations should be noticed"
