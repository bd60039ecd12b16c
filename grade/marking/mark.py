"""make grade: builds, runs the tests of one lab or of all, shows what holds, and writes the results (results.py).

    score.py [--lab LAB] [--seed SEED] [--results DIR] [--submission PATH [--id ID]] [--strict] [-- MAKE-VARIABLES...]

Exit status: 0 when grading came to an end, whatever the points; 2 when it did not; with --strict, 1 for lost points.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
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
from typing import Any, Optional

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job, clean_environment
from grade.marking import report, results as rs
from grade.marking.course import VISIBLE, CourseError, Lab, all_labs, commit, find_lab

TOTAL_SECONDS = 900  # for all tests of a run, scaled: a back-stop behind the tests' own limits


class NotGraded(Exception):
    """The student's work cannot be graded; the text tells him why. No points."""


# ---- talking to people ----


class Progress:
    """One line on stderr that says what is being done; on no terminal, nothing but the table is printed."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def __call__(self, text: str) -> None:
        if self.live:
            print(f"\r\033[K{text}"[:120], end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        self("")


def colour(word: str) -> str:
    codes = {rs.PASS: "32", rs.FAIL: "31", rs.PART: "33", rs.LATER: "2"}
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return f"{word:5}"
    return f"\033[{codes[word]}m{word:5}\033[0m"


def _wrapped(key: str, text: str) -> str:
    """A key and its text, of many lines the first and the last: a console says at its end what happened."""
    given = text.splitlines() or [""]
    if len(given) > 12:
        given = [*given[:3], "...", *given[-8:]]
    lines = [piece for line in given for piece in textwrap.wrap(line, 96, break_long_words=False) or [""]]
    return "\n".join(f"        {key if i == 0 else '':9} {line}".rstrip() for i, line in enumerate(lines))


def table(results: dict[str, Any], folder: Path) -> str:
    lines = []
    for lab in results["labs"]:
        lines.append(f"\n{lab['name']}: {lab['title']}")
        for test in lab["tests"]:
            later = test["status"] == rs.LATER
            earned = f"{test['points']:g} after the due date" if later else f"{test['score']:g}/{test['points']:g}"
            lines.append(f"  {colour(test['status'])} {test['title']:78} {earned:>7}")
            if test["status"] not in (rs.FAIL, rs.PART):
                continue
            lines += [_wrapped(key, text) for key, text in report.explained(test)]
            if test["log"]:
                lines.append(_wrapped("log", str(folder / "logs" / f"{lab['name']}.{test['id']}.txt")))
        rest = lab["points"] - lab["possible"]
        unseen = f"; {rest:g} more are decided by tests that are not run here" if rest > 0 else ""
        lines.append(f"  {lab['score']:g} of {lab['possible']:g} points{unseen}")
    if len(results["labs"]) > 1:
        lines.append(f"\nall labs: {results['score']:g} of {results['possible']:g} points")
    lines += [f"\nnote: {note}" for note in results.get("submission", {}).get("notes", [])]
    lines.append(f"\nreport: {folder / 'report.html'}    seed: {results['seed']}    {results['seconds']:.0f} s")
    return "\n".join(lines)


# ---- what graded it ----


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=30)
        return done.stdout.splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "not found"


def about(job: Job, seed: str) -> dict[str, Any]:
    from importlib.metadata import version

    tools = {
        "compiler": _first_line(job.compiler, "--version"),
        "qemu": _first_line(job.qemu, "--version"),
        "python": platform.python_version(),
        "pytest": version("pytest"),
        "host": f"{platform.platform()}, {os.cpu_count()} processors, {patience.scale():.1f} times the reference",
    }
    when = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return {"seed": seed, "grader": commit(), "started": when, "seconds": 0.0, "tools": tools}


# ---- building ----


def first_error(log: str) -> str:
    """What a compiler or linker complains of first."""
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


def run_tests(labs: list[Lab], job: Job, seed: str, say: Progress) -> tuple[list[dict[str, Any]], str]:
    """Runs pytest over the labs; the records of lab_plugin.py, and what pytest has printed."""
    wanted = sum(len(lab.tests) for lab in labs)
    with tempfile.TemporaryDirectory(prefix="ringfence-grade-") as scratch:
        record_file, log_file = Path(scratch) / "records", Path(scratch) / "log"
        command = [sys.executable, "-m", "pytest", "-c", "grade/pytest.ini", "--rootdir=."]
        command += ["-p", "grade.marking.plugin", "--seed", seed, "--job", job.to_json(), "--records", str(record_file), "-q"]
        if (jobs := _jobs()) > 1:
            command += ["-n", str(jobs), "--dist", "loadgroup"]
        environment = {**clean_environment(), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTEST_DEBUG_TEMPROOT"] = scratch  # what the tests leave behind goes with it
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
                    say(f"grading: {len({(r.get('lab'), r.get('id')) for r in records})} of {wanted} promises looked at")
                    if time.monotonic() - start > TOTAL_SECONDS * patience.scale():
                        raise RuntimeError(f"the tests took more than {TOTAL_SECONDS * patience.scale():.0f} s")
        finally:
            # SIGTERM lets its machines end; what does not listen is killed with its whole session.
            for number in (signal.SIGTERM, signal.SIGKILL):
                if process.poll() is None:
                    os.killpg(process.pid, number)
                    try:
                        process.wait(20)
                    except subprocess.TimeoutExpired:
                        pass
        log_text = log_file.read_text(errors="replace")
        if process.returncode not in (0, 1):  # all passed, some failed; anything else is no verdict
            raise RuntimeError(f"pytest ended with status {process.returncode}\n{log_text[-3000:]}")
        return _read_records(record_file), log_text


def _read_records(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:  # the last line, half written
            pass
    return found


def without_verdict(labs: list[Lab], records: list[dict[str, Any]], staff: bool) -> list[str]:
    """Promises that a test should have decided here, and none has: that is no zero, for the student did not cause it."""
    decided = {(record.get("lab"), record.get("id")) for record in records if not record.get("skipped")}
    run_here = [(lab.name, test.id) for lab in labs for test in lab.tests if staff or test.visible == VISIBLE]
    return [f"{id} of {lab}" for lab, id in run_here if (lab, id) not in decided]


# ---- a run ----


def _grade(
    labs: list[Lab], options: argparse.Namespace, job: Job, facts: dict[str, Any], scratch: Path, say: Progress
) -> tuple[dict[str, Any], str]:
    """Builds and tests; the results and pytest's log."""
    say("grading: building")
    if options.submission:
        from grade.staff import sandbox, submission

        try:
            work = submission.read_submission(Path(options.submission), labs[0])
            facts["submission"] = {"path": options.submission, "id": options.id, "notes": work.notes}
            facts["submission"]["files"] = {name: len(data) for name, data in work.files.items()}
            done = submission.lay_over(work, labs[0], options.id, scratch / "tree", job)
        except submission.SubmissionError as error:
            raise NotGraded(f"this submission cannot be graded: {error}") from None
        built, log = done.status == 0 and not done.stopped, done.output
        log += f"\nthe build was stopped: {done.stopped}\n" if done.stopped else ""
        facts["submission"]["sandbox"] = sandbox.method()
        handout = submission.pristine(labs[0], options.id, job)
        job = dataclasses.replace(job, build=scratch / "tree/build", sandbox=True, handout=handout)
    else:
        built, log = build_here(job)
    facts["build"] = {"ok": built, "log": log[-20_000:] if not built else ""}
    if not built:
        raise NotGraded(f"it does not build: {first_error(log)}")
    say("grading: starting the tests")
    records, pytest_log = run_tests(labs, job, facts["seed"], say)
    staff = (ROOT / "labs/start.mk").exists()
    faults = [record["error"] for record in records if "error" in record]
    if faults:
        raise RuntimeError(f"the grader's own tests cannot be loaded: {'; '.join(faults)}\n{pytest_log[-3000:]}")
    if silent := without_verdict(labs, records, staff):
        raise RuntimeError(f"of some tests there is no verdict: {', '.join(silent)}\n{pytest_log[-3000:]}")
    found = rs.total({**facts, "state": "complete"}, [rs.lab_result(lab, records, staff) for lab in labs])
    return found, pytest_log


