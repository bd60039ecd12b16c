"""A Job says what one run works on, and with which tools. main() of a command builds a Job once and passes it down; a test
gets it from the fixture `job`. No other code reads these values from the environment."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional

from grade import ROOT

# Variables that the surrounding make and pytest set for their children.
_OURS = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD", "CHOICE", "COMPILER", "PYTHONPATH"}


def clean_environment(*also_without: str) -> dict[str, str]:
    """The environment for a make or pytest that is independent of the ones that run us."""
    unwanted = _OURS | set(also_without)
    return {name: value for name, value in os.environ.items() if name not in unwanted and not name.startswith("PYTEST_")}


@dataclass(frozen=True)
class Job:
    build: Path = ROOT / "build"  # absolute; make's output, such as kernel.elf and host/mkfs
    qemu: str = "qemu-system-riscv64"
    gdb: str = "gdb-multiarch"
    compiler: str = "riscv64-unknown-elf-gcc"
    choice: tuple[str, ...] = ()  # make variables that repeat this build, besides BUILD: CC=clang, START=2-disk
    sandbox: bool = False  # the build comes from a submission: run its programs only in the sandbox
    handout: Optional[Path] = None  # when marking a submission: a build of the unchanged handout of the same lab

    @classmethod
    def from_environment(cls, environment: Optional[Mapping[str, str]] = None) -> Job:
        """Reads the variables that make sets: BUILD, QEMU, GDB, COMPILER, and CHOICE."""
        given = os.environ if environment is None else environment
        named: dict[str, Any] = {name: given[name.upper()] for name in ("qemu", "gdb", "compiler") if given.get(name.upper())}
        return cls(build=ROOT / (given.get("BUILD") or "build"), choice=tuple(given.get("CHOICE", "").split()), **named)

    @property
    def same_compiler(self) -> list[str]:
        """The make variables for another build with the same compiler."""
        return [word for word in self.choice if not word.startswith(("START=", "SAN=", "CI="))]

    @property
    def same_build(self) -> list[str]:
        """The make variables for this same build."""
        return [f"BUILD={self.build_for_make}", *self.choice]

    @property
    def build_for_make(self) -> str:
        """The build directory in the form that make's dependency files use: relative to the tree, if it is inside."""
        return str(self.build.relative_to(ROOT) if self.build.is_relative_to(ROOT) else self.build)

    def environment(self) -> dict[str, str]:
        """The environment for another command of the harness that works on the same job."""
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
