"""vqsan on our own kernel: it reports nothing, the kernel survives every injection, and vqsan notices each missing
fence."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

import pytest
from grade.tests.test_display import drawn, picture_box, same

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job, clean_environment
from grade.machine.machine import PROMPT, ConsoleError, Machine, copy_sparse
from grade.plugins.vqsan.sanitizer import Report, Sanitizer, vqsan  # noqa: F401

pytestmark = pytest.mark.needs("linux")  # vqsan is for Linux
long = pytest.mark.long
Boot = Callable[..., Machine]
MakeSanitizer = Callable[..., Sanitizer]

QUEUES = ("blk", "gpu", "rng")
DISK_LOAD = "bench -q disk-4k disk-4k-32 fsync create-sync"


def make(directory: Path, *arguments: str) -> None:
    done = subprocess.run(["make", *arguments], cwd=directory, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def all_queues_used(report: Report) -> None:
    done = {queue["device"]: queue["completions"] for queue in report.queues}
    assert all(done.get(name, 0) > 0 for name in QUEUES), done


# ---- kernels ----


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lets only one test at a time build in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_kernel(name: str, *variables: str) -> Path:
    """Builds a kernel with these make variables, in its own folder, which stays. Nothing is built twice."""
    job = Job.from_environment()
    folder = job.build / "kernels" / name
    with alone(folder):
        make(ROOT, f"BUILD={folder}", *variables, f"{folder}/kernel.elf")
    return folder / "kernel.elf"


def kernel_of(compiler: str, start: str = "") -> Path:
    """The kernel compiled by "gcc" (the build's own, unless `start` is the start of a lab) or by "clang"."""
    job = Job.from_environment()
    variables = [*(["CC=clang"] if compiler == "clang" else []), *([f"START={start}"] if start else [])]
    return build_kernel("-".join(filter(None, (compiler, start))), *variables) if variables else job.build / "kernel.elf"


CLANG = pytest.param("clang", marks=pytest.mark.needs("clang"))
COMPILERS = ("gcc", CLANG)

# ---- the kernel as it is ----


@pytest.mark.parametrize(
    "compiler,cpus,options",
    [
        pytest.param(compiler, cpus, options, marks=() if (compiler, cpus, options) == ("gcc", 2, "inject=all") else [long, *marks])
        for compiler, marks in (("gcc", ()), ("clang", CLANG.marks))
        for cpus in (1, 2, 4)
        for options in ("", "inject=all")
    ],
)
def test_load(
    machine_factory: Boot, vqsan: MakeSanitizer, host: Path, compiler: str, cpus: int, options: str
) -> None:
    """Disk, display and random numbers under load: no violation, and injection makes no difference."""
    kernel = kernel_of(compiler)
    sanitizer = vqsan(options, kernel=kernel)
    # Poll only briefly, so that processes also sleep.
    machine = machine_factory(cpus=cpus, extra=sanitizer.arguments, kernel=kernel, args="poll=200")
    machine.run(DISK_LOAD, quiet=60)
    for frames in (1, 2, 120, 361):
        machine.run(f"roulette -s 5 -f 0 -n {frames}", quiet=60)
        picture = drawn(host / "draw_wheel", "-s", 5, frames - 1)
        same(machine, picture, f"{frames} frames", picture_box(640, 480))
    machine.run("hexdump -n 64 /dev/random")
    report = sanitizer.finish(machine)
    assert not report.violations, report
    assert report.total("lost_wakeups") == 0 and report.loads_per_turn("blk") > 0.99, report.queues
    all_queues_used(report)
    if options:
        assert report.total("injected") > 1000, report.queues


@long
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_frame(machine_factory: Boot, vqsan: MakeSanitizer, host: Path, compiler: str) -> None:
    """Each picture of twelve seconds is right with everything injected. Each is drawn after the two before it."""
    kernel = kernel_of(compiler)
    sanitizer = vqsan("inject=all", kernel=kernel)
    machine = machine_factory(cpus=2, extra=sanitizer.arguments, kernel=kernel, disk=None, args="poll=200 root=initrd")
    size = (160, 120)
    for frame in range(2, 361):
        machine.run(f"roulette -r 160x120 -s 5 -f 0 -o {frame - 2} -n 3", quiet=60)
        same(machine, drawn(host / "draw_wheel", "-r", "160x120", "-s", 5, frame), f"frame {frame}", picture_box(*size))
    assert sanitizer.finish(machine).total("injected") > 1000


@long
@pytest.mark.parametrize("options", ("", "inject=all"))
@pytest.mark.parametrize("cpus", (1, 2, 4))
@pytest.mark.parametrize("compiler", COMPILERS)
def test_usertests(machine_factory: Boot, vqsan: MakeSanitizer, compiler: str, cpus: int, options: str) -> None:
    kernel = kernel_of(compiler)
    sanitizer = vqsan(options, kernel=kernel)
    machine = machine_factory(cpus=cpus, extra=sanitizer.arguments, kernel=kernel)
    output = machine.run("usertests", quiet=120, total=1200)
    assert "ALL TESTS PASSED" in output, output
    report = sanitizer.finish(machine)
    assert not report.violations, report
    assert report.total("lost_wakeups") == 0, report.queues


# ---- the kernel without one of its fences ----

SOURCES = {"kernel/virtio/virtqueue.c": ("wmb", "rmb", "mb", "doorbell_mb"), "kernel/virtio/mmio.c": ("interrupt_mb",)}
RULE = {"wmb": "R3", "rmb": "R1", "doorbell_mb": "R4", "interrupt_mb": "R8"}  # mb: R5 or R6
NOTHING = 'asm volatile("" ::: "memory")'  # keeps the compiler's half of the fence


class Fence:
    """A fence in the source code, and the rule that is violated without it."""

    def __init__(self, file: str, line: int, kind: str, function: str) -> None:
        self.file, self.line, self.kind, self.function = file, line, kind, function
        self.rule = RULE.get(kind) or ("R5" if "enable" in function else "R6")

    def __str__(self) -> str:
        return f"{self.file.rsplit('/', 1)[1]}:{self.line} virtio_{self.kind}() in {self.function}"


def fences() -> list[Fence]:
    """Every fence of the reference solution. Skips the code written for students."""
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
    """Builds the kernel without one fence, in a copy that reuses the build's object files."""
    job = Job.from_environment()
    shutil.copytree(ROOT / "kernel", folder / "kernel")
    for pattern in ("Makefile", "grade/setup/*.sh", "labs/*.mk"):
        for file in ROOT.glob(pattern):
            target = folder / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
    (folder / "build").mkdir()
    if (job.build / "kernel").exists():
        shutil.copytree(job.build / "kernel", folder / "build/kernel")
        shutil.copy2(job.build / "flags", folder / "build/flags")
    path = folder / fence.file
    lines = path.read_text().splitlines(keepends=True)
    taken = lines[fence.line - 1].replace(f"virtio_{fence.kind}()", NOTHING)
    assert taken != lines[fence.line - 1]
    lines[fence.line - 1] = taken
    path.write_text("".join(lines))
    make(folder, "build/kernel.elf")
    return folder / "build/kernel.elf"


LOAD = "bench -q disk-4k disk-4k-32; roulette -n 60 -f 0 -q"
WATCH = "blk_timeout=2"  # seconds until the kernel gives up on a silent device


def bitten_in(machine: Machine, sanitizer: Sanitizer) -> str:
    """Runs a load and returns what went wrong, as seen from outside; "" for nothing. Either a request fails, or a wake-up
    is lost: an answer is in the ring while the hart sleeps, wakes and sleeps again."""
    try:
        machine.expect(PROMPT, quiet=20)
        # If requests fail, a program ends with an error, and so does the command line.
        machine.send(f"{LOAD.replace(';', ' &&')} && echo '<'good'>' || echo '<'bad'>'\n")
        for _ in range(600):
            if sanitizer.report().total("lost_wakeups") > 0:
                return "wake-up lost"
            try:
                return "" if machine.expect(r"<(good|bad)>", quiet=0.2).group(1) == "good" else "requests fail"
            except ConsoleError:
                assert machine.process is not None and machine.process.poll() is None, "QEMU has exited"
    except ConsoleError:
        pass
    return "it hangs"


def run_load(boot: Boot, sanitizer: Sanitizer, kernel: Path) -> tuple[str, Report]:
    """How the load was harmed ("" if it was not), and vqsan's report."""
    machine = boot(cpus=1, extra=sanitizer.arguments, kernel=kernel, args=f"root=initrd poll=50 {WATCH}", shell=False)
    how = bitten_in(machine, sanitizer)
    report = sanitizer.finish(machine)
    machine.close()
    return how, report


def at_the_fence(report: Report, fence: Fence) -> bool:
    """Whether the report names only this fence's rule, and accesses on both sides of its line."""
    return report.rules == {fence.rule} and all(
        violation.second.file.startswith("kernel/virtio/")
        and (violation.second.file != fence.file or violation.second.line > fence.line or fence.kind == "rmb")
        for violation in report.violations
    )


@long
def test_each_fence(job: Job,
    machine_factory: Boot, vqsan: MakeSanitizer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Takes out one fence at a time, three times each: vqsan reports it each time, and with injection the load fails each
    time. With all fences in place, vqsan reports nothing and the load never fails."""
    table, wrong = [], []
    for number, fence in enumerate([None, *fences()]):
        kernel = kernel_without(fence, tmp_path / str(number)) if fence else job.build / "kernel.elf"
        reported, bites = 0, []
        for run in range(3):
            how, report = run_load(machine_factory, vqsan("", kernel=kernel), kernel)
            right = at_the_fence(report, fence) if fence else not report.violations
            reported += bool(report.violations) and right
            if not right or how and not fence:
                wrong.append(f"without {fence}, run {run}: {how}\n{report}")
            if fence and fence.rule == "R8":  # there is no injection for R8
                continue
            how, report = run_load(machine_factory, vqsan(f"inject=all,seed={run}", kernel=kernel), kernel)
            bites += [how] if how else []
            if bool(how) != bool(fence):
                wrong.append(f"without {fence}, injected, run {run}: {how or 'not bitten'}\n{report.queues}")
        bitten = "-" if fence and fence.rule == "R8" else f"{len(bites)} of 3  {', '.join(sorted(set(bites)))}"
        name, rule = (str(fence), fence.rule) if fence else ("(none: as it is)", "")
        table.append(f"{name:58} {rule:4} {reported} of 3    {bitten}")
        shutil.rmtree(tmp_path / str(number), ignore_errors=True)
    record_property("table", f"{'without the fence':58} rule reported  bitten\n" + "\n".join(table))
    assert {fence.rule for fence in fences()} >= {"R1", "R3", "R4", "R5", "R6", "R8"}
    assert not wrong, "\n".join(wrong)


@long
@pytest.mark.parametrize("compiler", COMPILERS)
def test_hoisted_load(machine_factory: Boot, vqsan: MakeSanitizer, compiler: str) -> None:
    """Lab 4's ring: the compiler moves the load of used->idx out of the loop, and the driver spins. The device is too late
    for the first look, so the driver really has to wait each time."""
    kernel = kernel_of(compiler, "4-slow-wheel")
    for options in ("device=slow,only=gpu", "device=slow,only=gpu,inject=all"):
        sanitizer = vqsan(options, kernel=kernel)
        machine = machine_factory(extra=sanitizer.arguments, kernel=kernel)
        machine.run("roulette -n 10 -f 0", quiet=60)
        report = sanitizer.finish(machine)
        assert report.rules == {"R7"}, str(report)
        assert all((v.first.what, v.second.what) == ("used->idx", "") for v in report.violations), str(report)
        spinning = [v for v in report.of("gpu") if "poll" in v.first.function and "poll" in v.second.function]
        assert sum(v.count for v in spinning) >= 10, str(report)
        assert report.loads_per_turn("gpu") < 0.01, report.queues


@long
def test_loop_as_it_should_be(machine_factory: Boot, vqsan: MakeSanitizer) -> None:
    """The reference solution looks in every turn, however late the device is. It polls for so long that it does not sleep
    even on a busy host: a sleeping driver does not look."""
    sanitizer = vqsan("device=slow")
    machine = machine_factory(extra=sanitizer.arguments, args="poll=1000000")
    machine.run("roulette -n 30 -f 0", quiet=60)
    report = sanitizer.finish(machine)
    assert not report.violations, report
    assert report.total("corrupted") > 20 and report.loads_per_turn("gpu") > 0.99, report.queues


@long
def test_at_the_terminal(job: Job, tmp_path: Path) -> None:
    """make qemu VQSAN=... prints the reports on the terminal, between the guest's lines and after them."""
    copy_sparse(job.build / "disk.img", tmp_path / "disk.img")
    for options in ("1", "inject=rmb,wmb,mb,iob,seed=3"):
        done = subprocess.run(
            ["make", "qemu", f"VQSAN={options}", f"DISK={tmp_path}/disk.img", *job.same_build],
            cwd=ROOT, env=clean_environment(), input="bench -q disk-4k-32\n", capture_output=True, text=True, timeout=600 * patience.scale(),
        )
        text = done.stdout + done.stderr
        assert done.returncode == 0 and "vqsan: no violations" in text, text
        assert ("injections" in text) == ("inject" in options), text
        assert re.search(r"^vqsan: blk queue 0: \d+ completions;", text, re.MULTILINE), text
        assert re.search(r"^vqsan: fence r,r +\d+ times in all the kernel, 1.0 for each completion$", text, re.MULTILINE), text


# ---- a hostile device ----

MODES = ("bad-id", "double", "long-len", "index-jump", "stuck")
ASK = 10_000


def ask(machine: Machine, device: str) -> tuple[int, int]:
    """Sends the device 10,000 requests. Returns how many succeeded, and how many failed with EIO or ETIMEDOUT."""
    done = re.search(r"(\d+) good, (\d+) failed, 0 strange", machine.run(f"ask {device} {ASK}", quiet=60))
    assert done, machine.text
    return int(done.group(1)), int(done.group(2))


def used_memory(machine: Machine) -> int:
    used = re.search(r"(\d+) KiB used", machine.run("free"))
    assert used
    return int(used.group(1))


@pytest.fixture
def asking(job: Job, machine_factory: Boot) -> Callable[..., Machine]:
    """Boots from an initrd that contains the program `ask`."""

    def boot(sanitizer: Sanitizer, args: str) -> Machine:
        arguments = [*sanitizer.arguments, "-initrd", str(job.build / "vqsan/initrd.img")]
        return machine_factory(initrd=False, extra=arguments, args=f"root=initrd {args}")

    return boot


@pytest.mark.parametrize(
    "mode,device",
    [
        pytest.param(mode, device, marks=() if (mode, device) == ("bad-id", "blk") else long)
        for mode in MODES
        for device in QUEUES
    ],
)
def test_hostile_device(asking: Callable[..., Machine], vqsan: MakeSanitizer, mode: str, device: str) -> None:
    """Of 10,000 requests, all fail with EIO after some point. No memory is lost, and everything else still works."""
    sanitizer = vqsan(f"device={mode},only={device},every=50")
    machine = asking(sanitizer, "blk_timeout=1")
    good, failed = ask(machine, device)
    assert good > 0 and failed > ASK / 2, (good, failed)
    assert re.search(rf"^{device}0.*: queue broken: ", machine.text, re.MULTILINE), machine.text
    used = used_memory(machine)
    good, failed = ask(machine, device)
    assert good == 0 and failed >= ASK, (good, failed)
    assert used_memory(machine) <= used, "memory was lost"
    others = [other for other in QUEUES if other != device]
    assert all(ask(machine, other)[1] == 0 for other in others)
    assert "README" in machine.run("ls; cat README > copy; rm copy")
    assert "panic" not in machine.text
    report = sanitizer.finish(machine)
    assert report.total("corrupted") > 0 and not report.violations, report


@long
@pytest.mark.parametrize("device", QUEUES)
def test_early_interrupt(asking: Callable[..., Machine], vqsan: MakeSanitizer, device: str) -> None:
    """An interrupt that comes before its answer breaks nothing: the driver finds nothing and sleeps on, until the kernel's
    check for silent devices finds the answer."""
    sanitizer = vqsan(f"device=early-irq,only={device},every=1,most=3")
    machine = asking(sanitizer, "poll=0 blk_timeout=1")
    good, failed = ask(machine, device)
    assert good >= ASK and failed == 0, (good, failed)
    assert "README" in machine.run("ls")
    report = sanitizer.finish(machine)
    assert report.total("corrupted") > 0 and not report.violations, report


# ---- what it costs ----


def processor_seconds(machine: Machine) -> float:
    assert machine.process is not None
    fields = Path(f"/proc/{machine.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@long
def test_cost(machine_factory: Boot, vqsan: MakeSanitizer, record_property: Callable[[str, object], None]) -> None:
    """The same work on files and processes takes at most twice the processor time with vqsan."""
    work = "; ".join(["cp f g; rm g"] * 8 + ["true"] * 40)
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(3):
        for how in seconds:
            machine = machine_factory(cpus=1, extra=vqsan().arguments if how == "with" else ())
            machine.run("mkfile 8M f 1; wc f; true")
            before = processor_seconds(machine)
            machine.run(work, quiet=120)
            seconds[how].append(processor_seconds(machine) - before)
            machine.close()
    ratio = min(seconds["with"]) / min(seconds["without"])
    record_property("table", f"the same work takes {ratio:.2f} times the processor time: {seconds}")
    assert ratio <= 2.0, seconds
