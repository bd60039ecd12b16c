"""The sanitizer on our own kernel: it finds nothing to report, survives everything injected, and misses no fence."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Optional

import pytest
from test_display import drawn, picture_box, same

from grade.machine import BUILD, PROMPT, ROOT, ConsoleError, Machine
from grade.sanitizer import Report, Sanitizer, vqsan  # noqa: F401

# Until every bite is certain on every host these are not part of `make test`.
pytestmark = pytest.mark.long

Boot = Callable[..., Machine]
MakeSanitizer = Callable[..., Sanitizer]

QUEUES = ("blk", "gpu", "rng")
DISK_LOAD = "bench -q disk-4k disk-4k-32 fsync create-sync"
WHEEL = "roulette -s 5 -f 0 -n 361"


def make(directory: Path, *arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("BUILD", "MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", *arguments], cwd=directory, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def all_queues_used(report: Report) -> None:
    done = {queue["device"]: queue["completions"] for queue in report.queues}
    assert all(done.get(name, 0) > 0 for name in QUEUES), done


# ---- the kernel as it is ----


@pytest.mark.parametrize("options", ("", "inject=all,seed=1"))
@pytest.mark.parametrize("cpus", (1, 2, 4))
def test_load(machine_factory: Boot, vqsan: MakeSanitizer, host: Path, cpus: int, options: str) -> None:
    """Disk, display and random numbers under load: no violation; with everything injected no difference."""
    sanitizer = vqsan(options)
    # A small budget of polling, so that processes sleep as well.
    machine = machine_factory(cpus=cpus, extra=sanitizer.arguments, args="poll=200")
    machine.run(DISK_LOAD, quiet=60)
    machine.run(WHEEL, quiet=60)
    same(machine, drawn(host / "draw_wheel", "-s", 5, 360), "361 frames", picture_box(640, 480))
    machine.run("hexdump -n 64 /dev/random")
    report = sanitizer.finish(machine)
    assert not report.violations, report
    all_queues_used(report)
    if options:
        assert report.total("injected") > 1000, report.queues


@pytest.mark.long
@pytest.mark.parametrize("options", ("", "inject=all,seed=2", "inject=all,seed=3,every=3"))
@pytest.mark.parametrize("cpus", (1, 2, 4))
def test_usertests(machine_factory: Boot, vqsan: MakeSanitizer, cpus: int, options: str) -> None:
    sanitizer = vqsan(options)
    machine = machine_factory(cpus=cpus, extra=sanitizer.arguments)
    output = machine.run("usertests", quiet=120, total=1200)
    assert "ALL TESTS PASSED" in output, output
    report = sanitizer.finish(machine)
    assert not report.violations, report


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("clang"), reason="no clang")
def test_clang(machine_factory: Boot, vqsan: MakeSanitizer, tmp_path: Path) -> None:
    make(ROOT, "CC=clang", f"BUILD={tmp_path}", f"{tmp_path}/kernel.elf")
    sanitizer = vqsan("inject=all", kernel=tmp_path / "kernel.elf")
    machine = machine_factory(extra=sanitizer.arguments, kernel=tmp_path / "kernel.elf", args="poll=200")
    machine.run(DISK_LOAD, quiet=60)
    machine.run(WHEEL, quiet=60)
    machine.run("hexdump -n 64 /dev/random")
    report = sanitizer.finish(machine)
    assert not report.violations, report
    all_queues_used(report)


# ---- the kernel without one of its fences ----

SOURCES = {"kernel/virtio/virtqueue.c": ("wmb", "rmb", "mb", "doorbell_mb"), "kernel/virtio/mmio.c": ("interrupt_mb",)}
RULE = {"wmb": "R3", "rmb": "R1", "doorbell_mb": "R4", "interrupt_mb": "R8"}  # mb: R5 or R6
NOTHING = 'asm volatile("" ::: "memory")'  # the compiler's part of a fence


class Fence:
    """A fence in the source, and the accesses around it."""

    def __init__(self, file: str, line: int, kind: str, function: str) -> None:
        self.file, self.line, self.kind, self.function = file, line, kind, function
        self.rule = RULE.get(kind) or ("R5" if "enable" in function else "R6")

    def __str__(self) -> str:
        return f"{self.file.rsplit('/', 1)[1]}:{self.line} virtio_{self.kind}() in {self.function}"


def fences() -> list[Fence]:
    """Every fence that the reference solution has; what is written for students is skipped."""
    found = []
    for file, kinds in SOURCES.items():
        function, solved = "?", [True]
        for number, line in enumerate((ROOT / file).read_text().splitlines(), 1):
            if line.startswith("#if"):
                solved.append(solved[-1] and "!SOLVED" not in line)
            elif line.startswith("#else"):
                solved[-1] = False
            elif line.startswith("#endif"):
                solved.pop()
            heading = re.match(r"(?:__attribute__\(\(\w+\)\) )?[a-z].*?(\w+)\(", line)
            if heading:
                function = heading.group(1)
            fence = re.match(r"\s+virtio_(\w*mb)\(\);", line)
            if fence and fence.group(1) in kinds and solved[-1]:
                found.append(Fence(file, number, fence.group(1), function))
    return found


def kernel_without(fence: Fence, folder: Path) -> Path:
    """Builds the kernel with one fence taken out, in a copy that starts from the objects of the build."""
    shutil.copytree(ROOT / "kernel", folder / "kernel")
    for pattern in ("Makefile", "grade/*.sh", "grade/*.mk", "grade/vqsan/*.mk", "labs/*.mk"):
        for file in ROOT.glob(pattern):
            target = folder / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
    (folder / "build").mkdir()
    if (BUILD / "kernel").exists():
        shutil.copytree(BUILD / "kernel", folder / "build/kernel")
        shutil.copy2(BUILD / "flags", folder / "build/flags")
    path = folder / fence.file
    lines = path.read_text().splitlines(keepends=True)
    taken = lines[fence.line - 1].replace(f"virtio_{fence.kind}()", NOTHING)
    assert taken != lines[fence.line - 1]
    lines[fence.line - 1] = taken
    path.write_text("".join(lines))
    make(folder, "build/kernel.elf")
    return folder / "build/kernel.elf"


def run_load(boot: Boot, sanitizer: Sanitizer, kernel: Path) -> tuple[bool, Report]:
    """Does the load run without a mistake? And what was reported?"""
    machine: Optional[Machine] = None
    good = True
    try:
        machine = boot(
            extra=sanitizer.arguments, kernel=kernel, args="root=initrd poll=50", shell=False
        )
        machine.expect(PROMPT, quiet=4)
        for command in ("bench -q disk-4k disk-4k-32", "roulette -n 60 -f 0 -q"):
            # The driver itself gives up, or looks again, only after 30 s.
            status, output = machine.run_status(command, quiet=4, total=60)
            good = good and status == 0 and "broken" not in output
    except (ConsoleError, AssertionError):
        good = False
    assert machine is not None
    report = sanitizer.finish(machine)
    machine.close()
    return good, report


def at_the_fence(report: Report, fence: Fence) -> bool:
    """Only this fence's rule, and the two accesses on either side of the line."""
    return report.rules == {fence.rule} and all(
        violation.second.file.startswith("kernel/virtio/")
        and (violation.second.file != fence.file or violation.second.line > fence.line or fence.kind == "rmb")
        for violation in report.violations
    )


