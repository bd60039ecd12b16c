"""How the driver waits for the display, as vqsan sees it from outside."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from grade.machine import patience
from grade.machine.console import ConsoleError
from grade.machine.machine import Machine
from grade.machine.screen import compare
from grade.marking.promise import Broken
from grade.plugins.vqsan.sanitizer import Report, Sanitizer, Violation

MakeSanitizer = Callable[..., Sanitizer]
PLENTY = 1_000_000  # looks: longer than any answer takes
RING = "kernel/virtio/virtqueue.c"

# Machines are shared by the tests of one process.
pytestmark = pytest.mark.xdist_group("4-slow-wheel")


def boot(sanitizer: Sanitizer, args: str) -> Machine:
    """A machine without a disk. A device that is silent for ten minutes is not given up."""
    return Machine(sanitizer.job, disk=None, extra=sanitizer.arguments, args=f"root=initrd blk_timeout=600 {args}")


def said(machine: Machine) -> str:
    return machine.said(r"gpu0.*|rng0.*|present: .*")


def ask(machine: Machine, command: str, quiet: float = 30) -> None:
    try:
        status, output = machine.run_status(command, quiet=quiet)
    except ConsoleError:
        raise Broken(seen=f"{command!r} does not end{said(machine)}") from None
    if status != 0:
        raise Broken(seen=f"{command!r} fails: {output.strip()[-300:]}{said(machine)}")


def accesses(violation: Violation) -> str:
    """The two accesses, each with its place."""
    one, two = violation.first, violation.second
    return (
        f"{violation.count} times: {one.what} in {one.function} ({one.file}:{one.line}), "
        f"then {two.what or 'sleep'} in {two.function} ({two.file}:{two.line}), with no {violation.missing} between"
    )


# ---- a driver that polls for long, and a device that is never in time for the first look ----


@functools.lru_cache(maxsize=1)
def watched(make: MakeSanitizer) -> Report:
    sanitizer = make("device=slow,every=1")
    with boot(sanitizer, f"poll={PLENTY}") as machine:
        ask(machine, "fbtest -n 200 rects")
        ask(machine, "hexdump -n 64 /dev/random")
        return sanitizer.finish(machine)


def overlooked(report: Report) -> int:
    """How often the device had answered and the driver went on waiting all the same. A sleep is another matter."""
    return sum(v.count for v in report.violations if v.rule == "R7" and not v.asleep)


def needs_notice(report: Report) -> None:
    if overlooked(report) or report.loads_per_turn("gpu") < 0.95 or report.loads_per_turn("rng") < 0.95:
        raise Broken(
            seen="the driver does not yet notice an answer while it waits for it (see above): this is judged after that",
            look="first things first",
        )


@pytest.mark.promise("notice")
def test_notice(vqsan: MakeSanitizer) -> None:
    report = watched(vqsan)
    kicks = sum(queue["kicks"] for queue in report.queues)
    if report.total("completions") == 0 or kicks == 0:
        raise Broken(seen="nothing was asked of the devices: there is nothing to judge")
    try:
        needs_notice(report)
    except Broken:
        raise Broken(
            seen=f"the devices were kicked {kicks} times; {max(overlooked(report), 1)} times the answer lay in the ring and the "
            "driver, which was waiting for it, went on waiting"
        ) from None


@pytest.mark.promise("element")
def test_element(vqsan: MakeSanitizer, host: Path, seed: int, exhibit: Callable[..., None]) -> None:
    report = watched(vqsan)
    needs_notice(report)
    broken = [v for v in report.violations if v.rule in ("R1", "R2")]
    if broken:
        raise Broken(
            promised="an element of the used ring is read after the index that covers it, by the processor too",
            seen="\n".join(map(accesses, broken[:3])),
        )
    # The same under a processor that is as free as it may be.
    sanitizer = vqsan(f"inject=rmb,seed={seed % 1000}")
    arguments = f"-r {400 + seed % 300}x{300 + seed % 200} -n {300 + seed % 100} rects"
    with boot(sanitizer, f"poll={PLENTY}") as machine:
        ask(machine, f"fbtest {arguments}")
        seen = machine.screendump()
        report = sanitizer.finish(machine)
    wanted = drawn(host, arguments)
    difference = compare(seen, wanted)
    if difference:
        exhibit(f"fbtest {arguments}", seen, wanted)
        raise Broken(seen=f"where loads may be done early, after 'fbtest {arguments}': {difference}")
    deepest = max(queue["deepest"] for queue in report.queues)
    assert deepest >= 4, f"only {deepest} commands were in flight together"


def drawn(host: Path, arguments: str) -> Any:
    import io
    import subprocess

    from PIL import Image

    done = subprocess.run([host / "draw_fbtest", *arguments.split()], stdout=subprocess.PIPE, check=True)
    return Image.open(io.BytesIO(done.stdout)).convert("RGB")


# ---- a driver that polls briefly, so that it sleeps ----


@pytest.mark.promise("sleep")
def test_sleep(vqsan: MakeSanitizer, seed: int) -> None:
    needs_notice(watched(vqsan))
    sanitizer = vqsan(f"inject=mb,seed={seed % 1000}")
    with boot(sanitizer, "poll=20") as machine:
        # The rest is only asked for if the beginning went well, for to sleep too long takes long. Whether a device takes
        # longer than a few looks is for the host to say, so it gets more than one chance.
        try:
            for _ in range(10):
                ask(machine, "fbtest -r 1920x1080 -n 50 rects")
                time.sleep(0.2)  # twice as long as a report takes to be renewed
                if slept(sanitizer.report()):
                    break
            check_sleep(sanitizer.report())
            ask(machine, "fbtest -n 5200 rects")
        except Broken:
            check_sleep(sanitizer.finish(machine))  # it may know better why
            raise
        report = sanitizer.finish(machine)
    check_sleep(report)
    done = sum(queue["completions"] for queue in report.queues if queue["device"] == "gpu")
    if done < 10_000:
        raise Broken(seen=f"5,200 rectangles are more than 10,000 commands; {done} were completed")


def slept(report: Report) -> int:
    return sum(queue["sleeps"] for queue in report.queues if queue["device"] == "gpu")


def check_sleep(report: Report) -> None:
    broken = [v for v in report.of("gpu") if v.rule == "R5"]
    if broken:
        raise Broken(
            promised="whoever asks for interrupts looks at the ring once more, after the device can have seen it, and then sleeps",
            seen="\n".join(map(accesses, broken[:3])),
        )
    gpu = next((queue for queue in report.queues if queue["device"] == "gpu"), None)
    if gpu is None or not gpu["sleeps"]:
        raise Broken(seen="with the boot argument poll=20 the driver has waited, but it has not slept")
    if gpu["sleeps_unnotified"]:
        raise Broken(
            seen=f"{gpu['sleeps_unnotified']} of {gpu['sleeps']} times the driver fell asleep with the device told not to "
            "interrupt: the answer does not wake it, only the clock"
        )
    if gpu["lost_wakeups"]:
        raise Broken(seen=f"{gpu['lost_wakeups']} times the driver slept on while the answer lay in the ring")


# ---- what it costs ----


@pytest.mark.promise("economy")
def test_economy(vqsan: MakeSanitizer) -> None:
    needs_notice(watched(vqsan))
    sanitizer = vqsan()
    with boot(sanitizer, "poll=4") as machine:
        try:
            ask(machine, "fbtest -r 1920x1080 -n 100 rects")
        except Broken:
            if not sanitizer.finish(machine).total("lost_wakeups"):  # else that is for the test above to judge
                raise
        report = sanitizer.finish(machine)
    fences = report.fences_per_completion()
    if fences > 8:
        most = max((fence for fence in report.fences if fence["file"].startswith("kernel/virtio/")), key=lambda f: f["count"])
        raise Broken(
            seen=f"{fences:.0f} fences for each command that was completed; most often {most['kind']} in {most['function']} "
            f"({most['file']}:{most['line']})"
        )
    # A device that has stopped answering: does the driver come to rest?
    sanitizer = vqsan("device=stuck,only=gpu,every=1")
    with boot(sanitizer, "") as machine:
        machine.send("fbtest -n 100 rects\n")
        wait_for_rest(sanitizer)


def wait_for_rest(sanitizer: Sanitizer) -> None:
    """Until the driver has stopped looking at the display's ring; Broken if it looks on and on."""
    before, quiet, deadline = -1, 0, time.monotonic() + 60 * patience.scale()
    while quiet < 5:
        time.sleep(0.2)  # twice as long as a report takes to be renewed
        gpu = next((queue for queue in sanitizer.report().queues if queue["device"] == "gpu"), None)
        if gpu is not None and gpu["corrupted"]:
            quiet = quiet + 1 if gpu["polls"] == before else 0
            before = gpu["polls"]
            if before > 5 * PLENTY:
                raise Broken(seen=f"the device took long, and the driver had looked {before:,} times and did not sleep")
        if time.monotonic() > deadline:
            raise Broken(seen="the device took long, and the driver did not sleep")
