"""make matrix: builds with every RISC-V compiler that it finds, and tests each build in every QEMU that it finds. Warnings
are errors. Each pair takes about ten minutes; TESTS= and PYTEST_ARGS= choose fewer tests, as in `make test`.

    matrix.py [--extra FOLDER] [--list]

It searches the PATH and FOLDER/*/bin, where `make matrix-fetch` puts newer versions. The exit status is 0 if all pairs
passed. It names the versions that it did not find.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Optional

from grade import ROOT

PREFIXES = ["riscv64-unknown-elf-", "riscv64-linux-gnu-", "riscv64-elf-"]
# The versions that this project promises to work with. `make matrix` names the missing ones.
PROMISED = {
    "GCC 12, riscv64-unknown-elf-": r"riscv64-unknown-elf-gcc 12\.",
    "GCC 12, riscv64-linux-gnu-": r"riscv64-linux-gnu-gcc 12\.",
    "GCC 14": r"gcc 14\.",
    "clang 14": r"clang 14\.",
    "clang 19": r"clang 19\.",
    "QEMU 7.2": r"QEMU 7\.2",
    "QEMU 10": r"QEMU 10\.",
}


class Tool(NamedTuple):
    label: str  # name and version
    folder: str  # a compiler's build folder; "" for a QEMU
    variables: dict[str, str]  # make variables that select it


def version_of(command: str, pattern: str) -> Optional[str]:
    try:
        done = subprocess.run([command, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None
    match = re.search(pattern, done.stdout)
    return match.group(1) if match else None


def folders(extra: Path) -> list[Path]:
    """The folders to search: the empty path stands for PATH; the others are those of `make matrix-fetch`."""
    return [Path()] + sorted(path for path in extra.glob("*/bin"))


def find_compilers(extra: Path) -> list[Tool]:
    found = []
    for folder in folders(extra):
        for prefix in PREFIXES:
            command = str(folder / f"{prefix}gcc")
            version = shutil.which(command) and version_of(command, r"(\d+\.\d+\.\d+)")
            if version:
                label = f"{prefix}gcc {version}"
                found.append(Tool(label, label.replace(" ", "-"), {"TOOLPREFIX": str(folder / prefix)}))
    for name in ["clang"] + [f"clang-{n}" for n in range(14, 24)]:
        version = shutil.which(name) and version_of(name, r"clang version (\d+\.\d+\.\d+)")
        label = f"clang {version}"
        if version and label not in [tool.label for tool in found]:
            # clang also builds the host programs, such as the ring tests.
            found.append(Tool(label, label.replace(" ", "-"), {"CC": name, "HOSTCC": name}))
    return found


def find_qemus(extra: Path) -> list[Tool]:
    found: list[Tool] = []
    for folder in folders(extra):
        command = str(folder / "qemu-system-riscv64")
        version = shutil.which(command) and version_of(command, r"version (\d+\.\d+\.\d+)")
        if version and f"QEMU {version}" not in [tool.label for tool in found]:
            found.append(Tool(f"QEMU {version}", "", {"QEMU": command}))
    return found


def make(goal: str, build: str, *tools: Tool) -> tuple[int, str]:
    """Runs make with these tools. CI=1 turns warnings into errors. Returns the exit status and the output."""
    variables = {name: value for tool in tools for name, value in tool.variables.items()}
    words = [f"{name}={value}" for name, value in variables.items()]
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CC")}
    environment["CI"] = "1"
    command = ["make", goal, f"BUILD={build}", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def summary_of(output: str) -> str:
    """pytest's last line without its decoration. If there is none, the last line of the output."""
    lines = [line for line in output.splitlines() if re.search(r"\d+ (passed|failed|error)", line)]
    last = (lines or output.splitlines() or ["no output"])[-1]
    return last.strip("= ")


def run(compilers: list[Tool], qemus: list[Tool], where: str, log: Path) -> list[dict[str, str]]:
    rows = []
    for compiler in compilers:
        build = f"{where}/{compiler.folder}"
        print(f"matrix: building with {compiler.label}", file=sys.stderr)
        status, output = make("all", build, compiler)
        log.open("a").write(f"==== {compiler.label}: make all\n{output}\n")
        if status != 0:
            rows.append({"compiler": compiler.label, "qemu": "", "result": "FAILED: it does not build without a warning"})
            continue
        for qemu in qemus:
            print(f"matrix: {compiler.label}: tests in {qemu.label}", file=sys.stderr)
            status, output = make("test", build, compiler, qemu)
            log.open("a").write(f"==== {compiler.label}, {qemu.label}: make test\n{output}\n")
            result = ("" if status == 0 else "FAILED: ") + summary_of(output)
            rows.append({"compiler": compiler.label, "qemu": qemu.label, "result": result})
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extra", default="build/matrix", help="folder with more compilers and QEMUs")
    parser.add_argument("--build", default="build", help="write builds and results to matrix-builds in this folder")
    parser.add_argument("--list", action="store_true", help="only list what it finds")
    given = parser.parse_args()

    os.chdir(ROOT)
    extra = Path(given.extra).resolve()
    compilers, qemus = find_compilers(extra), find_qemus(extra)
    have = [tool.label for tool in compilers + qemus]
    missing = [name for name, pattern in PROMISED.items() if not any(re.search(pattern, label) for label in have)]
    for label in have:
        print(f"matrix: found {label}")
    if missing:
        print(f"matrix: not found, not tested: {', '.join(missing)}")
        print("matrix: `make matrix-fetch` unpacks GCC 14 and QEMU 10; clang 19 needs Debian 13")
    if given.list:
        return 0

    where = Path(given.build) / "matrix-builds"
    where.mkdir(parents=True, exist_ok=True)
    log = where / "log"
    log.write_text("")
    try:
        rows = run(compilers, qemus, str(where), log)
    except KeyboardInterrupt:
        print("matrix: interrupted", file=sys.stderr)
        return 130
    print()
    for row in rows:
        print(f"{row['compiler']:34} {row['qemu']:13} {row['result']}")
    (where / "results.json").write_text(json.dumps({"found": have, "not found": missing, "rows": rows}, indent=1) + "\n")
    failed = [row for row in rows if row["result"].startswith("FAILED")]
    print(f"matrix: {len(rows) - len(failed)} of {len(rows)} passed" + (f"; {log} has the output" if failed else ""))
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
