"""Judges screens. Each pixel must belong to the last frame that was flushed, or each to the frame that is being flushed.

    paint = Painter(run)
    screens = [look(run, shot, paint) for shot in run.shots]

QEMU finishes the work of a kick before it handles a monitor command, so no picture shows a half-done kick.
"""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from typing import Optional

from PIL import Image, ImageChops

from grade.rate.watch import Run, Shot

RIGHT, TORN, STALE, WRONG = "right", "torn", "stale", "wrong"


@dataclass(frozen=True)
class Screen:
    """A judged screen. `wanted` is the frame that it should show, and `frame` is the number of that frame."""

    kind: str
    frame: int
    seen: Image.Image
    wanted: Image.Image
    story: str = ""  # what is wrong with it


class Painter:
    """Draws the right frames with the host program draw_wheel, pixel by pixel from the definition of the picture."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.program = run.build / "host/draw_wheel"
        self.drawn: dict[int, Image.Image] = {}

    def __call__(self, index: int) -> Image.Image:
        """Returns the picture of frame number `index` of the run."""
        if index not in self.drawn:
            number = (self.run.first + index) % 2**32
            size = f"{self.run.width}x{self.run.height}"
            command = [str(self.program), "-p", "-r", size, "-s", str(self.run.wheel_seed), str(number)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            self.drawn[index] = Image.open(io.BytesIO(done.stdout)).convert("RGB")
        return self.drawn[index]


def _mask(a: Image.Image, b: Image.Image) -> Image.Image:
    """A mask that is white where the pictures differ."""
    red, green, blue = ImageChops.difference(a, b).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue).point(lambda value: 255 if value else 0)


def _count(mask: Image.Image) -> int:
    return mask.histogram()[255]


def shown_frame(run: Run, shot: Shot) -> int:
    """The index of the last frame whose flushes all came before the picture; -1 if there is none."""
    done = [i for i, frame in enumerate(run.frames) if frame.flushes and frame.last_flush < shot.place]
    return done[-1] if done else -1


def look(run: Run, shot: Shot, paint: Painter) -> Screen:
    """Judges one screen."""
    index = shown_frame(run, shot)
    seen = shot.image.convert("RGB")
    if index < 0:
        return Screen(STALE, run.first, seen, paint(0), "no frame has been flushed")
    wanted, number = paint(index), run.first + index
    if seen.size != wanted.size:
        return Screen(WRONG, number, seen, wanted, f"the display is {seen.size[0]}x{seen.size[1]}")
    old = _mask(seen, wanted)
    if old.getbbox() is None:
        return Screen(RIGHT, number, seen, wanted)
    new = _mask(seen, paint(index + 1))  # the driver has transferred this frame and is about to flush it
    if new.getbbox() is None:
        return Screen(RIGHT, number + 1, seen, paint(index + 1))
    for other in (index + 1, index - 1):
        mine = new if other > index else _mask(seen, paint(max(0, other)))
        if mine.getbbox() and ImageChops.darker(old, mine).getbbox() is None:
            story = f"{_count(mine)} pixels belong to frame {number}, {_count(old)} to frame {run.first + other}"
            return Screen(TORN, number, seen, wanted, story)
    for other in [*range(index - 1, max(-1, index - 5), -1), 0]:
        if other >= 0 and _mask(seen, paint(other)).getbbox() is None:
            story = f"frame {number} was flushed, but the screen shows frame {run.first + other}"
            return Screen(STALE, number, seen, wanted, story)
    if _count(new) < _count(old):
        number, wanted, old = number + 1, paint(index + 1), new
    left, top, right, bottom = old.getbbox() or (0, 0, 0, 0)
    first = next((x for x in range(left, right) if old.getpixel((x, top))), left)
    story = (
        f"{_count(old)} pixels of frame {number} (seed {run.wheel_seed}, {run.width}x{run.height}) are wrong, all within "
        f"({left}, {top}) and ({right}, {bottom}); the first, ({first}, {top}), is {seen.getpixel((first, top))} "
        f"and should be {wanted.getpixel((first, top))}"
    )
    return Screen(WRONG, number, seen, wanted, story)


def wrong_pixels(screen: Screen) -> Optional[Image.Image]:
    """A mask that is white where the screen is wrong. None if the screen is right or has another size."""
    if screen.seen.size != screen.wanted.size:
        return None
    mask = _mask(screen.seen, screen.wanted)
    return mask if mask.getbbox() else None


def marked(screen: Screen) -> Image.Image:
    """The screen in pale colours with each wrong pixel in red. If no pixel is wrong, the unchanged screen."""
    mask = wrong_pixels(screen)
    if mask is None:
        return screen.seen
    out = Image.blend(screen.seen, Image.new("RGB", screen.seen.size, "white"), 0.6)
    out.paste((255, 0, 0), mask=mask)
    return out


def unflushed(run: Run, index: int, paint: Painter) -> int:
    """How many pixels of a frame differ from the frame before in the same resource, but lie outside all its flushes."""
    frame = run.frames[index]
    before = [i for i in range(index) if run.frames[i].resource == frame.resource and run.frames[i].flushes]
    if not before:
        return 0
    changed = _mask(paint(index), paint(before[-1]))
    for rect in frame.flushes:
        changed.paste(0, rect)
    return _count(changed)
