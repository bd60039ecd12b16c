"""Boots a machine, spins the wheel for a while, and saves a picture of the display: screenshot.py [--command C] OUT.png"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from grade.machine.job import Job
from grade.machine.machine import ConsoleError, Machine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", default="roulette -f 0 -o 1396 -n 4 -s 7", help="the program that draws the picture")
    parser.add_argument("out", type=Path, help="the PNG file to write")
    options = parser.parse_args()

    try:
        with Machine(Job.from_environment()) as machine:
            machine.run(options.command, quiet=60)
            machine.screendump().save(options.out)
    except (AssertionError, ConsoleError) as error:
        print(f"screenshot: {error}", file=sys.stderr)
        return 1
    print(f"screenshot: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