def choose_labs(name: str, submission: str) -> list[Lab]:
    if name:
        lab = find_lab(name)
        if not lab.tests:
            raise CourseError(f"{lab.name} has no tests")
        return [lab]
    if submission:
        raise CourseError("SUBMISSION= needs LAB=: which lab is it?")
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
    facts = about(job, options.seed or f"{random.SystemRandom().randrange(1 << 48):012x}")
    rs.write_all(folder, rs.placeholder(facts, labs, "grading did not come to an end"))
    pytest_log: Optional[str] = None
    status = 0
    try:
        with tempfile.TemporaryDirectory(prefix="ringfence-submission-") as scratch:
            found, pytest_log = _grade(labs, options, job, facts, Path(scratch), say)
    except NotGraded as error:
        found = {**rs.placeholder(facts, labs, str(error)), "state": "failed"}
    except KeyboardInterrupt:
        say.done()
        print("grade: interrupted; the results say that grading did not come to an end", file=sys.stderr)
        return 130
    except Exception as error:  # the grader's fault, not the student's; the results must say so
        if os.environ.get("GRADE_DEBUG"):
            raise
        say.done()
        print(f"grade: the grader itself failed: {error}", file=sys.stderr)
        reason = f"the grader itself failed, which is not the student's fault: {error}"
        rs.write_all(folder, {**rs.placeholder(facts, labs, reason), "state": "failed"})
        return 2
    say.done()
    found["seconds"] = round(time.monotonic() - started, 1)
    rs.write_all(folder, found, pytest_log)
    if found["state"] != "complete":
        print(f"grade: {found['reason']}")
        for note in found.get("submission", {}).get("notes", []):
            print(f"note: {note}")
        log = found.get("build", {}).get("log", "")
        print("\n".join(log.splitlines()[-30:]))
        print(f"0 of {found['points']:g} points\nreport: {shown / 'report.html'}")
    else:
        print(table(found, shown))
    if options.strict and found["score"] < found["possible"]:
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
