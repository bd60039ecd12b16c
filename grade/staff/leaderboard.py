"""make leaderboard RESULTS=folder: who could turn how many wheels.

Each folder in it that holds a grade.json with lab 5 (what `make grade RESULTS=` writes) and a file `alias` is in the
list, under that alias: whoever wants to be in it tells staff a name. Sorted by how many wheels could turn at once at 60
frames a second on the model machine (docs/grading.md): a load, which adds up, where a rate does not. A wheel whose
picture is wrong is no wheel.
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import NamedTuple, Optional

from grade.marking.results import read_results

LAB = "5-frame-rate"
SMOOTH = 60.0  # frames a second of one wheel
METRIC = "modelled frames/s"  # of the test "rate" of lab 5
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
    """As it may be shown: one line of printable characters. "" if there is none."""
    try:
        text = (folder / "alias").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "".join(c for c in text.strip().split("\n")[0] if unicodedata.category(c)[0] != "C")[:LONGEST].strip()


def read_entry(folder: Path) -> Optional[Entry]:
    """None if there is nothing to list. Raises ValueError for a grade.json that cannot be read."""
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
            print(f"leaderboard: {folder}/grade.json is left out: {type(error).__name__} {error}", file=sys.stderr)
            continue
        entries += [entry] if entry else []
    return sorted(entries, key=lambda entry: (-entry.rate, entry.alias))


def main() -> int:
    results = Path(sys.argv[1]) if len(sys.argv) == 2 and sys.argv[1] else None
    if results is None or not results.is_dir():
        print("leaderboard: RESULTS= must name a folder of results, one folder a student in it", file=sys.stderr)
        return 2
    entries = read_all(results)
    if not entries:
        print(f"leaderboard: {results} has no folder with an alias and a turning wheel of lab 5 in its grade.json")
        return 0
    print(f"{'':>3}  {'':{LONGEST}} {'wheels at 60/s':>14} {'modelled frames/s':>18}")
    for place, entry in enumerate(entries, 1):
        print(f"{place:>3}  {entry.alias:{LONGEST}} {entry.wheels:>14.1f} {entry.rate:>18,.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
