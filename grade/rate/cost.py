"""make frame-cost: prints what a frame of the wheel costs on the course's model machine.

    python3 -m grade.rate.cost [-r WxH] [-s SEED] [-j]       -j: one JSON object, for programs
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from grade.machine.job import Job
from grade.marking.promise import Broken
from grade.rate.model import COUNTED, model
from grade.rate.watch import watch


def main() -> int:
    parser = argparse.ArgumentParser(description="What a frame of the wheel costs, on the course's model machine.")
    parser.add_argument("-r", dest="size", default="640x480", help="size of the picture")
    parser.add_argument("-s", dest="seed", type=int, default=1, help="chooses the wheel's numbers and the first frame")
    parser.add_argument("-j", dest="json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    try:
        width, height = (int(word) for word in given.size.split("x"))
        found = model(watch(Job.from_environment(), width, height, given.seed, 1))
    except (ValueError, Broken) as error:
        print(f"frame-cost: {error}", file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps(asdict(found)))
        return 0
    print(f"{found.rate:,.1f} modelled frames/s at {given.size}; a frame:")
    for name, ns in found.parts().items():
        print(f"  {name:24}{ns / 1e6:12.3f} ms")
    for name in (*COUNTED, "console"):
        print(f"  {name:24}{getattr(found, name):12,.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
