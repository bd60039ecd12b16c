"""The order of what the driver stores, watched by vqsan on one boot: what the device reads, the index, the doorbell."""

from __future__ import annotations

import functools
from typing import Any, Callable

import pytest

from grade.machine.machine import Machine
from grade.plugins.vqsan.sanitizer import Report
from grade.staff.write_side import judge, watch

MakeSanitizer = Callable[..., Any]


@functools.lru_cache(maxsize=1)
def watched(make: MakeSanitizer) -> Report:
    sanitizer = make()
    with Machine(sanitizer.job, disk=None, gpu=False, extra=sanitizer.arguments, shell=False) as machine:
        return watch(machine, sanitizer, ["hexdump -n 48 /dev/random"])


@pytest.mark.promise("publish-order")
def test_publish(vqsan: MakeSanitizer) -> None:
    judge(watched(vqsan), "rng", ["R3"], kicks=1)


@pytest.mark.promise("kick-order")
def test_kick(vqsan: MakeSanitizer) -> None:
    judge(watched(vqsan), "rng", ["R6"], kicks=1)


@pytest.mark.promise("doorbell-order")
def test_doorbell(vqsan: MakeSanitizer) -> None:
    judge(watched(vqsan), "rng", ["R4"], kicks=1)
