"""Two rules for these tests. A test may skip only for a need listed in needs.py. A test may show a table at the end of the
run: record_property("table", TEXT)."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterator

import pytest

from grade.tests.support.needs import NEEDS, Missing, need


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(name, ...): skip the test if one of these is missing; needs.py lists them")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            need(name)


def _refuse(report: Any, why: str) -> None:
    """Turns an unexpected skip into a failure."""
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} skips itself: {why}. Only a need that grade/tests/support/needs.py lists may skip a test."


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    error = call.excinfo and call.excinfo.value
    if isinstance(error, Missing):
        report.user_properties.append(("missing", error.name))
        report.longrepr = (*report.longrepr[:2], f"Skipped: {error}")  # drop the class name
    elif hasattr(report, "wasxfail"):
        _refuse(report, f"xfail {report.wasxfail}")
        del report.wasxfail
    elif report.skipped:
        _refuse(report, str(error))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    if report.skipped:
        _refuse(report, str(report.longrepr[-1]))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, text in report.user_properties:
                if name == "table" and report.when == "call":
                    terminalreporter.write_sep("-", report.nodeid)
                    terminalreporter.write_line(str(text))
    skipped = terminalreporter.getreports("skipped")
    if skipped:
        terminalreporter.write_sep("-", "skipped")
    for name, count in Counter(dict(report.user_properties)["missing"] for report in skipped).most_common():
        tests = "1 test needs" if count == 1 else f"{count} tests need"
        terminalreporter.write_line(f"{tests} {name}, which is not here: {NEEDS[name][1]}")
