"""The order of what the driver stores, under load, watched by vqsan."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from grade.machine.machine import Machine
from grade.staff.write_side import RULES, judge, watch


@pytest.mark.promise("write-side")
def test_write_side(machine_factory: Callable[..., Machine], vqsan: Callable[..., Any]) -> None:
    sanitizer = vqsan()
    machine = machine_factory(gpu=False, rng=False, extra=sanitizer.arguments, shell=False)
    commands = ("diskread -n 4 -c 32 -b 32 > /dev/null", "diskread -n 50 > /dev/null", "mkfile 300000 new 1", "sync")
    judge(watch(machine, sanitizer, commands), "blk", RULES, kicks=10)
