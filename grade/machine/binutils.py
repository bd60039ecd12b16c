"""Finds nm, objdump and addr2line. They may be the host's tools, a RISC-V compiler's, or LLVM's: each of these reads the
symbols and line numbers of any ELF file.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

PREFIXES = ("", "riscv64-unknown-elf-", "riscv64-linux-gnu-", "riscv64-elf-", "llvm-")
VERSIONS = range(14, 24)  # LLVM versions to try: some systems have only llvm-nm-14, not llvm-nm


@functools.lru_cache(maxsize=None)
def find(name: str) -> str:
    """Returns the command that runs the tool `name`. Raises FileNotFoundError if it is not installed."""
    for command in (*(prefix + name for prefix in PREFIXES), *(f"llvm-{name}-{n}" for n in VERSIONS)):
        if shutil.which(command):
            return command
    raise FileNotFoundError(f"{name} is not installed: install binutils or llvm")


def address(elf: Path, symbol: str) -> int:
    """Returns the address of a symbol. Raises LookupError if the file has no such symbol."""
    out = subprocess.run([find("nm"), str(elf)], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(rf"^([0-9a-f]+) \w {re.escape(symbol)}$", out, re.MULTILINE)
    if found is None:
        raise LookupError(f"{elf} has no symbol {symbol}")
    return int(found[1], 16)
