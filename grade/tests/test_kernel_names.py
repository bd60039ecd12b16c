"""A name in the kernel means one thing, so that `break walk` in GDB stops in one place."""

from __future__ import annotations

import re
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

from grade.machine import binutils


def run(tool: str, *arguments: str) -> str:
    return subprocess.run([binutils.find(tool), *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def test_variables(build: Path) -> None:
    """Compilers add a suffix to a static variable of a function: said.0."""
    count = Counter(re.findall(r"^\w+ [bBdDrRsSgG] (\w+)(?:\.\d+)?$", run("nm", str(build / "kernel.elf")), re.MULTILINE))
    assert count["virtio_queues"] == 1
    assert not {name for name, times in count.items() if times > 1}


def test_functions(build: Path) -> None:
    """Those too that the compiler has put into their callers: GDB knows them. nm does not."""
    places: dict[str, set[str]] = defaultdict(set)
    entry = r"Abbrev Number: \d+ \(DW_TAG_subprogram\)\n((?:.*DW_AT_.*\n)*)"
    for attributes in re.findall(entry, run("readelf", "--debug-dump=info", str(build / "kernel.elf"))):
        name = re.search(r"DW_AT_name .*?(\w+)\s*$", attributes, re.MULTILINE)
        line = re.search(r"DW_AT_decl_line\s*: (\d+)", attributes)
        if name and line and re.search(r"DW_AT_(?:inline|low_pc|ranges) ", attributes):
            places[name[1]].add(line[1])  # a function of a header has the same line in every file
    assert {"virtq_add", "table_walk"} <= places.keys()
    assert not {name: lines for name, lines in places.items() if len(lines) > 1}
