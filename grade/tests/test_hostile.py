"""Hostile programs (user/fuzz.c): random system calls, changed programs, kills at any moment. Nothing of it may matter."""

from __future__ import annotations

import random
from typing import Callable

from grade.machine import Machine
from grade.torture.frame import Row
from grade.torture.hostile import Rows, attack


def test_hostile_programs(machine_factory: Callable[..., Machine]) -> None:
    seed = random.randrange(1, 1 << 30)
    print("seed", seed)  # shown when it fails
    rows = Rows(Row("calls", 0), Row("leak checks", 0))
    attack(machine_factory(), calls=20_000, processes=6, seed=seed, rows=rows)
    assert rows.calls.count >= 20_000 and rows.leaks.count > 0
