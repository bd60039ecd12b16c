"""The findings of marking: a record per test, and from these the results of promises, labs, and the whole run.

A Record is the outcome of one test. Several tests may decide one promise; its PromiseResult follows from all of them.
Points are those of lab.toml, times are in seconds, a fraction is a share of the points, 0 to 1. outputs.py writes files.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional

from grade.marking.course import VISIBLE, Lab, Promise

FORMAT = 2  # the version of grade.json
PASS, PART, FAIL, LATER = "PASS", "PART", "FAIL", "LATER"  # LATER: a test that does not run here decides it
UNFINISHED, FAILED, COMPLETE = "unfinished", "failed", "complete"


# ---- the outcome of a test ----


@dataclass(frozen=True)
class Exhibit:
    """A picture in the report, next to the wanted one. Both are PNG files in base64."""

    title: str
    seen: str
    wanted: Optional[str] = None


@dataclass(frozen=True)
class Plot:
    """A plot in the report with its numbers, or only the table if there is no SVG."""

    title: str
    svg: str
    head: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Explanation:
    """Why points were lost."""

    promised: str = ""
    seen: str = ""
    look: str = ""
    spec: str = ""


@dataclass
class Record:
    lab: str = ""
    id: str = ""  # the promise's id
    test: str = ""  # pytest's name for the test
    line: int = 0  # its line in the test file
    fraction: float = 0.0
    why: str = ""  # the reason that award() gave
    seconds: float = 0.0
    skipped: bool = False
    explanation: Optional[Explanation] = None  # if the test failed
    exhibits: list[Exhibit] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)  # measured numbers, for programs
    log: str = ""
    error: str = ""  # pytest cannot load a test file: the grader is broken, and the other fields do not count

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Record:
        known = json.loads(text)
        explanation = known.pop("explanation")
        return cls(
            explanation=Explanation(**explanation) if explanation else None,
            exhibits=[Exhibit(**each) for each in known.pop("exhibits")],
            plots=[Plot(**each) for each in known.pop("plots")],
            **known,
        )


# ---- results ----


@dataclass
class PromiseResult:
    """The result of one [[test]] in lab.toml."""

    id: str
    title: str
    points: float
    visible: str
    status: str = FAIL
    score: float = 0.0
    fraction: float = 0.0
    why: str = ""
    seconds: float = 0.0
    explanation: Explanation = Explanation()
    exhibits: list[Exhibit] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    log: str = ""

    @property
    def lost_points(self) -> bool:
        return self.status in (FAIL, PART)

    def explained(self) -> list[tuple[str, str]]:
        """Explains lost points: pairs of a key, such as "seen", and its text. Empty if no points were lost."""
        if not self.lost_points:
            return []
        said = [("earned", self.why if self.status == PART else ""), *dataclasses.asdict(self.explanation).items()]
        return [(key, text) for key, text in said if text and text != self.title]  # readers see the title anyway


@dataclass
class LabResult:
    name: str
    title: str
    points: float
    promises: list[PromiseResult]

    @property
    def score(self) -> float:
        return round(sum(promise.score for promise in self.promises), 2)

    @property
    def possible(self) -> float:
        """The points of all promises that the tests here decide."""
        return round(sum(promise.points for promise in self.promises if promise.status != LATER), 2)


@dataclass
class SubmissionFacts:
    path: str
    id: str  # the handout's id
    notes: list[str]  # for the student to read
    files: dict[str, int]  # the size in bytes of each file that we grade
    sandbox: str = ""  # the method that isolated it


@dataclass
class Results:
    seed: str
    grader: str  # the commit of the tree that graded it
    started: str
    tools: dict[str, str]
    seconds: float = 0.0
    state: str = UNFINISHED
    reason: str = ""  # why it is not complete
    build_log: str = ""  # only if the build failed
    submission: Optional[SubmissionFacts] = None
    labs: list[LabResult] = field(default_factory=list)

    @property
    def score(self) -> float:
        return round(sum(lab.score for lab in self.labs), 2)

    @property
    def possible(self) -> float:
        return round(sum(lab.possible for lab in self.labs), 2)

    @property
    def points(self) -> float:
        return round(sum(lab.points for lab in self.labs), 2)

    @property
    def notes(self) -> list[str]:
        return self.submission.notes if self.submission else []

    def without_marks(self, labs: Iterable[Lab], state: str, reason: str) -> Results:
        """The same run with zero points, because it did not finish or cannot be graded."""
        empty = [lab_result(lab, [], True, reason) for lab in labs]
        return dataclasses.replace(self, state=state, reason=reason, labs=empty)


def promise_result(promise: Promise, records: list[Record], runs_here: bool, trouble: str = "") -> PromiseResult:
    """The result of a promise is that of the worst test that decides it. If several are equally bad, the first one in the
    file counts, whichever ended first. `trouble` says why no test ran."""
    result = PromiseResult(promise.id, promise.title, promise.points, promise.visible)
    if not records:
        if not runs_here:
            result.status = LATER
            return result
        seen = trouble or "the test did not finish"
        result.explanation = Explanation(promise.title, seen, "" if trouble else "the log of the tests: pytest.txt", promise.spec)
        return result
    worst = min(records, key=lambda record: (record.fraction, record.explanation is None, record.line))
    result.why, result.log, result.explanation = worst.why, worst.log, worst.explanation or Explanation()
    result.exhibits = [each for record in records for each in record.exhibits]
    result.plots = [each for record in records for each in record.plots]
    result.metrics = {name: value for record in records for name, value in record.metrics.items()}
    result.seconds = round(sum(record.seconds for record in records), 2)
    result.fraction = worst.fraction
    result.score = round(promise.points * worst.fraction, 2)
    # PASS is possible although a test failed: it awarded all points before something else went wrong.
    result.status = PASS if worst.fraction >= 1 else PART if worst.fraction > 0 else FAIL
    return result


def lab_result(lab: Lab, records: list[Record], staff: bool, trouble: str = "") -> LabResult:
    """The result of a lab. `staff` means that hidden tests run here too."""

    def result(promise: Promise) -> PromiseResult:
        mine = [record for record in records if (record.lab, record.id) == (lab.name, promise.id)]
        return promise_result(promise, mine, staff or promise.visible == VISIBLE, trouble)

    return LabResult(lab.name, lab.title, lab.points, [result(promise) for promise in lab.tests])


# ---- grade.json ----


def as_json(results: Results) -> dict[str, Any]:
    """Everything except pictures and plots. Those are in the report."""
    whole = dataclasses.asdict(results)
    for lab, found in zip(whole["labs"], results.labs):
        lab.update(score=found.score, possible=found.possible)
        lab["tests"] = lab.pop("promises")
        for test in lab["tests"]:
            test.update(test.pop("explanation"))
            del test["exhibits"]
            for plot in test["plots"]:
                del plot["svg"]
    sums = {"score": results.score, "possible": results.possible, "points": results.points}
    return {"format": FORMAT, "course": "Ringfence", **whole, **sums}


def read_results(path: Path) -> Results:
    """Reads a grade.json. Raises ValueError if it is damaged or has another format."""
    known = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(known, dict) or known.get("format") != FORMAT:
        raise ValueError(f"{path} is not a grade.json of format {FORMAT}")
    try:
        return _results(known)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error!r}") from None


def _fields(kind: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name: known[each.name] for each in dataclasses.fields(kind) if each.name in known}


def _promise_result(known: Mapping[str, Any]) -> PromiseResult:
    fields = _fields(PromiseResult, known)
    fields.update(explanation=Explanation(**_fields(Explanation, known)), plots=[Plot(svg="", **plot) for plot in known["plots"]])
    return PromiseResult(**fields)


def _results(known: Mapping[str, Any]) -> Results:
    fields = _fields(Results, known)
    fields["labs"] = [
        LabResult(lab["name"], lab["title"], lab["points"], [_promise_result(test) for test in lab["tests"]]) for lab in known["labs"]
    ]
    fields["submission"] = SubmissionFacts(**known["submission"]) if known["submission"] else None
    return Results(**fields)
