"""A Ringfence file system image (kernel/fs/format.h) that a test can read and damage, and the host programs for images."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

from grade.machine import patience

BLOCK = 4096
DIRECT = 10
POINTERS = BLOCK // 4
SINGLE = DIRECT * BLOCK  # bytes before the indirect block
DOUBLE = (DIRECT + POINTERS) * BLOCK  # bytes before the double-indirect one
ZEROS = bytes(BLOCK)
LOG_MAGIC = 0x52464C47
SUPER_FIELDS = (
    "magic version size inodes log_start log_blocks inode_start bitmap_start data_start salt checksum"
).split()
INODE_FIELDS = {  # name: (format, offset)
    "type": ("<h", 0),
    "major": ("<h", 2),
    "minor": ("<h", 4),
    "nlink": ("<h", 6),
    "size": ("<Q", 8),
    "indirect": ("<I", 56),
    "double": ("<I", 60),
}
INODE_FIELDS.update({f"direct{i}": ("<I", 16 + 4 * i) for i in range(DIRECT)})


def run(*command: object, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs one of the host programs. If `ok`, it must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60 * patience.scale())
    if ok:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def contents(host: Path, image: Path, path: str) -> bytes:
    """The contents of a file in an image."""
    limit = 60 * patience.scale()
    return subprocess.run([host / "fscat", image, path], stdout=subprocess.PIPE, check=True, timeout=limit).stdout


def checksum(total: int, data: bytes) -> int:
    """format.h's fs_checksum()."""
    value = total ^ 2166136261
    for (word,) in struct.iter_unpack("<I", data):
        value = ((value ^ word) * 16777619) & 0xFFFFFFFF
    return value


class FsImage:
    """An image in memory; save() writes it out."""

    def __init__(self, path: Path) -> None:
        self.data = bytearray(path.read_bytes())

    def save(self, path: Path) -> Path:
        """Writes blocks of zeros as holes, which makes it much faster."""
        with path.open("wb") as file:
            file.truncate(len(self.data))
            for at in range(0, len(self.data), BLOCK):
                block = self.data[at : at + BLOCK]
                if block != ZEROS:
                    file.seek(at)
                    file.write(block)
        return path

    # The super block.

    def super(self, field: str) -> int:
        return self.word(1, SUPER_FIELDS.index(field))

    def set_super(self, field: str, value: int, valid: bool = True) -> None:
        """Changes a field. If `valid`, also corrects the checksum."""
        self.set_word(1, SUPER_FIELDS.index(field), value)
        if valid:
            self.set_word(1, 10, checksum(0, self.data[BLOCK : BLOCK + 40]))

    # Blocks of 32-bit words, for example of block numbers.

    def word(self, block: int, index: int) -> int:
        return int(struct.unpack_from("<I", self.data, block * BLOCK + 4 * index)[0])

    def set_word(self, block: int, index: int, value: int) -> None:
        struct.pack_into("<I", self.data, block * BLOCK + 4 * index, value)

    def block(self, number: int) -> bytes:
        return bytes(self.data[number * BLOCK : (number + 1) * BLOCK])

    def set_block(self, number: int, contents: bytes) -> None:
        self.data[number * BLOCK : (number + 1) * BLOCK] = contents.ljust(BLOCK, b"\0")

    # Inodes.

    def inode_offset(self, number: int) -> int:
        return self.super("inode_start") * BLOCK + 64 * number

    def get(self, inode: int, field: str) -> int:
        form, offset = INODE_FIELDS[field]
        return int(struct.unpack_from(form, self.data, self.inode_offset(inode) + offset)[0])

    def set(self, inode: int, field: str, value: int) -> None:
        form, offset = INODE_FIELDS[field]
        struct.pack_into(form, self.data, self.inode_offset(inode) + offset, value)

    # Directories of one block.

    def entries(self, directory: int) -> list[tuple[int, bytes]]:
        block = self.block(self.get(directory, "direct0"))
        count = self.get(directory, "size") // 16
        return [(n, name.rstrip(b"\0")) for n, name in struct.iter_unpack("<H14s", block[: 16 * count])]

    def set_entry(self, directory: int, slot: int, inode: int, name: bytes) -> None:
        where = self.get(directory, "direct0") * BLOCK + 16 * slot
        struct.pack_into("<H14s", self.data, where, inode, name)

    def slot(self, directory: int, name: bytes) -> int:
        return [entry[1] for entry in self.entries(directory)].index(name)

    def find(self, path: str) -> int:
        inode = 1
        for name in path.strip("/").split("/"):
            inode = self.entries(inode)[self.slot(inode, name.encode())][0]
        return inode

    def append_entry(self, directory: int, inode: int, name: bytes) -> None:
        size = self.get(directory, "size")
        self.set(directory, "size", size + 16)
        self.set_entry(directory, size // 16, inode, name)

    # The bitmap and the log.

    def set_bit(self, block: int, used: bool) -> None:
        byte = self.super("bitmap_start") * BLOCK + block // 8
        bit = 1 << block % 8
        self.data[byte] = self.data[byte] | bit if used else self.data[byte] & ~bit

    def log(self, at: int, sequence: int, blocks: dict[int, bytes]) -> int:
        """Writes a valid transaction at block `at` of the log. Returns the position of the next one."""
        start = self.super("log_start") + at
        numbers = struct.pack(f"<{len(blocks)}I", *blocks)
        first = struct.pack("<IQI", self.super("salt"), sequence, len(blocks))
        total = checksum(checksum(0, first), numbers)
        for i, contents in enumerate(blocks.values()):
            self.set_block(start + 1 + i, contents)
            total = checksum(total, self.block(start + 1 + i))
        self.set_block(start, struct.pack("<IIQII", LOG_MAGIC, len(blocks), sequence, total, 0) + numbers)
        return at + 1 + len(blocks)
