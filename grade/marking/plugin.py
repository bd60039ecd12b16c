"""The pytest plugin for the labs' tests. `make grade` uses it: `pytest -p grade.marking.plugin labs`.

A test says which entry of its lab.toml it decides:

    @pytest.mark.promise("index-wraps")
    def test_index_wraps(machine_factory, award, exhibit, seed): ...

A test fails by raising grade.marking.promise.Broken. (The report shows other exceptions too, but they help a student less.)
A test that returns earns all points; a test that raises earns none. award(fraction, why) replaces either by that fraction
of the points. If several tests decide one promise, the smallest fraction counts.

Fixtures, in addition to grade/machine/fixtures.py:

    award(fraction, why)               gives a fraction of the points, 0 to 1
    exhibit(title, seen, wanted=None)  shows pictures in the report
    plot(title, svg, head, rows)       shows a plot and its numbers in the report
    metric(name, value)                stores a number for programs
    native(program, *arguments)        runs a host program with the student's code
    lab                                this lab's entry in course.py
"""

from __future__ import annotations

import base64
import io
import os
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pytest

from grade.machine import patience
from grade.machine.job import Job
from grade.marking.course import CourseError, Lab, Promise, read_lab
from grade.marking.promise import Broken
from grade.marking.results import Exhibit, Explanation, Plot, Record

try:
    from grade.plugins.vqsan.sanitizer import vqsan  # noqa: F401
except ImportError:  # a handout may not have it
    pass

MAX_TEXT = 20_000  # keep at most this many characters of a log or a message


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--records", default="", help="write one JSON line per finished test to this file")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promise(id): the entry of lab.toml that this test decides")


# ---- which promise a test decides ----

_labs: dict[Path, Lab] = {}


def _lab_of(path: Path) -> Optional[Lab]:
    folder = path.parent
    if folder not in _labs and (folder / "lab.toml").exists():
        _labs[folder] = read_lab(folder)
    return _labs.get(folder)


def _promise_of(item: pytest.Item) -> Optional[Promise]:
    mark = item.get_closest_marker("promise")
    if mark is None:
        return None
    lab = _lab_of(item.path)
    if lab is None or len(mark.args) != 1:
        raise pytest.UsageError(f"{item.nodeid}: a promise needs one id, and a lab.toml in the folder of the test")
    try:
        return lab.promise(mark.args[0])
    except CourseError as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        _promise_of(item)


# ---- what tests use ----


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Lab:
    found = _lab_of(request.path)
    assert found is not None, f"there is no lab.toml in the folder of {request.path}"
    return found


@pytest.fixture
def native(job: Job) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a host program that contains the student's code: native("virtqueue_test", "--list"). When we grade a submission,
    it runs in the sandbox (sandbox.py). `seconds` is the time limit, scaled. The student's code can end the program with
    any exit status, so the status proves nothing."""

    def run(program: str, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        if job.sandbox:
            from grade.staff import sandbox

            done = sandbox.run([f"./host/{program}", *arguments], job.build, sandbox.Limits(seconds=seconds))
            output = done.output + (f"\nstopped: {done.stopped}" if done.stopped else "")
            return subprocess.CompletedProcess([program, *arguments], done.status, output)
        try:
            return subprocess.run(
                [str(job.build / "host" / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=seconds * patience.scale(),
            )
        except subprocess.TimeoutExpired as error:
            output = (error.stdout or b"").decode("utf-8", "replace")
            return subprocess.CompletedProcess(error.cmd, -9, f"{output}\nstopped: it ran for {error.timeout:.0f} s")

    return run


@pytest.fixture
def award(request: pytest.FixtureRequest) -> Callable[[float, str], None]:
    def give(fraction: float, why: str) -> None:
        if not 0 <= fraction <= 1:
            raise ValueError(f"award({fraction})")
        request.node.awarded = (fraction, why)

    return give


@pytest.fixture
def exhibit(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Shows a picture in the report, next to the wanted picture if there is one. Both are Pillow images."""
    request.node.exhibits = []

    def show(title: str, seen: Any, wanted: Any = None) -> None:
        def encode(image: Any) -> str:
            image = image.convert("RGB")
            image.thumbnail((640, 480))
            out = io.BytesIO()
            image.save(out, "PNG", optimize=True)
            return base64.b64encode(out.getvalue()).decode()

        if len(request.node.exhibits) < 6:  # keeps the report small enough to mail
            request.node.exhibits.append(Exhibit(title, encode(seen), encode(wanted) if wanted else None))

    return show


@pytest.fixture
def plot(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Shows a plot and its numbers in the report. grade/rate/plots.py draws the SVG; svg="" shows only the table."""
    request.node.plots = []

    def show(title: str, svg: str, head: list[str], rows: list[list[str]]) -> None:
        request.node.plots.append(Plot(title, svg, head, rows))

    return show


@pytest.fixture
def metric(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Stores a number for programs: metric("modelled frames/s", 312.5)."""
    request.node.metrics = {}

    def note(name: str, value: float) -> None:
        request.node.metrics[name] = value

    return note


# ---- records ----


def _explain(error: BaseException, promise: Promise) -> Explanation:
    broken = error if isinstance(error, Broken) else None
    # The text of a bare assert starts with the compared values, because pytest rewrites it; one with a message starts
    # with the message.
    seen = broken.seen if broken else str(error).strip() or type(error).__name__
    if broken is None and not isinstance(error, AssertionError):
        seen = f"{type(error).__name__}: {seen}"
    return Explanation(
        promised=(broken and broken.promised) or promise.title,
        seen=seen[:MAX_TEXT],
        look=(broken and broken.look) or promise.hint,
        spec=(broken and broken.spec) or promise.spec,
    )


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    promise = _promise_of(item)
    if promise is None or (report.when != "call" and not (report.when == "setup" and not report.passed)):
        return
    fraction, why = getattr(item, "awarded", (1.0 if report.passed else 0.0, ""))
    sections = [f"---- {title} ----\n{text}" for title, text in report.sections]
    if report.failed:
        sections.insert(0, str(report.longreprtext))
    record = Record(
        lab=item.path.parent.name,
        id=promise.id,
        test=item.nodeid,
        line=item.location[1] or 0,
        fraction=fraction if not report.skipped else 0.0,
        why=why,
        seconds=round(report.duration, 2),
        skipped=report.skipped,
        explanation=_explain(call.excinfo.value, promise) if call.excinfo else None,
        exhibits=getattr(item, "exhibits", []),
        plots=getattr(item, "plots", []),
        metrics=getattr(item, "metrics", {}),
        log="\n".join(sections)[-MAX_TEXT:],
    )
    # With pytest-xdist, only user_properties travel from a worker to the controller.
    report.user_properties.append(("record", record.to_json()))


class _Recorder:
    """Writes the records. It runs in the process that gets all reports."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _write(self, record: str) -> None:
        with self.path.open("a", encoding="utf-8") as out:
            out.write(f"{record}\n")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            error = f"{report.nodeid} cannot be loaded"
            self._write(Record(error=error, log=str(report.longrepr)[-MAX_TEXT:]).to_json())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "record":
                self._write(str(value))
                report.user_properties.remove((name, value))
                break


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    path = session.config.getoption("--records")
    if path and "PYTEST_XDIST_WORKER" not in os.environ:
        session.config.pluginmanager.register(_Recorder(Path(path)), "ringfence-recorder")
