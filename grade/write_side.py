"""Is what the device reads stored before the device is told? vqsan's rules R3, R4 and R6, for tests of labs.

The rules about what the driver reads are not looked at here.
"""

from __future__ import annotations

from typing import Callable, Iterable, Optional

from grade.machine import PROMPT, Machine
from grade.promise import Broken
from grade.sanitizer import Sanitizer

# Rule by rule: what is promised, and where.
RULES = {
    "R3": ("descriptors and ring entries are stored before the index that covers them", "2.7.13.3"),
    "R4": ("what is in memory is stored before the doorbell is rung", "2.7.13.4"),
    "R6": ("the index is stored before the device's flag is looked at", "2.7.13.4"),
}


def judge(
    machine: Machine,
    sanitizer: Sanitizer,
    device: str,
    commands: Iterable[str],
    kicks: int = 10,  # fewer are no load
    award: Optional[Callable[[float, str], None]] = None,  # each rule that was kept is worth a sixth
) -> None:
    """Runs the commands on a machine that is about to boot; raises Broken if a rule was broken on queues of `device`."""
    try:
        machine.expect(PROMPT, quiet=40)
        for command in commands:
            machine.run_status(command, quiet=40, total=120)
    except AssertionError:  # it hangs; what it did until then can be judged
        pass
    report = sanitizer.finish(machine)
    queues = [queue for queue in report.queues if queue["device"] == device]
    if sum(queue["kicks"] for queue in queues) < kicks:
        raise Broken(seen="the doorbell was hardly ever rung: there is nothing to judge")
    broken = [v for v in report.violations if v.rule in RULES and v.device == device]
    if not broken:
        return
    rules = sorted({v.rule for v in broken})
    if award:
        kept = len(RULES) - len(rules)
        award(kept / 2 / len(RULES), f"{kept} of {len(RULES)} promises are kept")
    promised, spec = RULES[rules[0]]
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
