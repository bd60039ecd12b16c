"""make hypothesis EXPERIMENT=name [GUESS="..."]: guess first, then run the experiment.

Asks for your guess, runs the experiment, and adds both to the lab's notebook.md. You then write there what you conclude.
Without a name it lists the experiments. The guess may also come from GUESS= or from a pipe.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable, NamedTuple

from grade import ROOT
from grade.explore.loop import disassemble, show
from grade.explore.timeline import record, table
from grade.machine.console import ConsoleError
from grade.machine.job import Job, clean_environment
from grade.machine.machine import Machine

NOTEBOOK = ROOT / "labs/4-slow-wheel/notebook.md"
WHEEL = "roulette -q -f 0 -n 2"


class Experiment(NamedTuple):
    question: str
    run: Callable[[Job], str]


def say(text: str) -> None:
    print(f"hypothesis: {text}", file=sys.stderr, flush=True)


def counters(job: Job) -> str:
    with Machine(job) as machine:
        return machine.run(f"vqstat -d {WHEEL}", quiet=60)


def disk(job: Job) -> str:
    with Machine(job) as machine:
        return machine.run("vqstat -d bench -q disk-4k", quiet=60)


def trace(job: Job) -> str:
    frames, _ = record(job, WHEEL)
    return table(frames)


def _row(job: Job, name: str, kernel: Path, cpus: int = 2, args: str = "") -> str:
    say(f"the wheel, {name}")
    frames, told = record(job, WHEEL, kernel=kernel, cpus=cpus, args=args)
    counted = {key: int(re.search(rf"^{key} +(\d+)", told, re.MULTILINE)[1]) for key in ("polls", "sleeps")}  # type: ignore[index]
    seconds = frames[-1].end - frames[0].start
    each = {key: value / len(frames) for key, value in counted.items()}
    return f"{name:12}{len(frames) / seconds:10.1f}{each['polls']:14.0f}{each['sleeps']:14.1f}"


HEADING = f"{'':12}{'frames/s':>10}{'polls/frame':>14}{'sleeps/frame':>14}"


def levels(job: Job) -> str:
    rows = [HEADING]
    for level in ("-O0", "-O1", "-O2"):
        build = job.build / "levels" / level[1:]
        say(f"building the kernel with {level}")
        done = subprocess.run(
            ["make", *job.choice, f"BUILD={build}", f"EXTRA_FLAGS={level}", f"{build}/kernel.elf"],
            cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"the kernel does not build with {level}:\n{done.stdout[-1000:]}")
        rows.append(_row(job, level, build / "kernel.elf"))
    return "\n".join(rows)


def budget(job: Job) -> str:
    kernel = job.build / "kernel.elf"
    return "\n".join([HEADING, *(_row(job, f"poll={n}", kernel, args=f"poll={n}") for n in (200, 20000, 200000, 2000000))])


def harts(job: Job) -> str:
    kernel = job.build / "kernel.elf"
    return "\n".join([HEADING, *(_row(job, f"CPUS={n}", kernel, cpus=n) for n in (1, 2, 4))])


def loop(job: Job) -> str:
    return show(disassemble(job, job.build / "kernel.elf", "virtq_poll"))


EXPERIMENTS = {
    "counters": Experiment("what does the wheel cost at the ring, for each answer?", counters),
    "disk": Experiment("and what does a read from the disk cost there?", disk),
    "trace": Experiment("when does the device answer, and when does the driver go on?", trace),
    "budget": Experiment("does it help to poll for longer, or less long?", budget),
    "harts": Experiment("does it matter how many harts there are?", harts),
    "levels": Experiment("does it matter how much the compiler optimises?", levels),
    "loop": Experiment("how many loads does one turn of the loop in virtq_poll() make, and from where?", loop),
}


def ask(question: str) -> str:
    guess = os.environ.get("GUESS", "").strip()
    if guess:
        return guess
    if sys.stdin.isatty():
        print(f"{question}\nYour guess: ", end="", flush=True)
    return sys.stdin.readline().strip()


def write_down(name: str, question: str, guess: str, seen: str) -> None:
    lines = "\n".join(f"    {line}".rstrip() for line in seen.strip("\n").splitlines())
    with NOTEBOOK.open("a", encoding="utf-8") as out:
        out.write(f"\n## {name}: {question}\nGuess: {guess}\nSeen:\n{lines}\nWhat follows:\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="")
    options = parser.parse_args()
    if options.name not in EXPERIMENTS:
        print("make hypothesis EXPERIMENT=name, where the name is one of")
        print("\n".join(f"  {name:10} {each.question}" for name, each in EXPERIMENTS.items()))
        return 0 if not options.name else 2
    experiment = EXPERIMENTS[options.name]
    guess = ask(experiment.question)
    if not guess:
        print('hypothesis: no experiment without a guess: type one, or give GUESS="..."', file=sys.stderr)
        return 2
    try:
        seen = experiment.run(Job.from_environment()).replace("\r", "")
    except (AssertionError, ConsoleError, LookupError, RuntimeError) as error:
        print(f"hypothesis: the experiment failed, so your notebook is unchanged: {error}", file=sys.stderr)
        return 1
    print(seen)
    write_down(options.name, experiment.question, guess, seen)
    print(f"\nhypothesis: written to {NOTEBOOK.relative_to(ROOT)}; now write there what follows from it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
