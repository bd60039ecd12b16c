"""What the student has found: diagnosis.toml and notebook.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from grade.machine.job import Job
from grade.marking.promise import Broken

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
FIELDS: dict[str, type] = {"value": str, "place": str, "pc": int, "compared": int, "memory": int, "levels": list, "disk": str}
QUESTIONS: dict[str, type] = {"compiler": int, "hart": str, "device": str, "memory": str}
EXPERIMENTS = 4
TOO_SHORT = 12  # characters: "I don't know"


def handed_in(job: Job, name: str) -> str:
    """A file of the submission that is being graded, or of this tree; of the staff's tree their own."""
    if job.sandbox:
        return (job.build.parent / "labs" / FOLDER.name / name).read_text(encoding="utf-8", errors="replace")
    staffs = FOLDER / f"staff_{name}"
    return (staffs if staffs.exists() else FOLDER / name).read_text(encoding="utf-8", errors="replace")


def read_answers(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Broken(seen=f"diagnosis.toml cannot be read: {error}") from None


def missing(answers: dict[str, Any]) -> list[str]:
    found = []
    questions = answers.get("questions", {})
    for table, fields, where in ((answers, FIELDS, ""), (questions, QUESTIONS, "questions.")):
        for field, kind in fields.items():
            value = table.get(field) if isinstance(table, dict) else None
            if not isinstance(value, kind) or isinstance(value, bool) or (not value and field not in ("compared", "memory")):
                found.append(where + field)
    if isinstance(answers.get("compared"), int) and answers.get("compared") == answers.get("memory"):
        found.append("compared and memory (they are equal)")
    return found


def experiments(notebook: str) -> list[dict[str, str]]:
    """Each heading of make hypothesis, with its guess, what was seen, and what follows."""
    found = []
    for section in re.split(r"^## ", notebook, flags=re.MULTILINE)[1:]:
        heading = section.split("\n", 1)[0].strip()
        parts = {"heading": heading}
        for name in ("Guess", "Seen", "What follows"):
            text = re.search(rf"^{name}:(.*?)(?=^(?:Guess|Seen|What follows):|\Z)", section, re.MULTILINE | re.DOTALL)
            parts[name] = text[1].strip() if text else ""
        found.append(parts)
    return found


@pytest.mark.promise("complete")
def test_complete(job: Job) -> None:
    text = handed_in(job, "diagnosis.toml")
    # Staff's own holds names for what differs from build to build.
    empty = missing(read_answers(re.sub(r"^(pc|levels) = \$.*$", lambda m: f"{m[1]} = {'1' if m[1] == 'pc' else [1]}", text, flags=re.M)))
    if empty:
        raise Broken(seen=f"diagnosis.toml does not say: {', '.join(empty)}")
    done = experiments(handed_in(job, "notebook.md"))
    good = {each["heading"] for each in done if each["Guess"] and each["Seen"] and len(each["What follows"]) >= TOO_SHORT}
    if len(good) < EXPERIMENTS:
        lacking = [
            f"{each['heading']} ({', '.join(n for n in ('Guess', 'Seen', 'What follows') if len(each[n]) < (TOO_SHORT if n[0] == 'W' else 1))})"
            for each in done
            if each["heading"] not in good
        ]
        raise Broken(
            seen=f"notebook.md has {len(good)} experiments with a guess, what was seen, and what follows from it; {EXPERIMENTS} are "
            f"asked for{'; incomplete: ' + ', '.join(lacking) if lacking else ''}"
        )


@pytest.mark.promise("diagnosis")
def test_diagnosis(job: Job, award: Callable[[float, str], None]) -> None:
    import staff_facts

    known = staff_facts.of_this_run(job)
    answers = read_answers(staff_facts.filled_in(handed_in(job, "diagnosis.toml"), known))
    ahead = (answers.get("memory", 0) - answers.get("compared", 0)) % 65536 if not missing(answers) else 0
    right = {
        "value": re.sub(r"\s|\(|\)", "", str(answers.get("value"))) in ("q->used->idx", "used->idx", "virtq->used->idx", "used.idx"),
        "place": str(answers.get("place")).strip().lstrip("$").lower() in known.places,
        "pc": answers.get("pc") == known.pc,
        "compared, memory": 1 <= ahead <= 512,  # the device is ahead, by what was in flight
        "levels": sorted(map(str, answers.get("levels") or [])) == sorted(known.levels),
        "disk": answers.get("disk") == "c",
    }
    wrong = [field for field, good in right.items() if not good]
    if wrong:
        award((len(right) - len(wrong)) / len(right), f"{len(right) - len(wrong)} of {len(right)} answers are right")
        raise Broken(seen=f"not so for this build: {', '.join(wrong)}")


@pytest.mark.promise("questions")
def test_questions(job: Job, award: Callable[[float, str], None]) -> None:
    text = re.sub(r"^\w+ = \$.*$", "", handed_in(job, "diagnosis.toml"), flags=re.MULTILINE)
    said = read_answers(text).get("questions", {})

    def fence(answer: object) -> str:
        return re.sub(r"^fence|\s", "", str(answer).lower())

    right = {
        "compiler": said.get("compiler") == 1,
        "hart": fence(said.get("hart")) == "r,r",
        "device": fence(said.get("device")) == "w,r",
        "memory": str(said.get("memory")).strip().lower() in ("cbo.inval", "cbo.flush"),
    }
    wrong = [field for field, good in right.items() if not good]
    if wrong:
        award((len(right) - len(wrong)) / len(right), f"{len(right) - len(wrong)} of {len(right)} answers are right")
        raise Broken(seen=f"not so: {', '.join(wrong)}")
