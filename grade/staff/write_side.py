"""Checks that the driver stores everything that the device reads before it tells the device.

Tests of labs use this. It applies vqsan's rules R3, R4 and R6; it does not check rules about what the driver reads.
"""

from __future__ import annotations

from typing import Collection, Iterable

from grade.machine.machine import PROMPT, Machine
from grade.marking.promise import Broken
from grade.plugins.vqsan.sanitizer import Report, Sanitizer

# For each rule: the promise, and its section in VirtIO 1.2.
RULES = {
    "R3": ("descriptors and ring entries are stored before the index that covers them", "2.7.13.3"),
    "R4": ("everything in memory is stored before the driver rings the doorbell", "2.7.13.4"),
    "R6": ("the index is stored before the driver reads the device's flag", "2.7.13.4"),
}


def watch(machine: Machine, sanitizer: Sanitizer, commands: Iterable[str]) -> Report:
    """Boots the machine and runs the commands. If the machine hangs, the report covers what it did until then."""
    try:
        machine.expect(PROMPT, quiet=40)
        for command in commands:
            machine.run_status(command, quiet=40, total=120)
    except AssertionError:
        pass
    return sanitizer.finish(machine)


def judge(report: Report, device: str, rules: Collection[str], kicks: int) -> None:
    """Raises Broken if the driver broke one of the rules on a queue of `device`, or kicked the device fewer than `kicks`
    times."""
    queues = [queue for queue in report.queues if queue["device"] == device]
    if sum(queue["kicks"] for queue in queues) < kicks:
        raise Broken(seen="the driver hardly ever rang the doorbell, so there is nothing to judge")
    broken = [v for v in report.violations if v.rule in rules and v.device == device]
    if not broken:
        return
    promised, spec = RULES[min(v.rule for v in broken)]
    raise Broken(
        promised=promised,
        seen="\n".join(
            f"{v.first.what} in {v.first.function} ({v.first.file}:{v.first.line}), then {v.second.what or 'the doorbell'} "
            f"in {v.second.function} ({v.second.file}:{v.second.line}), with no {v.missing} between, {v.count} times"
            for v in broken[:3]
        ),
        look=f"{broken[0].second.function}() in {broken[0].second.file}",
        spec=f"VirtIO 1.2, {spec}",
    )
