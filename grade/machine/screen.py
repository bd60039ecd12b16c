"""Compares the picture on a display with the picture that it should show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from PIL import Image, ImageChops

Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass
class Difference:
    """Where two pictures differ. It counts as false if they are equal."""

    count: int  # pixels that differ
    first: Optional[tuple[int, int]] = None  # x and y of the first one in reading order
    seen: Optional[tuple[int, ...]] = None  # its colours
    wanted: Optional[tuple[int, ...]] = None
    box: Optional[Box] = None  # the smallest box around all of them

    def __bool__(self) -> bool:
        return self.count > 0

    def __str__(self) -> str:
        if not self.count:
            return "the pictures are the same"
        return (
            f"{self.count} pixels differ, within {self.box}; the first in reading order is {self.first}:"
            f" it shows {self.seen} but should show {self.wanted}"
        )


def compare(
    seen: Image.Image, wanted: Image.Image, box: Optional[Box] = None, save: Optional[Path] = None
) -> Difference:
    """Compares two pictures, or the same box of both. With `save`, writes a picture of the differences to that file.
    Raises AssertionError if the sizes differ."""
    if box is not None:
        seen, wanted = seen.crop(box), wanted.crop(box)
    if seen.size != wanted.size:
        raise AssertionError(f"the display shows {seen.size[0]}x{seen.size[1]}, not {wanted.size[0]}x{wanted.size[1]}")
    seen, wanted = seen.convert("RGB"), wanted.convert("RGB")
    red, green, blue = ImageChops.difference(seen, wanted).split()
    mask = ImageChops.lighter(ImageChops.lighter(red, green), blue).point(lambda value: 255 if value else 0)
    bounds = mask.getbbox()
    if bounds is None:
        return Difference(0)
    if save is not None:
        # The right picture in pale colours; wrong pixels are red.
        pale = Image.blend(wanted, Image.new("RGB", wanted.size, "white"), 0.7)
        pale.paste((255, 0, 0), mask=mask)
        pale.save(save)
    top_row = mask.crop((0, bounds[1], mask.width, bounds[1] + 1)).getbbox()
    assert top_row is not None
    first = (top_row[0], bounds[1])
    left, top = (box[0], box[1]) if box else (0, 0)
    return Difference(
        mask.histogram()[255],
        (first[0] + left, first[1] + top),
        seen.getpixel(first),
        wanted.getpixel(first),
        (bounds[0] + left, bounds[1] + top, bounds[2] + left, bounds[3] + top),
    )
