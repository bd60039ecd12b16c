"""What one run works on, and with which tools. main() of a command builds a Job once and passes it down; a test gets it
from the fixture `job`. Nothing else reads these values from the environment."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional

from grade import ROOT

# What the make and the pytest that run us tell their children.
_OURS = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD", "CHOICE", "COMPILER", "PYTHONPATH"}


def clean_environment(*also_without: str) -> dict[str, str]:
    """The environment for a make or a pytest of its own, not a part of the ones that run us."""
    unwanted = _OURS | set(also_without)
    return {name: value for name, value in os.environ.items() if name not in unwanted and not name.startswith("PYTEST_")}


@dataclass(frozen=True)
class Job:
    build: Path = ROOT / "build"  # absolute; what make has built, such as kernel.elf and host/mkfs
    qemu: str = "qemu-system-riscv64"
    gdb: str = "gdb-multiarch"
    compiler: str = "riscv64-unknown-elf-gcc"
    choice: tuple[str, ...] = ()  # make's variables, besides BUILD, that give this build again: CC=clang, START=2-disk
    sandbox: bool = False  # the build is a stranger's: run nothing of it outside the sandbox
    handout: Optional[Path] = None  # of that stranger's submission: the same lab, built as it was handed out

    @classmethod
    def from_environment(cls, environment: Optional[Mapping[str, str]] = None) -> Job:
        """As make describes it: BUILD, QEMU, GDB, COMPILER, and CHOICE."""
        given = os.environ if environment is None else environment
        named: dict[str, Any] = {name: given[name.upper()] for name in ("qemu", "gdb", "compiler") if given.get(name.upper())}
        return cls(build=ROOT / (given.get("BUILD") or "build"), choice=tuple(given.get("CHOICE", "").split()), **named)

    @property
    def same_compiler(self) -> list[str]:
        """Make's variables for another build with the same compiler."""
        return [word for word in self.choice if not word.startswith(("START=", "SAN="))]

    @property
    def same_build(self) -> list[str]:
        """Make's variables for this very build."""
        return [f"BUILD={self.build_for_make}", *self.choice]

    @property
    def build_for_make(self) -> str:
        """As make wrote it: the dependencies that it noted have the same form."""
        return str(self.build.relative_to(ROOT) if self.build.is_relative_to(ROOT) else self.build)

    def environment(self) -> dict[str, str]:
        """The environment for another command of the harness, on the same job."""
        named = {name.upper(): getattr(self, name) for name in ("qemu", "gdb", "compiler")}
        return {**clean_environment(), "PYTHONPATH": str(ROOT), "BUILD": self.build_for_make, "CHOICE": " ".join(self.choice), **named}

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Job:
        known = json.loads(text)
        handout = known.pop("handout")
        return cls(
            build=Path(known.pop("build")),
            choice=tuple(known.pop("choice")),
            handout=Path(handout) if handout else None,
            **known,
        )
