"""What grading has found, and the files it is written to.

    grade.json     everything, in a form of our own (FORMAT); the others are made from it
    junit.xml      for CI
    grade.csv      a line for each test
    results.json   for Gradescope (gradescope-autograders.readthedocs.io/en/latest/specs)
    report.html    for people: see report.py
    logs/          what each test that failed has said, whole

Each file is written beside its place and then renamed, so nobody reads half of one. The first to be written, before
anything of the student's runs, says that grading did not come to an end, with no points.
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
from grade.marking.course import AFTER_DUE, HIDDEN, Lab

FORMAT = 1
PASS, PART, FAIL, LATER = "PASS", "PART", "FAIL", "LATER"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


def write_atomically(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8", errors="replace")
    os.replace(beside, path)


# ---- from records to points ----


def _test_result(test: Any, records: list[dict[str, Any]], shown: bool, trouble: str) -> dict[str, Any]:
    """One promise; the least of the tests that decide it counts, and is what is shown: of several, the first in the file,
    whichever came to its end first."""
    result: dict[str, Any] = {
        **{"id": test.id, "title": test.title, "points": test.points, "visible": test.visible},
        **{"score": 0.0, "fraction": 0.0, "status": FAIL, "why": "", "seconds": 0.0, "exhibits": [], "log": ""},
        **{"plots": []},
        **{"promised": "", "seen": "", "look": "", "spec": ""},
    }
    if not records:
        if not shown:
            result["status"] = LATER
            return result
        explained = {"promised": test.title, "seen": trouble or "the test did not run to its end", "spec": test.spec}
        result.update(explained, look="" if trouble else "the log of the tests: pytest.txt")
        return result
    worst = min(records, key=lambda record: (record["fraction"], "seen" not in record, record.get("line", 0)))
    for key in ("why", "log", "promised", "seen", "look", "spec"):
        result[key] = worst.get(key, "")
    for key in ("exhibits", "plots"):
        result[key] = [each for record in records for each in record.get(key, [])]
    result["seconds"] = round(sum(record["seconds"] for record in records), 2)
    fraction = worst["fraction"]
    result["fraction"] = fraction
    result["score"] = round(test.points * fraction, 2)
    # A fraction of 1 and a failure: the points were awarded before something else went wrong.
    result["status"] = PASS if fraction >= 1 else PART if fraction > 0 else FAIL
    return result


def lab_result(lab: Lab, records: list[dict[str, Any]], staff: bool, trouble: str = "") -> dict[str, Any]:
    """Sums a lab up. `trouble`: why none of its tests ran."""
    tests = []
    for test in lab.tests:
        mine = [record for record in records if record.get("lab") == lab.name and record.get("id") == test.id]
        tests.append(_test_result(test, mine, staff or test.visible == "visible", trouble))
    counted = [test for test in tests if test["status"] != LATER]
    return {
        **{"name": lab.name, "title": lab.title, "points": lab.points, "tests": tests},
        "score": round(sum(test["score"] for test in counted), 2),
        "possible": round(sum(test["points"] for test in counted), 2),
    }


def placeholder(about: dict[str, Any], labs: list[Lab], reason: str) -> dict[str, Any]:
    """What stands there until the real results do."""
    return total({**about, "state": "unfinished", "reason": reason}, [lab_result(lab, [], True, reason) for lab in labs])


def total(about: dict[str, Any], labs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **{"format": FORMAT, "course": "Ringfence"},
        **about,
        "labs": labs,
        **{key: round(sum(lab[key] for lab in labs), 2) for key in ("score", "possible", "points")},
    }


# ---- the files ----


def explanation(test: dict[str, Any]) -> str:
    """What is said about a test that lost points, as text."""
    return "\n".join(f"{key + ':':10}{text}" for key, text in report.explained(test))


def as_junit(results: dict[str, Any]) -> str:
    root = ET.Element("testsuites", name=results["course"])
    for lab in results["labs"]:
        cases = [test for test in lab["tests"] if test["status"] != LATER]
        failures = [test for test in cases if test["status"] != PASS]
        numbers = {"tests": str(len(cases)), "failures": str(len(failures))}
        suite = ET.SubElement(root, "testsuite", name=lab["name"], **numbers)
        for test in cases:
            name = {"classname": lab["name"], "name": f"{test['id']}: {test['title']}", "time": str(test["seconds"])}
            case = ET.SubElement(suite, "testcase", **name)
            if test["status"] != PASS:
                message = f"{test['score']:g} of {test['points']:g} points: {test['seen'][:200]}"
                failure = ET.SubElement(case, "failure", message=_NOT_XML.sub("?", message))
                failure.text = _NOT_XML.sub("?", explanation(test))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def as_csv(results: dict[str, Any]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["lab", "test", "title", "status", "score", "points", "seconds", "seed", "grader"])
    for lab in results["labs"]:
        for test in lab["tests"]:
            row = [lab["name"], test["id"], test["title"], test["status"], test["score"], test["points"]]
            writer.writerow([*row, test["seconds"], results["seed"], results["grader"]])
    return out.getvalue()


def as_gradescope(results: dict[str, Any]) -> dict[str, Any]:
    visibility = {AFTER_DUE: "after_due_date", HIDDEN: "hidden"}
    tests = []
    for lab in results["labs"]:
        for number, test in enumerate(lab["tests"], 1):
            entry = {
                **{"score": test["score"], "max_score": test["points"]},
                "status": "passed" if test["status"] == PASS else "failed",
                "name": test["title"],
                "number": f"{lab['name'].split('-')[0]}.{number}",
                "output": "" if test["status"] == PASS else explanation(test),
                "output_format": "text",
                "visibility": visibility.get(test["visible"], "visible"),
                "extra_data": {"id": test["id"]},
            }
            tests.append(entry)
    notes = list(results.get("submission", {}).get("notes", []))
    if results.get("reason"):
        notes.insert(0, results["reason"])
    return {
        "score": results["score"],
        "execution_time": round(results.get("seconds", 0)),
        "output": "\n".join([*notes, f"seed {results['seed']}, grader {results['grader']}"]),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {key: results[key] for key in ("seed", "grader", "tools", "state")},
        "tests": tests,
    }


# Gradescope's published fields: the type of each, and the words that it may be.
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
    """What of it is not as Gradescope documents its results.json."""
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
        faults.append("there is a score neither for the whole nor for a test")
    return faults


def write_all(folder: Path, results: dict[str, Any], pytest_log: Optional[str] = None) -> None:
    """All the files; grade.json last, so that who finds it finished finds the others so."""
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for old in logs.iterdir():
        if old.is_file():
            old.unlink()
    if pytest_log is not None:
        write_atomically(folder / "pytest.txt", pytest_log)
    for lab in results["labs"]:
        for test in lab["tests"]:
            if test["status"] in (FAIL, PART) and (test["log"] or test["seen"]):
                name = f"{lab['name']}.{test['id']}.txt"
                write_atomically(logs / name, f"{explanation(test)}\n\n{test['log']}\n")
    write_atomically(folder / "report.html", report.as_html(results))
    write_atomically(folder / "junit.xml", as_junit(results))
    write_atomically(folder / "grade.csv", as_csv(results))
    write_atomically(folder / "results.json", json.dumps(as_gradescope(results), indent=1) + "\n")
    slim = json.loads(json.dumps(results))
    for lab in slim["labs"]:
        for test in lab["tests"]:
            test.pop("exhibits")  # the pictures are in the report
            for plot in test["plots"]:
                plot.pop("svg")
    write_atomically(folder / "grade.json", json.dumps(slim, indent=1) + "\n")
