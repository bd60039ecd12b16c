"""The way from the tests' outcomes to points, results, and the verdict on a mutant."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path
from typing import Optional

import pytest

from grade import ROOT
from grade.marking import results as rs
from grade.marking.course import all_labs
from grade.marking.outputs import gradescope_faults, write_all
from grade.staff import mutants
from grade.staff.handout import student_toml
from grade.tests.support.lab_trees import LAB


# ---- the pytest plugin, on a small lab ----

TESTS = '''
import pytest
from grade.marking.promise import Broken

@pytest.mark.promise("a")
def test_a_first(award):
    award(0.5, "one of two")

@pytest.mark.promise("a")
def test_a_second(metric):
    metric("turns", 2.5)

@pytest.mark.promise("b")
def test_b(seed):
    raise Broken(seen=f"seed {seed}", look="here")

@pytest.mark.promise("c")
def test_c(award):
    award(0.25, "a little")
    print("log of c")
    assert 1 + 1 == 3, "one and one is three"
'''


def run_plugin(folder: Path, text: str, *options: str) -> tuple[list[rs.Record], str]:
    lab = folder / "labs/9-try"
    lab.mkdir(parents=True, exist_ok=True)
    (lab / "lab.toml").write_text(student_toml(LAB) + '\n[[test]]\nid = "b"\ntitle = "b holds"\npoints = 1\n')
    (lab / "test_try.py").write_text(text)
    records = folder / "records"
    records.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "grade/pytest.ini"), f"--rootdir={ROOT}"]
    command += ["-p", "grade.marking.plugin", "--records", str(records), *options, str(lab)]
    # This test may run in an xdist worker; the inner pytest must not think that it does.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = records.read_text().splitlines() if records.exists() else []
    return [rs.Record.from_json(line) for line in lines], done.stdout


def test_points_come_from_what_the_tests_say(tmp_path: Path) -> None:
    records, output = run_plugin(tmp_path, TESTS, "--seed", "1")
    assert len(records) == 4, output
    lab = rs.lab_result(LAB, records, staff=True)
    a, b, c = lab.promises
    assert (a.status, a.score, a.why) == ("PART", 1, "one of two")
    assert (b.status, b.score, b.explanation.look) == ("FAIL", 0, "here")
    assert b.explanation.promised == "b holds"
    assert (c.score, c.why) == (0.25, "a little")
    assert "one and one is three" in c.explanation.seen and "log of c" in c.log
    assert lab.score == 1.25


def test_the_first_failure_in_the_file_is_reported(tmp_path: Path) -> None:
    """Two tests of one promise may run at the same time, and either may finish first."""
    records, _ = run_plugin(tmp_path, TESTS.replace('"c")', '"b")'))
    assert [record.test.split("::")[1] for record in records][-2:] == ["test_b", "test_c"]
    records[-1].fraction = 0.0
    for order in (records, records[::-1]):
        told = rs.lab_result(LAB, order, True).promises
        assert any(promise.explanation.seen.startswith("seed ") for promise in told), told


def test_a_seed_repeats_the_choices(tmp_path: Path) -> None:
    def seen(*options: str) -> str:
        return next(r.explanation.seen for r in run_plugin(tmp_path, TESTS, *options)[0] if r.id == "b" and r.explanation)

    workers = ("-n", "2") if find_spec("xdist") else ()
    assert seen("--seed", "1") == seen("--seed", "1", *workers) != seen("--seed", "2")
    assert seen() != seen()


def test_a_test_for_an_unknown_promise_is_an_error(tmp_path: Path) -> None:
    records, output = run_plugin(tmp_path, TESTS.replace('"c"', '"z"'))
    assert "there is no test 'z'" in output and not records


def test_a_test_file_that_cannot_be_loaded_is_an_error_not_a_zero(tmp_path: Path) -> None:
    records, _ = run_plugin(tmp_path, "import nothing_of_that_name\n")
    assert [record for record in records if "cannot be loaded" in record.error]


def test_a_missing_verdict_is_not_a_zero(tmp_path: Path) -> None:
    """A test that did not finish or was skipped has no verdict: this is the grader's failure, not the student's."""
    from grade.marking.mark import without_verdict

    records, _ = run_plugin(tmp_path, TESTS, "--seed", "1")
    assert not without_verdict([LAB], records, staff=True)
    cut = [record for record in records if record.id != "c"]
    assert without_verdict([LAB], cut, staff=True) == ["c of 9-try"] and not without_verdict([LAB], cut, staff=False)
    skipped = TESTS.replace("    raise Broken", "    pytest.skip('no such tool')\n    raise Broken")
    assert without_verdict([LAB], run_plugin(tmp_path, skipped)[0], staff=True) == ["b of 9-try"]


# ---- results ----


def some_results(tmp_path: Path, text: str = TESTS) -> rs.Results:
    records, _ = run_plugin(tmp_path, text, "--seed", "1")
    labs = [rs.lab_result(LAB, records, staff=True)]
    return rs.Results("1", "abc", "now", {"qemu": "7"}, seconds=1.5, state=rs.COMPLETE, labs=labs)


def test_the_placeholder_gives_no_points(tmp_path: Path) -> None:
    begun = rs.Results("1", "abc", "now", {})
    write_all(tmp_path, begun.without_marks([LAB], rs.UNFINISHED, "not finished"))
    grade = json.loads((tmp_path / "grade.json").read_text())
    assert grade["state"] == "unfinished" and grade["score"] == 0 and grade["possible"] == 4
    scope = json.loads((tmp_path / "results.json").read_text())
    assert scope["score"] == 0 and "not finished" in scope["output"] and not gradescope_faults(scope)
    assert "not finished" in (tmp_path / "report.html").read_text()


def test_every_form_of_the_results(tmp_path: Path) -> None:
    strange = TESTS.replace("log of c", "log \\x00\\x1b[31m <b>&").replace("one and one is three", "\\x00 <script> \\ud800")
    found = some_results(tmp_path, strange)
    out = tmp_path / "out"
    write_all(out, found, "pytest says")
    scope = json.loads((out / "results.json").read_text())
    assert not gradescope_faults(scope)
    assert [test["visibility"] for test in scope["tests"]] == ["visible", "hidden", "after_due_date"]
    suite = ET.parse(out / "junit.xml").getroot()[0]
    assert suite.get("tests") == "3" and suite.get("failures") == "3"
    assert len((out / "grade.csv").read_text().splitlines()) == 4
    page = (out / "report.html").read_text()
    assert "<script>" not in page and "http" not in page.replace("http://www.w3.org", "")
    assert (out / "logs/9-try.c.txt").exists() and (out / "pytest.txt").read_text() == "pytest says"
    assert not list(out.glob(".*")), "a half-written file is left"
    again = rs.read_results(out / "grade.json")
    assert (again.seed, again.score, again.points) == (found.seed, found.score, found.points)
    assert [promise.explanation for promise in again.labs[0].promises] == [promise.explanation for promise in found.labs[0].promises]
    assert again.labs[0].promises[0].metrics == {"turns": 2.5}
    (out / "grade.json").write_text((out / "grade.json").read_text().replace(f'"format": {rs.FORMAT}', '"format": 1'))
    with pytest.raises(ValueError, match="format"):
        rs.read_results(out / "grade.json")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1, "labs": []}', '{"format": 2, "labs": [{}]}'])
def test_an_invalid_grade_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "grade.json").write_text(text)
    with pytest.raises(ValueError):
        rs.read_results(tmp_path / "grade.json")


def test_faults_that_gradescope_would_refuse() -> None:
    assert gradescope_faults({"tests": []})
    assert gradescope_faults({"score": "3"})
    assert gradescope_faults({"score": 1, "colour": "red"})
    assert gradescope_faults({"tests": [{"score": 3, "max_score": 2}]})
    assert gradescope_faults({"tests": [{"score": 1, "max_score": 2, "visibility": "never"}]})


# ---- mutants ----


@pytest.mark.parametrize(
    "test, says, lost, complaint",
    [
        ("a", "slot 256", {"a": "seen slot 256"}, None),
        ("a", "slot 256", {"a": "something else"}, "does not say"),
        ("a", "slot", {}, "passes"),
        ("a", "slot", {"a": "slot", "b": "x"}, "also fails"),
        ("a", "slot", {"b": "slot"}, "passes"),
        ("", "", {}, None),
        ("", "", {"b": "x"}, "loses b"),
    ],
)
def test_the_verdict_on_a_mutant(test: str, says: str, lost: dict[str, str], complaint: Optional[str]) -> None:
    rows = [
        rs.PromiseResult(id, id, 1, "visible", "FAIL" if id in lost else "PASS", explanation=rs.Explanation(seen=lost.get(id, "")))
        for id in "abc"
    ]
    begun = rs.Results("1", "abc", "now", {})
    case = mutants.Case(LAB, Path("labs/9-try/mutants/x.patch"), test, says)
    verdict = mutants.judge(case, dataclasses.replace(begun, state=rs.COMPLETE, labs=[rs.LabResult("9-try", "Try", 3, rows)]))
    assert complaint in verdict if complaint else not verdict
    assert mutants.judge(case, begun.without_marks([LAB], rs.FAILED, "it does not build"))


def test_every_patch_applies_and_every_lab_has_one() -> None:
    patches = [case for case in mutants.find_cases(all_labs(), "") if case.patch and case.patch.is_file()]
    assert {case.lab.name for case in patches if case.test} == {lab.name for lab in all_labs() if not lab.name.startswith("0-")}
    for case in patches:
        done = subprocess.run(["patch", "-p1", "--dry-run", "--batch", "-i", str(case.patch)], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, f"{case.name} does not apply:\n{done.stdout}"
