"""make leaderboard RESULTS=folder: lists how many wheels each student's kernel could turn.

RESULTS has one folder per student, with the grade.json of lab 5 (from `make grade RESULTS=`). If you want to be in the
list, tell staff an alias; they write it to the file `alias` in your folder. The list is sorted by the number of wheels that
could turn at once, each with 60 frames per second, on the model machine (docs/grading.md). We count wheels because loads
add up; rates do not. An entry needs a wheel with a right picture.
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import NamedTuple, Optional

from grade.marking.results import read_results

LAB = "5-frame-rate"
SMOOTH = 60.0  # frames per second of one wheel
METRIC = "modelled frames/s"  # a metric of lab 5's test "rate"
NEEDED = ("rate", "picture", "every-frame", "whole")
LONGEST = 30  # characters of an alias


class Entry(NamedTuple):
    alias: str
    rate: float  # modelled frames/s
    points: float

    @property
    def wheels(self) -> float:
        return self.rate / SMOOTH


def read_alias(folder: Path) -> str:
    """Returns the alias: one line of printable characters, so it is safe to print. "" if there is none."""
    try:
        text = (folder / "alias").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "".join(c for c in text.strip().split("\n")[0] if unicodedata.category(c)[0] != "C")[:LONGEST].strip()


def read_entry(folder: Path) -> Optional[Entry]:
    """Returns None if the folder has nothing to list. Raises ValueError if its grade.json is invalid."""
    alias = read_alias(folder)
    if not alias or not (folder / "grade.json").exists():
        return None
    lab = next((lab for lab in read_results(folder / "grade.json").labs if lab.name == LAB), None)
    if lab is None:
        return None
    promises = {promise.id: promise for promise in lab.promises}
    if any(id not in promises or promises[id].score == 0 for id in NEEDED):
        return None
    return Entry(alias, promises["rate"].metrics[METRIC], lab.score)


def read_all(results: Path) -> list[Entry]:
    entries = []
    for folder in sorted(path for path in results.iterdir() if path.is_dir()):
        try:
            entry = read_entry(folder)
        except (ValueError, KeyError) as error:
            print(f"leaderboard: skipping {folder}/grade.json: {type(error).__name__} {error}", file=sys.stderr)
            continue
        entries += [entry] if entry else []
    return sorted(entries, key=lambda entry: (-entry.rate, entry.alias))


def main() -> int:
    results = Path(sys.argv[1]) if len(sys.argv) == 2 and sys.argv[1] else None
    if results is None or not results.is_dir():
        print("leaderboard: RESULTS= must name a folder that has one folder per student", file=sys.stderr)
        return 2
    entries = read_all(results)
    if not entries:
        print(f"leaderboard: {results} has no folder with an alias and a working wheel of lab 5")
        return 0
    print(f"{'':>3}  {'':{LONGEST}} {'wheels at 60/s':>14} {'modelled frames/s':>18}")
    for place, entry in enumerate(entries, 1):
        print(f"{place:>3}  {entry.alias:{LONGEST}} {entry.wheels:>14.1f} {entry.rate:>18,.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
