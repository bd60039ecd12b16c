"""Boots a machine, runs its `bench` and shows the table: bench.py [--build DIR] [--cpus N] [--mem SIZE] [WORDS...]"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="where the kernel was built")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--mem", default="256M")
    parser.add_argument("words", nargs="*", help="arguments of the guest's bench")
    options, more = parser.parse_known_args()

    os.environ["BUILD"] = options.build
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from grade.machine import ConsoleError, Machine

    try:
        # Durable writes are to be measured with the host's flushes, as `make qemu` has them.
        with Machine(cpus=options.cpus, mem=options.mem, cache="writeback") as machine:
            command = " ".join(["bench", *options.words, *more])
            status, output = machine.run_status(command, quiet=60, total=600)
            print(output, end="")
            return status
    except (AssertionError, ConsoleError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
