"""Records what the display shows while a program runs: record.py [--seconds N] [--rate N] [--command C] OUT.gif

It takes at most --rate pictures a second, by the host's clock. The GIF shows each picture until the time when the next one
was taken, so the recording is as smooth as the machine was.
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
    parser.add_argument("--command", default="roulette", help="the program that draws; any key must end it")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=12.5, help="pictures per second; GIF counts in 1/100 s")
    parser.add_argument("out", type=Path, help="the GIF file to write")
    options = parser.parse_args()
    if options.out.suffix.lower() != ".gif" or options.seconds <= 0 or not 0 < options.rate <= 50:
        parser.error("OUT must end in .gif, SECONDS must be above 0, and the rate must be above 0 and at most 50")

    from PIL import Image

    pictures: list[Image.Image] = []
    shown: list[float] = []  # the time of each picture
    try:
        with Machine(Job.from_environment()) as machine:
            machine.send(f"{options.command}\n")
            machine.expect(r"any key ends it")
            start = time.monotonic()
            while not shown or shown[-1] - start < options.seconds:
                # This sleep waits for no event: it ends when the next picture is due.
                time.sleep(max(0.0, start + len(pictures) / options.rate - time.monotonic()))
                shown.append(time.monotonic())
                pictures.append(machine.screendump().quantize(128))
                if sys.stderr.isatty():
                    print(f"\rrecord: {shown[-1] - start:.1f} of {options.seconds:g} s", end="", file=sys.stderr)
    except (AssertionError, ConsoleError, QmpError) as error:
        print(f"record: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nrecord: stopped; writing the pictures taken so far", file=sys.stderr)
    if not pictures:
        return 1
    later = shown[1:] + [shown[-1] + 1 / options.rate]
    # GIF counts time in hundredths of a second.
    lengths = [max(20, round((after - at) * 100) * 10) for at, after in zip(shown, later)]
    pictures[0].save(options.out, save_all=True, append_images=pictures[1:], duration=lengths, loop=0, optimize=False)
    print(f"\rrecord: {options.out}: {len(pictures)} pictures taken in {sum(lengths) / 1000:.1f} s, {options.out.stat().st_size >> 10} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
