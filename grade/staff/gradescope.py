"""make gradescope LAB=1-virtqueue OUT=grader.zip: makes an autograder. Upload the zip to Gradescope unchanged.

The zip contains setup.sh, which Gradescope runs once when it builds the image; run_autograder, which it runs for each
submission; and the whole tree with its tests. Half a processor and 768 MB are enough for it.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from pathlib import Path

from grade import ROOT
from grade.marking.course import CourseError, commit, find_lab
from grade.staff.handout import tree_files

SETUP = """\
#!/bin/bash
# Runs once, as root, when Gradescope builds the image.
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends make
cd /autograder/source/ringfence
# A submission's code must not see the tests, even if a container forbids bubblewrap.
chmod 700 /autograder/source /autograder/source/ringfence
make setup
make doctor
make
# Build the handout now, not at the first submission. Each submission is copied over it.
GRADE_CACHE=/autograder/cache make grade-prepare LAB={lab} ID={id}
"""

RUN = """\
#!/bin/bash
# Runs for each submission. Before it runs any of the student's code, it writes results with zero points.
cd /autograder/source/ringfence || exit 1
GRADE_CACHE=/autograder/cache make grade SUBMISSION=/autograder/submission LAB={lab} ID={id} RESULTS=/autograder/results
"""


def pack(lab: str, out: Path, id: str) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("setup.sh", SETUP), ("run_autograder", RUN)):
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, text.format(lab=lab, id=id))
        for name in tree_files(ROOT):
            archive.write(ROOT / name, f"ringfence/{name}")
        archive.writestr("ringfence/grader.mk", f"# The commit that this was packed from.\nGRADER_OF := {commit()}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--id", default="plain")
    given = parser.parse_args()
    try:
        lab = find_lab(given.lab)
    except CourseError as error:
        print(f"gradescope: {error}", file=sys.stderr)
        return 2
    pack(lab.name, given.out, given.id)
    print(f"gradescope: {given.out} grades lab {lab.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
