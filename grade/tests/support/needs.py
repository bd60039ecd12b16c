"""The tools that some tests need and some machines lack. A test may be skipped for no other reason.

    @pytest.mark.needs("chromium", "selenium")     or, while a fixture runs, need("bubblewrap")

If this machine lacks the tool, pytest skips the test and at the end says what to install. In CI (the environment variable
CI is set) the test fails instead, unless EXPECTED_SKIPS, a comma-separated list, names the tool. A test that skips itself
in any other way fails everywhere: see conftest.py.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest
from _pytest.outcomes import Skipped

from grade.machine.job import Job
from grade.show import web
from grade.staff import sandbox


def _commands(*names: str) -> Callable[[], bool]:
    return lambda: all(map(shutil.which, names))


def _sandbox() -> bool:
    try:
        return bool(sandbox.method())
    except sandbox.SandboxError:
        return False


def _bubblewrap() -> bool:
    command = [*sandbox._bwrap(Path("/usr"), False), "true"]
    return _commands("bwrap")() and subprocess.run(command, capture_output=True).returncode == 0


def _fuzzer() -> bool:
    code = "int LLVMFuzzerTestOneInput(void) { return 0; }"
    command = ["clang", "-fsanitize=fuzzer,address,undefined", "-x", "c", "-o", "/dev/null", "-"]
    return here("clang") and subprocess.run(command, input=code, capture_output=True, text=True).returncode == 0


# Name: (is it here?, what to do if it is not).
NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "linux": (lambda: sys.platform == "linux", "run them on Linux: they read /proc, or load a plugin into QEMU"),
    "solved-tree": (
        lambda: not re.search(r"\b(START|SAN)=", " ".join(Job.from_environment().choice)),
        "run them without START= and SAN=: they test the tree that is graded",
    ),
    "x86-64": (lambda: platform.machine() in ("x86_64", "AMD64"), "run them on an x86-64 host: they test its behaviour"),
    "sandbox": (_sandbox, "apt-get install bubblewrap and let it use user namespaces; or run as root"),
    "bubblewrap": (_bubblewrap, "apt-get install bubblewrap and let it use user namespaces"),
    "root": (lambda: os.geteuid() == 0, "run them as root"),
    "chromium": (_commands("chromium", "chromedriver"), "apt-get install chromium chromium-driver"),
    "selenium": (lambda: bool(importlib.util.find_spec("selenium")), "apt-get install python3-selenium"),
    "novnc": (lambda: not web.missing(), f"apt-get install {web.PACKAGES}"),
    "xdist": (lambda: bool(importlib.util.find_spec("xdist")), "apt-get install python3-pytest-xdist"),
    "spin": (_commands("spin", "cc"), "apt-get install spin"),
    "clang": (_commands("clang", "ld.lld"), "apt-get install clang lld"),
    "fuzzer": (_fuzzer, "apt-get install clang libclang-rt-dev"),
    "riscv64-unknown-elf-gcc": (_commands("riscv64-unknown-elf-gcc"), "apt-get install gcc-riscv64-unknown-elf"),
    "riscv64-linux-gnu-gcc": (_commands("riscv64-linux-gnu-gcc"), "apt-get install gcc-riscv64-linux-gnu"),
}


class Missing(Skipped):
    """Skips a test because this machine lacks something."""

    def __init__(self, name: str) -> None:
        super().__init__(f"needs {name}: {NEEDS[name][1]}")
        self.name = name


@functools.lru_cache(maxsize=None)
def here(name: str) -> bool:
    return NEEDS[name][0]()


def need(name: str) -> None:
    """Returns if this machine has it; otherwise skips the test, or fails it in CI."""
    if here(name):
        return
    if os.environ.get("CI") and name not in os.environ.get("EXPECTED_SKIPS", "").split(","):
        pytest.fail(f"needs {name}, and CI has everything: {NEEDS[name][1]}, or set EXPECTED_SKIPS={name}", pytrace=False)
    raise Missing(name)
