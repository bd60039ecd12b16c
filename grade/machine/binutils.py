"""nm, objdump and addr2line, by whatever name they are here: the host's, those of a RISC-V compiler, or LLVM's. Each of
them reads the symbols and the lines of every ELF file.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

PREFIXES = ("", "riscv64-unknown-elf-", "riscv64-linux-gnu-", "riscv64-elf-", "llvm-")
VERSIONS = range(14, 24)  # of LLVM's tools, where only a name such as llvm-nm-14 is installed


@functools.lru_cache(maxsize=None)
def find(name: str) -> str:
    """The command for `name`. Raises FileNotFoundError if there is none."""
    for command in (*(prefix + name for prefix in PREFIXES), *(f"llvm-{name}-{n}" for n in VERSIONS)):
        if shutil.which(command):
            return command
    raise FileNotFoundError(f"{name} is not installed, under no name: install binutils, or llvm")


def address(elf: Path, symbol: str) -> int:
    """Where a symbol is. Raises LookupError if the file has none of that name."""
    out = subprocess.run([find("nm"), str(elf)], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(rf"^([0-9a-f]+) \w {re.escape(symbol)}$", out, re.MULTILINE)
    if found is None:
        raise LookupError(f"{elf} has no symbol {symbol}")
    return int(found[1], 16)
