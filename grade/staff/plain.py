"""Checks that an object file contains only plain code.

Host unit tests run the student's code in the process that judges it. That code must not reach the judge or the system. It
may call only memory and string functions and the kernel's print functions. It must not replace a function of the C
library, run before or after main(), or make system calls.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

from grade.machine import binutils
from grade.staff import sandbox

# Functions that compilers call without being asked. The last pattern matches libgcc, such as __popcountdi2().
_COMPILER = re.compile(
    r"mem(set|cpy|move|cmp)|bcmp|strlen|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__ubsan_handle_\w+"
    r"|__asan_(report|stack|poison|unpoison|load|store|handle_no_return|init|version|(un)?register|option|shadow|set_shadow)\w*"
    r"|__asan_(alloca|mem(set|cpy|move))\w*|__(start|stop)_asan_globals"
    r"|__[a-z]+[sdt]i[234]"
)
# Symbols that the address sanitizer defines for global variables, with GCC and with clang.
_SANITIZER = re.compile(r"__odr_asan\.\w+|__odr_asan_gen_\w+|___asan_globals_registered")
# Kernel functions that a driver may call (kernel/lib.h). The test program defines them too.
_KERNEL = re.compile(r"lab_todo|kprintf|panic|str(n?cmp)")
_SYSTEM_CALL = re.compile(r"\t(syscall|sysenter|int +\$0x80|int +\$0x3|svc\b.*)")


def _tool(work: Path, *command: str) -> str:
    tool, *arguments = command
    done = sandbox.run((binutils.find(tool), *arguments), work, sandbox.Limits(seconds=30, output=16))
    if done.status != 0 or done.stopped:
        raise RuntimeError(f"{tool} failed: {done.stopped or done.output[-300:]}")
    return done.output


def faults(work: Path, name: str) -> list[str]:
    """Lists what is forbidden in the object file `name` in the directory `work`. Raises RuntimeError if a tool fails."""
    found = []
    library = ctypes.CDLL(None)
    for line in _tool(work, "nm", name).splitlines():
        kind, symbol = line.split()[-2:]
        if kind in "Uw" and not _COMPILER.fullmatch(symbol) and not _KERNEL.fullmatch(symbol):
            found.append(f"it uses {symbol}")
        elif kind in "TDBRVWC" and not _SANITIZER.fullmatch(symbol) and (hasattr(library, symbol) or symbol.startswith("__")):
            found.append(f"it defines {symbol}, a name of the C library")
        elif kind == "i":
            found.append(f"it chooses {symbol} at run time")
    sizes: dict[str, int] = {}
    for section, size in re.findall(r"^ *\d+ (\S+) +([0-9a-f]+) ", _tool(work, "objdump", "-h", name), re.MULTILINE):
        match = re.match(r"\.(preinit_array|init_array|fini_array|ctors|dtors)", section)
        if match:
            sizes[match.group(1)] = sizes.get(match.group(1), 0) + int(size, 16)
    # The address sanitizer adds one function before main() and one after it.
    for kind, size in sizes.items():
        if size > 8 or kind not in ("init_array", "fini_array"):
            found.append("it has functions that run before or after main()")
    code = _SYSTEM_CALL.search(_tool(work, "objdump", "-d", "--no-show-raw-insn", name))
    if code:
        found.append(f"it makes a system call ({code.group(1)})")
    return found
