"""nm, objdump and addr2line, by whatever name they are here: the host's, those of a RISC-V compiler, or LLVM's. Each of
them reads the symbols and the lines of every ELF file.
"""

from __future__ import annotations

import functools
import shutil

PREFIXES = ("", "riscv64-unknown-elf-", "riscv64-linux-gnu-", "riscv64-elf-", "llvm-")
VERSIONS = range(14, 24)  # of LLVM's tools, where only a name such as llvm-nm-14 is installed


@functools.lru_cache(maxsize=None)
def find(name: str) -> str:
    """The command for `name`. Raises FileNotFoundError if there is none."""
    for command in (*(prefix + name for prefix in PREFIXES), *(f"llvm-{name}-{n}" for n in VERSIONS)):
        if shutil.which(command):
            return command
    raise FileNotFoundError(f"{name} is not installed, under no name: install binutils, or llvm")
