"""make experiment-barriers: measures seven ways to write one loop, on the same machine.

    python3 -m grade.staff.experiments.barriers [--docs FOLDER] [--rounds N] [--seconds S]

Prints a table, writes it between the marks in FOLDER/stale-index.md, and draws FOLDER/img/barriers.svg.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from grade.machine.job import Job
from grade.machine.screen import compare
from grade.plugins.vqsan.sanitizer import Sanitizer
from grade.staff.experiments import workshop
from grade.staff.experiments.workshop import Timing, Workshop, boot, digits, merge, progress, time_wheel

VARIANTS = ["hoisted", "volatile", "fence-before", "fence-after", "both", "acquire", "full-every-poll"]
SMALL = "-r 160x120"  # for vqsan: the hoisted loop takes ten milliseconds a band
SMALL_FRAMES = 6
COMMANDS = 2 * 240  # in a frame: a TRANSFER and a FLUSH for each band
LAST = 330  # the frame that we compare: it shows a ball and a number, and the wheel has turned several times


@dataclass
class Result:
    variant: str
    rate: float = 0.0
    undisturbed: float = 0.0
    p50: float = 0.0  # microseconds from kick to kick
    p99: float = 0.0
    polls: float = 0.0  # per frame of 240 bands
    fences: float = 0.0  # per frame
    loads_per_turn: float = 0.0
    verdict: str = ""
    bite: str = ""
    rounds: list[Timing] = field(default_factory=list, repr=False)


def polls_and_fences(report: Any) -> tuple[int, int]:
    """Counts the turns of the waiting loop and the fences of the read side on the GPU's queue. No other queue works."""
    loops = [loop for queue in report.queues if queue["device"] == "gpu" for loop in queue["loops"]]
    polls = sum(loop["turns"] for loop in loops if loop["file"].endswith("virtqueue.c"))
    polls = max(polls, sum(queue["polls"] for queue in report.queues if queue["device"] == "gpu"))
    fences = sum(
        fence["count"]
        for fence in report.fences
        if fence["file"].endswith("virtqueue.c") and fence["function"] in ("poll_used", "virtq_poll")
    )
    return polls, fences


def under_vqsan(job: Job, kernel: Path, initrd: Path, command: str, options: str = "") -> tuple[int, int, Any]:
    """Runs `command` under vqsan. Returns polls, fences, and vqsan's report. Without `options`, vqsan only watches."""
    with workshop.scratch() as folder:
        sanitizer = Sanitizer(job, Path(folder), options, kernel)
        with boot(job, kernel, initrd, extra=sanitizer.arguments) as machine:
            machine.run(command, quiet=120)
            report = sanitizer.finish(machine)
    return (*polls_and_fences(report), report)


def count(job: Job, kernel: Path, initrd: Path, result: Result) -> None:
    """Fills in the polls and fences of a frame: those of each command, times the commands of a frame."""
    for _ in range(3):
        polls, fences, report = under_vqsan(job, kernel, initrd, f"roulette {SMALL} -n {SMALL_FRAMES}")
        # All loops share the code that sleeps. On a busy host it may sleep although the answer is there; that says
        # nothing about the loop, so leave it out.
        rules = {violation.rule for violation in report.of("gpu") if not violation.asleep}
        if rules or report.loads_per_turn("gpu") > 0.5:
            break  # otherwise try again: the device may always have answered before the first poll
    commands = report.total("completions")
    result.polls, result.fences = polls / commands * COMMANDS, fences / commands * COMMANDS
    result.loads_per_turn = report.loads_per_turn("gpu")
    result.verdict = ", ".join(sorted(rules)) or "clean"


def bitten(job: Job, kernel: Path, initrd: Path, wanted: Any) -> str:
    """Injects the reordering that RVWMO allows for the load of the element. Returns "none" if the picture is still right
    and the driver flushed every band; otherwise says what went wrong."""
    frames = 2
    with workshop.scratch() as folder:
        sanitizer = Sanitizer(job, Path(folder), "inject=rmb", kernel)
        with boot(job, kernel, initrd, extra=sanitizer.arguments, trace=["virtio_gpu_cmd_res_flush"]) as machine:
            machine.run_status(f"roulette {SMALL} -n {frames} -o {LAST - frames + 1}", quiet=120)
            flushed = len(machine.trace())
            whole = not compare(machine.screendump(), wanted, (0, 0, 160, 120 - 12))
            sanitizer.finish(machine)
    if flushed == frames * 120 // 2 and whole:
        return "none"
    return f"stops after {flushed} of {frames * 60} bands" if flushed < frames * 60 else "wrong picture"


def picture(build: Path) -> Any:
    """The right picture, drawn by the host."""
    import io
    import subprocess

    from PIL import Image

    done = subprocess.run([build / "host/draw_wheel", "-r", "160x120", "-s", "1", str(LAST)], stdout=subprocess.PIPE, check=True)
    return Image.open(io.BytesIO(done.stdout)).convert("RGB")


def measure(shop: Workshop, rounds: int, seconds: float) -> list[Result]:
    results = []
    kernels = {}
    for name in VARIANTS:
        progress(f"barriers: building {name}")
        kernels[name] = shop.kernel(name)
        results.append(Result(name))
    progress("barriers: building the wheel")
    initrd = shop.initrd()
    wanted = picture(shop.job.build)
    for i in range(rounds):  # alternate between the variants, so that other work on the host affects all of them
        for result in results:
            progress(f"barriers: round {i + 1} of {rounds}, {result.variant}")
            with boot(shop.job, kernels[result.variant], initrd, trace=workshop.EVENTS) as machine:
                result.rounds.append(time_wheel(machine, f"-n 2 -t {int(seconds * 1000)}"))
    for result in results:
        timing = merge(result.rounds)
        result.rate, result.undisturbed = timing.rate, timing.undisturbed
        result.p50, result.p99 = timing.kick(0.5) * 1e6, timing.kick(0.99) * 1e6
        progress(f"barriers: {result.variant} under vqsan")
        count(shop.job, kernels[result.variant], initrd, result)
        progress(f"barriers: {result.variant} with injection")
        result.bite = bitten(shop.job, kernels[result.variant], initrd, wanted)
    progress("")
    return results


COLUMNS = ["variant", "frames/s", "undisturbed", "p50 us", "p99 us", "polls/frame", "fences/frame", "loads/turn", "vqsan", "bite"]


def table(results: list[Result]) -> str:
    return workshop.markdown(
        COLUMNS,
        [
            [r.variant, digits(r.rate), digits(r.undisturbed), digits(r.p50), digits(r.p99), digits(r.polls), digits(r.fences)]
            + [f"{r.loads_per_turn:.2f}", r.verdict, r.bite]
            for r in results
        ],
    )


def plain(result: Result) -> dict[str, Any]:
    return {**asdict(result), "rounds": [timing.rates for timing in result.rounds]}


def draw(path: Path, results: list[Result]) -> None:
    workshop.bars(
        path, "The same wheel, seven ways to read the index", "frames per second undisturbed, 640x480 in bands of two rows",
        [r.variant for r in results], [r.undisturbed for r in results], [r.variant for r in results if r.verdict != "clean"],
    )


if __name__ == "__main__":
    sys.exit(workshop.experiment("barriers", __doc__, measure, table, plain, draw))
