"""make grade: builds, runs the tests of one lab or of all, shows which promises hold, writes the results (outputs.py).

    python3 -m grade.marking.mark [--lab LAB] [--seed SEED] [--results DIR] [--submission PATH [--id ID]] [--strict]

Exit status: 0 if grading finished, whatever the points; 2 if it did not; with --strict, 1 if points were lost.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Optional

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job, clean_environment
from grade.marking.course import VISIBLE, CourseError, Lab, all_labs, commit, find_lab
from grade.marking.outputs import write_all
from grade.marking.results import (
    COMPLETE,
    FAIL,
    FAILED,
    LATER,
    PART,
    PASS,
    UNFINISHED,
    Record,
    Results,
    SubmissionFacts,
    lab_result,
)

TOTAL_SECONDS = 900  # limit for all tests together, scaled; each test also has limits of its own


class NotGraded(Exception):
    """The student's work cannot be graded, and scores zero. The text tells the student why."""


# ---- talking to people ----


class Progress:
    """Shows progress in one line on stderr. It prints nothing if stderr is not a terminal."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def __call__(self, text: str) -> None:
        if self.live:
            print(f"\r\033[K{text}"[:120], end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        self("")


def colour(word: str) -> str:
    codes = {PASS: "32", FAIL: "31", PART: "33", LATER: "2"}
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return f"{word:5}"
    return f"\033[{codes[word]}m{word:5}\033[0m"


def _wrapped(key: str, text: str) -> str:
    """Formats a key and its text. A long text keeps its first and last lines: the end of a console says what happened."""
    given = text.splitlines() or [""]
    if len(given) > 12:
        given = [*given[:3], "...", *given[-8:]]
    lines = [piece for line in given for piece in textwrap.wrap(line, 96, break_long_words=False) or [""]]
    return "\n".join(f"        {key if i == 0 else '':9} {line}".rstrip() for i, line in enumerate(lines))


def table(results: Results, folder: Path) -> str:
    lines = []
    for lab in results.labs:
        lines.append(f"\n{lab.name}: {lab.title}")
        for promise in lab.promises:
            later = promise.status == LATER
            earned = f"{promise.points:g} after the due date" if later else f"{promise.score:g}/{promise.points:g}"
            lines.append(f"  {colour(promise.status)} {promise.title:78} {earned:>7}")
            lines += [_wrapped(key, text) for key, text in promise.explained()]
            if promise.lost_points and promise.log:
                lines.append(_wrapped("log", str(folder / "logs" / f"{lab.name}.{promise.id}.txt")))
        rest = lab.points - lab.possible
        unseen = f"; tests that do not run here decide {rest:g} more" if rest > 0 else ""
        lines.append(f"  {lab.score:g} of {lab.possible:g} points{unseen}")
    if len(results.labs) > 1:
        lines.append(f"\nall labs: {results.score:g} of {results.possible:g} points")
    lines += [f"\nnote: {note}" for note in results.notes]
    lines.append(f"\nreport: {folder / 'report.html'}    seed: {results.seed}    {results.seconds:.0f} s")
    return "\n".join(lines)


# ---- the tools that grade ----


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=30)
        return done.stdout.splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "not found"


def begin(job: Job, seed: str) -> Results:
    """Returns the results of a run that has just begun: the seed and the tools, no points yet."""
    from importlib.metadata import version

    tools = {
        "compiler": _first_line(job.compiler, "--version"),
        "qemu": _first_line(job.qemu, "--version"),
        "python": platform.python_version(),
        "pytest": version("pytest"),
        "host": f"{platform.platform()}, {os.cpu_count()} processors, {patience.scale():.1f} times the reference",
    }
    return Results(seed, commit(), time.strftime("%Y-%m-%dT%H:%M:%S%z"), tools)


# ---- building ----


def first_error(log: str) -> str:
    """Returns the first error that a compiler or linker printed."""
    for line in log.splitlines():
        if re.search(r"\b(error|undefined reference|undefined symbol)\b", line):
            return line.strip()
    return log.strip().splitlines()[-1] if log.strip() else "make failed"


def build_here(job: Job) -> tuple[bool, str]:
    done = subprocess.run(
        ["make", "all", *job.same_build],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return done.returncode == 0, done.stdout


# ---- running the tests ----


def _jobs() -> int:
    try:
        import xdist  # noqa: F401
    except ImportError:
        return 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, usable)


def run_tests(labs: list[Lab], job: Job, seed: str, say: Progress) -> tuple[list[Record], str]:
    """Runs pytest on the labs. Returns the records that plugin.py wrote, and pytest's output. Raises RuntimeError if the
    tests take too long or pytest itself fails."""
    wanted = sum(len(lab.tests) for lab in labs)
    with tempfile.TemporaryDirectory(prefix="ringfence-grade-") as scratch:
        record_file, log_file = Path(scratch) / "records", Path(scratch) / "log"
        command = [sys.executable, "-m", "pytest", "-c", "grade/pytest.ini", "--rootdir=."]
        command += ["-p", "grade.marking.plugin", "--seed", seed, "--job", job.to_json(), "--records", str(record_file), "-q"]
        if (jobs := _jobs()) > 1:
            command += ["-n", str(jobs), "--dist", "loadgroup"]
        environment = {**clean_environment(), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTEST_DEBUG_TEMPROOT"] = scratch  # removes the tests' files with it
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [*command, *(str(lab.folder.relative_to(ROOT)) for lab in labs)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        start = time.monotonic()
        try:
            while True:
                try:
                    process.wait(0.2)
                    break
                except subprocess.TimeoutExpired:
                    records = _read_records(record_file)
                    say(f"grading: {len({(r.lab, r.id) for r in records})} of {wanted} promises checked")
                    if time.monotonic() - start > TOTAL_SECONDS * patience.scale():
                        raise RuntimeError(f"the tests took more than {TOTAL_SECONDS * patience.scale():.0f} s")
        finally:
            # SIGTERM lets pytest end its machines. If that does not help, kill the whole session.
            for number in (signal.SIGTERM, signal.SIGKILL):
                if process.poll() is None:
                    os.killpg(process.pid, number)
                    try:
                        process.wait(20)
                    except subprocess.TimeoutExpired:
                        pass
        log_text = log_file.read_text(errors="replace")
        if process.returncode not in (0, 1):  # 0: all passed; 1: some failed; anything else gives no verdict
            raise RuntimeError(f"pytest ended with status {process.returncode}\n{log_text[-3000:]}")
        return _read_records(record_file), log_text


def _read_records(path: Path) -> list[Record]:
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]  # the last line may be half written
    return [Record.from_json(line) for line in whole.splitlines()]


def without_verdict(labs: list[Lab], records: list[Record], staff: bool) -> list[str]:
    """The promises that a test here should have decided, but none did. They must not score zero: it is not the student's
    fault."""
    decided = {(record.lab, record.id) for record in records if not record.skipped}
    run_here = [(lab.name, test.id) for lab in labs for test in lab.tests if staff or test.visible == VISIBLE]
    return [f"{id} of {lab}" for lab, id in run_here if (lab, id) not in decided]


# ---- a run ----


def _lay_over(lab: Lab, options: argparse.Namespace, job: Job, results: Results, tree: Path) -> tuple[Job, bool, str]:
    """Builds the submission in `tree`. Returns the job for marking it, whether it builds, and the output of the build."""
    from grade.staff import sandbox, submission  # a handout does not have this folder

    try:
        work = submission.read_submission(Path(options.submission), lab)
        sizes = {name: len(data) for name, data in work.files.items()}
        results.submission = SubmissionFacts(options.submission, options.id, work.notes, sizes)
        done = submission.lay_over(work, lab, options.id, tree, job)
    except submission.SubmissionError as error:
        raise NotGraded(f"this submission cannot be graded: {error}") from None
    results.submission.sandbox = sandbox.method()
    handout = submission.pristine(lab, options.id, job)
    stopped = f"\nthe build was stopped: {done.stopped}\n" if done.stopped else ""
    judged = dataclasses.replace(job, build=tree / "build", sandbox=True, handout=handout)
    return judged, done.status == 0 and not done.stopped, done.output + stopped


def _grade(labs: list[Lab], options: argparse.Namespace, job: Job, results: Results, scratch: Path, say: Progress) -> str:
    """Builds, tests, and fills in the results. Returns pytest's output."""
    say("grading: building")
    if options.submission:
        job, built, log = _lay_over(labs[0], options, job, results, scratch / "tree")
    else:
        built, log = build_here(job)
    if not built:
        results.build_log = log[-20_000:]
        raise NotGraded(f"the code does not build: {first_error(log)}")
    say("grading: starting the tests")
    records, pytest_log = run_tests(labs, job, results.seed, say)
    staff = (ROOT / "labs/start.mk").exists()
    if faults := [record.error for record in records if record.error]:
        raise RuntimeError(f"pytest cannot load the grader's own tests: {'; '.join(faults)}\n{pytest_log[-3000:]}")
    if silent := without_verdict(labs, records, staff):
        raise RuntimeError(f"some tests gave no verdict: {', '.join(silent)}\n{pytest_log[-3000:]}")
    results.state, results.labs = COMPLETE, [lab_result(lab, records, staff) for lab in labs]
    return pytest_log


