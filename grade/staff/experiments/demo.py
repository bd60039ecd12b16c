"""make demo-wheel: one kernel with four ways to read the used ring; keys switch between them.

    python3 -m grade.staff.experiments.demo [--gif FILE]

With a screen (or VNC=1) the demo is live. QEMU's window shows the picture; type keys in this terminal: 1 to 4 and space
choose the loop, q ends the demo, and r plays the recorded run, docs/img/slow-wheel.gif, in the browser. With --gif, or
without a screen, it records a GIF file: the four loops side by side.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import termios
import time
import tty
import webbrowser
from pathlib import Path
from typing import Any, Optional

from grade import ROOT
from grade.machine.job import Job
from grade.machine.machine import ConsoleError
from grade.staff.experiments import workshop
from grade.staff.experiments.workshop import HERE, RING, START, Workshop, WorkshopError, boot, progress

RECORDED = ROOT / "docs/img/slow-wheel.gif"
LOOPS = {"hoisted": "hoisted", "before": "fence-before", "correct": "fence-after", "over_fenced": "full-every-poll"}
VIRTQ_POLL = re.compile(r"^int virtq_poll\(.*?^}\n", re.MULTILINE | re.DOTALL)
STAT = "const struct device vqstat_device = {.read = vqstat_read};\n"
STAT_TOO = """long demo_write(int minor, uint64_t user_src, uint64_t n, uint64_t offset);
const struct device vqstat_device = {.read = vqstat_read, .write = demo_write};
"""

# The recording: screens per second, seconds per loop, the size of each of the four pictures, and colours.
RATE, SECONDS, WIDTH, HEIGHT, COLOURS = 5, 2.4, 320, 240, 32


def once(pattern: str, replacement: str, text: str, where: str) -> str:
    if text.count(pattern) != 1:
        raise WorkshopError(f"{where} has changed: demo.py cannot find {pattern.strip()!r}")
    return text.replace(pattern, replacement)


def ring_source() -> str:
    """Returns virtqueue.c with the four loops in it."""
    looks = ""
    for name, variant in LOOPS.items():
        looks += once("int poll_used(", f"static inline int look_{name}(", workshop.variant_text(variant), variant) + "\n"
    text = workshop.put_poll_used((ROOT / RING).read_text(), looks + (HERE / "demo/loops.c").read_text())
    after = text.index((HERE / "demo/loops.c").read_text()) + len((HERE / "demo/loops.c").read_text())
    rest, count = VIRTQ_POLL.subn("", text[after:])
    if count != 1:
        raise WorkshopError(f"{RING} has changed: demo.py cannot find virtq_poll() in it")
    return text[:after] + rest


class DemoShop(Workshop):
    """Has its own copy of the tree, so the demo and the experiments do not rebuild each other's files."""

    def __init__(self, job: Job) -> None:
        stat = (ROOT / "kernel/virtio/vqstat.c").read_text()
        super().__init__(
            job,
            "demo",
            {
                "user/roulette/main.c": (HERE / "demo/main.c").read_text(),
                "kernel/virtio/demo.c": (HERE / "demo/switch.c").read_text(),
                "kernel/virtio/gpu_wait.c": (HERE / "demo/gpu_wait.c").read_text(),
                "kernel/virtio/vqstat.c": once(STAT, STAT_TOO, stat, "kernel/virtio/vqstat.c"),
                RING: ring_source(),
            },
        )

    def demo_kernel(self) -> Path:
        return self.make(f"build/{START}/kernel.elf", f"START={START}")


# ---- live ----


def window(job: Job) -> Optional[list[str]]:
    """QEMU's options for a visible display, or None if there can be none."""
    if os.environ.get("VNC"):
        return ["-display", f"vnc=127.0.0.1:{os.environ['VNC']}"]
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None
    kinds = subprocess.run([job.qemu, "-display", "help"], stdout=subprocess.PIPE, text=True).stdout.split()
    found = [kind for kind in ("gtk", "sdl", "cocoa") if kind in kinds]
    return ["-display", found[0]] if found else None


