"""Hostile programs (user/fuzz): random system calls, changed programs, kills at any moment. The kernel survives them
all."""

from __future__ import annotations

from typing import Callable

from grade.machine.machine import Machine
from grade.torture.frame import Row
from grade.torture.hostile import Rows, attack


def test_hostile_programs(machine_factory: Callable[..., Machine], seed: int) -> None:
    rows = Rows(Row("calls", 0), Row("leak checks", 0))
    attack(machine_factory(), calls=20_000, processes=6, seed=seed, rows=rows)
    assert rows.calls.count >= 20_000 and rows.leaks.count > 0
