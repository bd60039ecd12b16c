"""Is what the device reads stored before the device is told? vqsan's rules R3, R4 and R6, for tests of labs.

The rules about what the driver reads are not looked at here.
"""

from __future__ import annotations

from typing import Collection, Iterable

from grade.machine.machine import PROMPT, Machine
from grade.marking.promise import Broken
from grade.plugins.vqsan.sanitizer import Report, Sanitizer

# Rule by rule: what is promised, and where.
RULES = {
    "R3": ("descriptors and ring entries are stored before the index that covers them", "2.7.13.3"),
    "R4": ("what is in memory is stored before the doorbell is rung", "2.7.13.4"),
    "R6": ("the index is stored before the device's flag is looked at", "2.7.13.4"),
}


def watch(machine: Machine, sanitizer: Sanitizer, commands: Iterable[str]) -> Report:
    """Runs the commands on a machine that is about to boot. If it hangs, what it did until then can be judged."""
    try:
        machine.expect(PROMPT, quiet=40)
        for command in commands:
            machine.run_status(command, quiet=40, total=120)
    except AssertionError:
        pass
    return sanitizer.finish(machine)


def judge(report: Report, device: str, rules: Collection[str], kicks: int) -> None:
    """Raises Broken if one of the rules was broken on the queues of `device`, or if it was kicked less often."""
    queues = [queue for queue in report.queues if queue["device"] == device]
    if sum(queue["kicks"] for queue in queues) < kicks:
        raise Broken(seen="the doorbell was hardly ever rung: there is nothing to judge")
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
