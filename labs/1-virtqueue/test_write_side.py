"""The order of what the driver stores, watched by vqsan. It does not show on a PC, which keeps stores in order."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from grade.machine import Machine
from grade.write_side import judge


@pytest.mark.promise("write-side")
def test_write_side(
    machine_factory: Callable[..., Machine], vqsan: Callable[..., Any], award: Callable[[float, str], None]
) -> None:
    sanitizer = vqsan()
    machine = machine_factory(disk=None, gpu=False, extra=sanitizer.arguments, shell=False)
    judge(machine, sanitizer, "rng", ["hexdump -n 48 /dev/random"], kicks=1, award=award)
