"""The order of what the driver stores, watched by vqsan. It does not show on a PC, which keeps stores in order."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from grade.machine import Machine
from grade.promise import Broken

Boot = Callable[..., Machine]
Award = Callable[[float, str], None]

# Rule by rule: what is promised, and where.
RULES = {
    "R3": ("descriptors and ring entries are stored before the index that covers them", "virtq_publish()", "2.7.13.3"),
    "R4": ("what is in memory is stored before the doorbell is rung", "virtq_kick()", "2.7.13.4"),
    "R6": ("the index is stored before the device's flag is looked at", "virtq_kick()", "2.7.13.4"),
}


@pytest.mark.promise("write-side")
def test_write_side(machine_factory: Boot, vqsan: Callable[..., Any], award: Award) -> None:
    sanitizer = vqsan()
    machine = machine_factory(disk=None, gpu=False, extra=sanitizer.arguments)
    try:
        machine.run_status("hexdump -n 48 /dev/random", quiet=20, total=40)
    except AssertionError:  # it hangs; what it did until then can be judged
        pass
    report = sanitizer.finish(machine)
    if report.total("publishes") == 0 or report.total("kicks") == 0:
        raise Broken(seen="no chain was published, or the doorbell was not rung: there is nothing to judge")
    broken = [violation for violation in report.violations if violation.rule in RULES]
    if not broken:
        return
    rules = sorted({violation.rule for violation in broken})
    award((3 - len(rules)) / 6, f"{3 - len(rules)} of 3 promises are kept")
    first = next(violation for violation in broken if violation.rule == rules[0])
    promised, look, spec = RULES[first.rule]
    raise Broken(
        promised=promised,
        seen="\n".join(
            f"{v.first.what} in {v.first.function} ({v.first.file}:{v.first.line}), then {v.second.what or 'the doorbell'} "
            f"in {v.second.function} ({v.second.file}:{v.second.line}), with no {v.missing} between"
            for v in broken[:3]
        ),
        look=f"{look} in kernel/virtio/virtqueue.c",
        spec=f"VirtIO 1.2, {spec}",
    )
