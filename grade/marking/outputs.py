"""Writes the files of a marking run.

    grade.json     everything, in our own format (results.py)
    junit.xml      for CI
    grade.csv      one line per promise
    results.json   for Gradescope (gradescope-autograders.readthedocs.io/en/latest/specs)
    report.html    for people (report.py)
    logs/          the complete output of each failed test

We write each file under another name and then rename it, so nobody can read half a file. Before any of the student's code
runs, mark.py writes a first set: it says that grading did not finish, and gives no points.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Optional

from grade.marking import report
from grade.marking.course import AFTER_DUE, HIDDEN
from grade.marking.results import LATER, PASS, PromiseResult, Results, as_json

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


def write_atomically(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8", errors="replace")
    os.replace(beside, path)


def explanation(promise: PromiseResult) -> str:
    """The reason for lost points, as text."""
    return "\n".join(f"{key + ':':10}{text}" for key, text in promise.explained())


def as_junit(results: Results) -> str:
    root = ET.Element("testsuites", name="Ringfence")
    for lab in results.labs:
        cases = [promise for promise in lab.promises if promise.status != LATER]
        failures = [promise for promise in cases if promise.status != PASS]
        numbers = {"tests": str(len(cases)), "failures": str(len(failures))}
        suite = ET.SubElement(root, "testsuite", {"name": lab.name, **numbers})
        for promise in cases:
            name = {"classname": lab.name, "name": f"{promise.id}: {promise.title}", "time": str(promise.seconds)}
            case = ET.SubElement(suite, "testcase", name)
            if promise.status != PASS:
                message = f"{promise.score:g} of {promise.points:g} points: {promise.explanation.seen[:200]}"
                failure = ET.SubElement(case, "failure", message=_NOT_XML.sub("?", message))
                failure.text = _NOT_XML.sub("?", explanation(promise))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def as_csv(results: Results) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["lab", "test", "title", "status", "score", "points", "seconds", "seed", "grader"])
    for lab in results.labs:
        for each in lab.promises:
            row = [lab.name, each.id, each.title, each.status, each.score, each.points, each.seconds]
            writer.writerow([*row, results.seed, results.grader])
    return out.getvalue()


def as_gradescope(results: Results) -> dict[str, Any]:
    visibility = {AFTER_DUE: "after_due_date", HIDDEN: "hidden"}
    tests = [
        {
            "score": promise.score,
            "max_score": promise.points,
            "status": "passed" if promise.status == PASS else "failed",
            "name": promise.title,
            "number": f"{lab.name.split('-')[0]}.{number}",
            "output": "" if promise.status == PASS else explanation(promise),
            "output_format": "text",
            "visibility": visibility.get(promise.visible, "visible"),
            "extra_data": {"id": promise.id},
        }
        for lab in results.labs
        for number, promise in enumerate(lab.promises, 1)
    ]
    said = [*([results.reason] if results.reason else []), *results.notes]
    return {
        "score": results.score,
        "execution_time": round(results.seconds),
        "output": "\n".join([*said, f"seed {results.seed}, grader {results.grader}"]),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {key: getattr(results, key) for key in ("seed", "grader", "tools", "state")},
        "tests": tests,
    }


# The fields that Gradescope documents: the type of each, or its allowed words.
_VISIBILITY = ("hidden", "after_due_date", "after_published", "visible")
_FORMATS = ("text", "html", "simple_format", "md", "ansi")
_TOP = {
    **{"score": (int, float), "execution_time": int, "output": str, "output_format": _FORMATS},
    **{"test_output_format": _FORMATS, "test_name_format": _FORMATS, "visibility": _VISIBILITY},
    **{"stdout_visibility": _VISIBILITY, "extra_data": dict, "tests": list, "leaderboard": list},
}
_TEST = {
    **{"score": (int, float), "max_score": (int, float), "status": ("passed", "failed"), "name": str},
    **{"name_format": _FORMATS, "number": str, "output": str, "output_format": _FORMATS, "tags": list},
    **{"visibility": _VISIBILITY, "extra_data": dict},
}


def gradescope_faults(data: dict[str, Any]) -> list[str]:
    """Lists where `data` differs from Gradescope's documentation of results.json."""
    faults = []

    def check(table: dict[str, Any], fields: dict[str, Any], where: str) -> None:
        for key, value in table.items():
            wanted = fields.get(key)
            if wanted is None:
                faults.append(f"{where}: no field {key}")
            elif isinstance(wanted, tuple) and isinstance(wanted[0], str):
                if value not in wanted:
                    faults.append(f"{where}: {key} = {value!r}")
            elif not isinstance(value, wanted) or isinstance(value, bool):
                faults.append(f"{where}: {key} is a {type(value).__name__}")

    check(data, _TOP, "results")
    for number, test in enumerate(data.get("tests", [])):
        check(test, _TEST, f"test {number}")
        if "score" in test and not 0 <= test["score"] <= test.get("max_score", test["score"]):
            faults.append(f"test {number}: score {test['score']} of {test.get('max_score')}")
    if "score" not in data and not any("score" in test for test in data.get("tests", [])):
        faults.append("there is no score, neither for the whole nor for any test")
    return faults


def write_all(folder: Path, results: Results, pytest_log: Optional[str] = None) -> None:
    """Writes all files to `folder`. grade.json comes last: when it is there, the others are complete."""
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for old in logs.iterdir():
        if old.is_file():
            old.unlink()
    if pytest_log is not None:
        write_atomically(folder / "pytest.txt", pytest_log)
    for lab in results.labs:
        for promise in lab.promises:
            if promise.lost_points and (promise.log or promise.explanation.seen):
                write_atomically(logs / f"{lab.name}.{promise.id}.txt", f"{explanation(promise)}\n\n{promise.log}\n")
    write_atomically(folder / "report.html", report.as_html(results))
    write_atomically(folder / "junit.xml", as_junit(results))
    write_atomically(folder / "grade.csv", as_csv(results))
    write_atomically(folder / "results.json", json.dumps(as_gradescope(results), indent=1) + "\n")
    write_atomically(folder / "grade.json", json.dumps(as_json(results), indent=1) + "\n")
