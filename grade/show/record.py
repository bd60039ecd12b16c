"""Records what the display shows while a program runs: record.py [--seconds N] [--rate N] [--command C] OUT.gif

The pictures are taken by this host's clock, at most --rate a second; each is shown for as long as the next was late. So
the recording is as smooth as the machine was.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from grade.machine.job import Job
from grade.machine.machine import ConsoleError, Machine, QmpError




def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="roulette", help="what draws the pictures; a key ends it")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=12.5, help="pictures a second; GIF counts in 1/100 s")
    parser.add_argument("out", type=Path, help="the GIF file to write")
    options = parser.parse_args()
    if options.out.suffix.lower() != ".gif" or options.seconds <= 0 or not 0 < options.rate <= 50:
        parser.error("OUT must end in .gif, SECONDS be more than 0, and the rate at most 50")

    from PIL import Image

    pictures: list[Image.Image] = []
    shown: list[float] = []  # when each was taken
    try:
        with Machine(Job.from_environment()) as machine:
            machine.send(f"{options.command}\n")
            machine.expect(r"any key ends it")
            start = time.monotonic()
            while not shown or shown[-1] - start < options.seconds:
                # Pacing, not waiting: the next picture is due then.
                time.sleep(max(0.0, start + len(pictures) / options.rate - time.monotonic()))
                shown.append(time.monotonic())
                pictures.append(machine.screendump().quantize(128))
                if sys.stderr.isatty():
                    print(f"\rrecord: {shown[-1] - start:.1f} of {options.seconds:g} s", end="", file=sys.stderr)
    except (AssertionError, ConsoleError, QmpError) as error:
        print(f"record: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nrecord: stopped; this much is kept", file=sys.stderr)
    if not pictures:
        return 1
    later = shown[1:] + [shown[-1] + 1 / options.rate]
    # A hundredth of a second is what GIF can say.
    lengths = [max(20, round((after - at) * 100) * 10) for at, after in zip(shown, later)]
    pictures[0].save(options.out, save_all=True, append_images=pictures[1:], duration=lengths, loop=0, optimize=False)
    print(f"\rrecord: {options.out}: {len(pictures)} pictures taken in {sum(lengths) / 1000:.1f} s, {options.out.stat().st_size >> 10} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
