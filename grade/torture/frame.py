"""What a suite of `make torture` gets, and what it returns.

A suite is a module in this folder, named in main.py, with a function

    def run(run: Run) -> Iterable[Row]

It does its share of the work and yields one table row for each promise that it tried to break. It takes all random choices
from run.rng(), so that the same seed repeats the same choices.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from grade.machine.job import Job


@dataclass
class Row:
    what: str  # what was tried, in the plural: "crash states"
    count: int  # how many were tried
    lost: list[str] = field(default_factory=list)  # one text per broken promise: what, and how to repeat it
    detail: str = ""  # how, in a few words


@dataclass
class Run:
    job: Job
    seed: int
    share: float  # of the full work; 1 takes 20 minutes for all suites
    folder: Path  # for temporary files; deleted afterwards
    progress: Callable[[str], None]  # shows a line
    soak: float = 0.0  # minutes of the suite soak; 0: its share
    only: str = ""  # run only parts with this in their name: `make torture TORTURE=faults:flush`

    def wants(self, name: str) -> bool:
        return self.only.replace("_", " ") in name.replace("_", " ")

    def times(self, full: int) -> int:
        """This run's share of something that a full run does `full` times; at least 1."""
        return max(1, round(full * self.share))

    def rng(self, name: str) -> random.Random:
        """Random numbers for one purpose. They do not change if another suite draws more numbers."""
        return random.Random(f"{self.seed}/{name}")

    def seed_for(self, name: str) -> int:
        """A seed below 2^31, for a program that takes a number."""
        return self.rng(name).randrange(1, 1 << 31)