@pytest.mark.long
def test_each_fence(
    machine_factory: Boot, vqsan: MakeSanitizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Takes out one fence at a time: reported each of three times, and with injection the load fails each time."""
    table, wrong = [], []
    for number, fence in enumerate(fences()):
        folder = tmp_path / str(number)
        kernel = kernel_without(fence, folder)
        reported = bitten = 0
        for run in range(3):
            good, report = run_load(machine_factory, vqsan("", kernel=kernel), kernel)
            reported += at_the_fence(report, fence)
            if not at_the_fence(report, fence):
                wrong.append(f"{fence}, run {run}: {report}")
            if fence.rule != "R8":  # nothing is injected for it
                good, report = run_load(machine_factory, vqsan(f"inject=all,seed={run}", kernel=kernel), kernel)
                bitten += not good
                if good:
                    wrong.append(f"{fence}, run {run}: not bitten; {report.queues}")
        injected = "-" if fence.rule == "R8" else f"{bitten} of 3"
        table.append(f"{str(fence):58} {fence.rule}  {reported} of 3    {injected}")
        shutil.rmtree(folder)
    with capsys.disabled():
        print(f"\n\n{'without the fence':58} rule reported  bitten\n" + "\n".join(table))
    assert {fence.rule for fence in fences()} >= {"R1", "R3", "R4", "R5", "R6", "R8"}
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
@pytest.mark.parametrize("compiler", ("gcc", "clang"))
def test_hoisted_load(machine_factory: Boot, vqsan: MakeSanitizer, tmp_path: Path, compiler: str) -> None:
    """The ring of lab 4: the compiler takes the load of used->idx out of the loop, and the driver spins."""
    if compiler == "clang" and not shutil.which("clang"):
        pytest.skip("no clang")
    chosen = ["CC=clang"] if compiler == "clang" else []
    make(ROOT, "START=4-slow-wheel", f"BUILD={tmp_path}", *chosen, f"{tmp_path}/kernel.elf")
    sanitizer = vqsan("", kernel=tmp_path / "kernel.elf")
    # So long a budget that the device answers while the driver spins, however busy the host is.
    machine = machine_factory(extra=sanitizer.arguments, kernel=tmp_path / "kernel.elf", args="poll=10000000")
    machine.run_status("roulette -n 30 -f 0", quiet=120)
    report = sanitizer.finish(machine)
    assert report.rules == {"R7"}, str(report)
    assert {v.first.what for v in report.violations} == {"used->idx"}, str(report)
    assert "virtq_poll" in {v.second.function for v in report.violations if v.device == "gpu"}, str(report)


# ---- a hostile device ----

VICTIMS = {"blk": "bench -q disk-4k-32", "gpu": "roulette -n 300 -f 0 -q"}


@pytest.mark.parametrize("device", VICTIMS)
@pytest.mark.parametrize("mode", ("bad-id", "double", "long-len", "index-jump", "stuck"))
def test_hostile_device(machine_factory: Boot, vqsan: MakeSanitizer, mode: str, device: str) -> None:
    """The queue is broken, requests fail, nothing is lost, and all else goes on."""
    sanitizer = vqsan(f"device={mode},only={device},every=300")
    machine = machine_factory(extra=sanitizer.arguments, args="root=initrd blk_timeout=1")
    machine.run("ls")
    for _ in range(40):
        status, output = machine.run_status(VICTIMS[device], quiet=60)
        if status != 0:
            break
    assert status != 0 and re.search(rf"{device}0.*: queue broken", output), output
    used = re.search(r"(\d+) KiB used", machine.run("free"))
    for _ in range(20):
        status, output = machine.run_status(VICTIMS[device], quiet=60)
        assert status != 0 and "panic" not in output, output
    later = re.search(r"(\d+) KiB used", machine.run("free"))
    assert used and later and int(later.group(1)) <= int(used.group(1)) + 64, (used, later)
    assert "README" in machine.run("ls; cat README > copy; rm copy; hexdump -n 16 /dev/random")
    report = sanitizer.finish(machine)
    assert report.total("corrupted") > 0 and not report.violations, report


@pytest.mark.parametrize("device", VICTIMS)
def test_early_interrupt(machine_factory: Boot, vqsan: MakeSanitizer, device: str) -> None:
    """An interrupt before its answer is no violation: the driver goes back to sleep and the answer still counts."""
    sanitizer = vqsan(f"device=early-irq,only={device},every=5")
    machine = machine_factory(extra=sanitizer.arguments, args="root=initrd poll=0 blk_timeout=2")
    for _ in range(20):
        # Each early one costs the driver a second or two, until it looks by itself.
        machine.run_status({"blk": VICTIMS["blk"], "gpu": "roulette -n 12 -f 0 -q"}[device], quiet=60)
        if sanitizer.report().total("corrupted") > 0:
            break
    assert "README" in machine.run("ls")
    assert "panic" not in machine.text
    assert sanitizer.finish(machine).total("corrupted") > 0


# ---- what it costs ----


def processor_seconds(machine: Machine) -> float:
    assert machine.process is not None
    fields = Path(f"/proc/{machine.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.long
def test_cost(machine_factory: Boot, vqsan: MakeSanitizer, capsys: pytest.CaptureFixture[str]) -> None:
    """Processor time of the same work, with and without: at most twice as much."""
    work = "mkfile 8M f 1; cp f g; rm g; cp f g; rm g; ls; ls; ls; ls; ls; ls; ls; ls; usertests -q"
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(3):
        for how in seconds:
            machine = machine_factory(cpus=1, extra=vqsan().arguments if how == "with" else ())
            machine.run("ls")
            before = processor_seconds(machine)
            machine.run_status(work, quiet=120)
            seconds[how].append(processor_seconds(machine) - before)
            machine.close()
    ratio = min(seconds["with"]) / min(seconds["without"])
    with capsys.disabled():
        print(f"\nvqsan: the same work takes {ratio:.2f} times the processor time\n{json.dumps(seconds)}")
    assert ratio <= 2.0, seconds