def choose_labs(name: str, submission: str) -> list[Lab]:
    if name:
        lab = find_lab(name)
        if not lab.tests:
            raise CourseError(f"{lab.name} has no tests")
        return [lab]
    if submission:
        raise CourseError("SUBMISSION= needs LAB=: which lab is the submission for?")
    labs = [lab for lab in all_labs() if lab.tests]
    if not labs:
        raise CourseError("no lab here has tests")
    return labs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", default="")
    parser.add_argument("--seed", default="")
    parser.add_argument("--results", default="")
    parser.add_argument("--submission", default="")
    parser.add_argument("--id", default="")
    parser.add_argument("--strict", action="store_true", default=bool(os.environ.get("STRICT")))
    options = parser.parse_args()
    options.id = options.id or "plain"
    job = Job.from_environment()
    folder = Path(options.results).absolute() if options.results else job.build / "results"
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    say = Progress()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        labs = choose_labs(options.lab, options.submission)
        folder.mkdir(parents=True, exist_ok=True)
    except (CourseError, OSError) as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2
    started = time.monotonic()
    results = begin(job, options.seed or f"{random.SystemRandom().randrange(1 << 48):012x}")
    write_all(folder, results.without_marks(labs, UNFINISHED, "grading did not finish"))
    pytest_log: Optional[str] = None
    try:
        with tempfile.TemporaryDirectory(prefix="ringfence-submission-") as scratch:
            pytest_log = _grade(labs, options, job, results, Path(scratch), say)
    except NotGraded as error:
        results = results.without_marks(labs, FAILED, str(error))
    except KeyboardInterrupt:
        say.done()
        print("grade: interrupted; the results say that grading did not finish", file=sys.stderr)
        return 130
    except Exception as error:  # not the student's fault; the results must say so
        if os.environ.get("GRADE_DEBUG"):
            raise
        say.done()
        print(f"grade: the grader itself failed: {error}", file=sys.stderr)
        reason = f"the grader itself failed, which is not the student's fault: {error}"
        write_all(folder, results.without_marks(labs, FAILED, reason))
        return 2
    say.done()
    results.seconds = round(time.monotonic() - started, 1)
    write_all(folder, results, pytest_log)
    if results.state == COMPLETE:
        print(table(results, shown))
    else:
        print(f"grade: {results.reason}")
        print("".join(f"note: {note}\n" for note in results.notes), end="")
        print("\n".join(results.build_log.splitlines()[-30:]))
        print(f"0 of {results.points:g} points\nreport: {shown / 'report.html'}")
    return 1 if options.strict and results.score < results.possible else 0


if __name__ == "__main__":
    sys.exit(main())