def play_recorded() -> None:
    if not RECORDED.exists():
        name = RECORDED.relative_to(ROOT)
        print(f"demo-wheel: there is no {name}: record it with make demo-wheel GIF={name}\r")
    elif not webbrowser.open(RECORDED.as_uri()):
        print(f"demo-wheel: no browser found; the recorded run is {RECORDED}\r")


def live(job: Job, kernel: Path, initrd: Path, display: list[str]) -> int:
    """Sends your keys to the machine until you type q. The key r also works when the machine has ended."""
    keys = "demo-wheel: 1 hoisted load  2 fence before  3 correct  4 over-fenced  space next  r recorded run  q end"
    machine: Any = None
    try:
        machine = boot(job, kernel, initrd, extra=display)
        machine.send("roulette\n")
        machine.expect("q: end", quiet=20)
        print(keys)
    except (ConsoleError, AssertionError) as error:
        print(f"demo-wheel: {error}\ndemo-wheel: the machine did not start. r plays the recorded run, q ends the demo")
    before = termios.tcgetattr(0) if os.isatty(0) else None
    try:
        if before is not None:
            tty.setcbreak(0)
        while True:
            if not select.select([0], [], [], 0.2)[0]:
                if machine is not None and machine.process is not None and machine.process.poll() is not None:
                    print("demo-wheel: the machine has ended. r plays the recorded run, q ends the demo")
                    machine.close()
                    machine = None
                continue
            key = os.read(0, 1).decode(errors="replace")
            if key in ("q", "Q", ""):
                return 0
            if key in ("r", "R"):
                play_recorded()
            elif machine is not None:
                machine.send(key)
    finally:
        if before is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, before)
        if machine is not None:
            machine.close()


# ---- recorded ----


def screens(machine: Any, seconds: float) -> list[Any]:
    """Takes RATE pictures per second."""
    result: list[Any] = []
    start = time.monotonic()
    while len(result) < int(seconds * RATE):
        due = start + len(result) / RATE
        time.sleep(max(0.0, due - time.monotonic()))
        result.append(machine.screendump())
    return result


def record(job: Job, kernel: Path, initrd: Path, gif: Path) -> None:
    """Boots once, records each of the four loops, and puts their pictures side by side."""
    from PIL import Image

    runs = []
    with boot(job, kernel, initrd) as machine:
        machine.send("roulette\n")
        machine.expect("q: end", quiet=20)
        for number, name in enumerate(LOOPS, 1):
            progress(f"demo-wheel: recording {name.replace('_', '-')}")
            machine.send(str(number))
            screens(machine, 1.6)  # wait until the shown numbers are only about this loop
            runs.append(screens(machine, SECONDS))
        machine.send("q")
        machine.expect(r"^\$ ", quiet=20)
    frames = []
    for four in zip(*runs):
        sheet = Image.new("RGB", (2 * WIDTH + 4, 2 * HEIGHT + 4), (60, 60, 60))
        for i, screen in enumerate(four):
            sheet.paste(screen.resize((WIDTH, HEIGHT), Image.LANCZOS), (i % 2 * (WIDTH + 4), i // 2 * (HEIGHT + 4)))
        frames.append(sheet)
    palette = frames[0].quantize(COLOURS)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    gif.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(gif, save_all=True, append_images=frames[1:], duration=1000 // RATE, loop=0, optimize=True)
    progress("")
    print(f"demo-wheel: {gif}, {gif.stat().st_size // 1024} KiB: {SECONDS:.1f} seconds of each loop")


def main() -> int:
    parser = workshop.command_line(__doc__)
    parser.add_argument("--gif", default="", help="record into this file")
    given = parser.parse_args()
    job = Job.from_environment()

    def work() -> None:
        display = None if given.gif else window(job)
        shop = DemoShop(job)
        kernel, initrd = shop.demo_kernel(), shop.initrd()
        if display:
            live(job, kernel, initrd, display)
            return
        if not given.gif:
            print("demo-wheel: no screen here (VNC=1 shows it in a VNC viewer): recording instead", file=sys.stderr)
        record(job, kernel, initrd, Path(given.gif) if given.gif else job.build / "demo-wheel.gif")

    return workshop.attempt("demo-wheel", work)


if __name__ == "__main__":
    sys.exit(main())
