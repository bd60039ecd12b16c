"""What a suite of `make torture` is given, and what it returns.

A suite is a module of this folder, named in main.py, with a function

    def run(run: Run) -> Iterable[Row]

that does its share of the work and yields a row of the table for each promise it has tried to break. What the suite
chooses at random comes from run.rng(), so that the same seed brings the same choices back.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from grade.machine.job import Job


@dataclass
class Row:
    what: str  # was tried, in the plural: "crash states"
    count: int  # of them
    lost: list[str] = field(default_factory=list)  # a text for each broken promise: what, and how to see it again
    detail: str = ""  # how, in a few words


@dataclass
class Run:
    job: Job
    seed: int
    share: float  # of the full work, 1 being 20 minutes over all suites
    folder: Path  # scratch, removed afterwards
    progress: Callable[[str], None]  # shows a line
    soak: float = 0.0  # minutes of the suite soak; 0: its share
    only: str = ""  # of what the suite tries, that with this in its name: `make torture TORTURE=faults:flush`

    def wants(self, name: str) -> bool:
        return self.only.replace("_", " ") in name.replace("_", " ")

    def times(self, full: int) -> int:
        """This run's share of what is done `full` times in a full one; at least once."""
        return max(1, round(full * self.share))

    def rng(self, name: str) -> random.Random:
        """Random numbers of one purpose: another suite that draws more of its own does not change them."""
        return random.Random(f"{self.seed}/{name}")

    def seed_for(self, name: str) -> int:
        """A seed below 2^31 for a program that wants a number."""
        return self.rng(name).randrange(1, 1 << 31)
