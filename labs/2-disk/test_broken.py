"""A disk that breaks the ring's protocol: its requests end with errors, those that come later too."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from grade.machine.console import ConsoleError
from grade.machine.machine import PROMPT, Machine
from grade.marking.promise import Broken

READS = "diskread -n 300 -c 8 > /dev/null"  # never more at a time than the queue has room for


@pytest.mark.promise("broken")
def test_broken_queue(machine_factory: Callable[..., Machine], vqsan: Callable[..., Any]) -> None:
    sanitizer = vqsan("device=bad-id,only=blk,every=100")
    machine = machine_factory(gpu=False, rng=False, extra=sanitizer.arguments, args="root=initrd", shell=False)
    machine.expect(PROMPT, quiet=40)
    what = "its first read after that"
    try:
        first, _ = machine.run_status(READS, quiet=20, total=60)
        what = "a read that was made later"
        later, _ = machine.run_status("diskread", quiet=20)
        what = "everything else on the machine"
        machine.run_status("ls", quiet=20)
    except ConsoleError:
        first, later = 0, -1
    report = sanitizer.finish(machine)
    if report.total("corrupted") == 0:
        raise Broken(
            seen=f"{report.total('completions')} requests were completed; that was over before the device began to lie",
            look="the tests above: reads must work first",
        )
    if first and later > 0:
        return
    if later < 0:
        raise Broken(seen=f"the device named a chain that it was never given; {what} hangs")
    raise Broken(seen="the device named a chain that it was never given; a program whose read was never answered went on as if it had been")
