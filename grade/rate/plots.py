"""Plots for report.html: SVG without outside files, and the same numbers in a table.

Each plot function returns (svg, head, rows). Pass these to the fixture `plot` of grade/marking/plugin.py.
"""

from __future__ import annotations

from html import escape
from typing import Optional, Sequence

from PIL import Image

Plot = tuple[str, list[str], list[list[str]]]
# These also differ in lightness, and work on white and on black.
COLOURS = ["#1a6fb5", "#e08e2b", "#7a4fa3", "#5aa469", "#b5434c", "#8a8a8a"]
WIDTH, LEFT, RIGHT = 640, 110, 20


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="13" fill="currentColor" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, label: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" role="img" aria-label="{escape(label)}">'
    return f"{head}{''.join(parts)}</svg>"


def line(values: Sequence[float], unit_x: str, unit_y: str, columns: int = 12) -> Plot:
    """A line through the values in order. The table splits them into `columns` pieces, and has the least, the mean and the
    most of each piece."""
    height, bottom = 220, 190
    most = max(values, default=1.0) * 1.1 or 1.0
    step = (WIDTH - LEFT - RIGHT) / max(1, len(values) - 1)
    points = " ".join(f"{LEFT + i * step:.1f},{bottom - v / most * 170:.1f}" for i, v in enumerate(values))
    parts = [f'<polyline points="{points}" fill="none" stroke="{COLOURS[0]}" stroke-width="1.5"/>']
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * 170
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="currentColor" stroke-opacity=".25"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{number(share * most)} {unit_y}", "end"))
    parts += [_text(LEFT, bottom + 18, "0"), _text(WIDTH - RIGHT, bottom + 18, f"{unit_x} {len(values) - 1}", "end")]
    rows = []
    size = max(1, -(-len(values) // columns))
    for at in range(0, len(values), size):
        piece = values[at : at + size]
        rows.append([f"{at} to {at + len(piece) - 1}", *map(number, (min(piece), sum(piece) / len(piece), max(piece)))])
    return _svg(height, f"{unit_y} for each {unit_x}", parts), [unit_x, f"least, {unit_y}", "mean", "most"], rows


def stacked(bars: dict[str, dict[str, float]], unit: str) -> Plot:
    """A stacked bar for each name; all bars have the same parts. We enlarge a bar that is tiny next to the largest, and its
    label says how much."""
    names = list(next(iter(bars.values()), {}))
    parts, y = [], 8.0
    room = WIDTH - LEFT - RIGHT - 170  # leaves space for the label
    largest = max((sum(bar.values()) for bar in bars.values()), default=1.0) or 1.0
    for name, bar in bars.items():
        total, x = sum(bar.values()) or 1e-9, float(LEFT)
        grown = largest / total if total < largest / 20 else 1.0
        parts.append(_text(LEFT - 8, y + 16, name, "end"))
        for colour, part in zip(COLOURS, names):
            wide = bar[part] * grown / largest * room
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="22" fill="{colour}"/>')
            x += wide
        label = f"{number(total)} {unit}" + (f", drawn {grown:.0f} x" if grown > 1 else "")
        parts.append(_text(x + 6, y + 16, label))
        y += 32
    x = float(LEFT)
    for colour, part in zip(COLOURS, names):
        parts.append(f'<rect x="{x:.1f}" y="{y + 4}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 17, y + 15, part))
        x += 34 + 7.2 * len(part)
    rows = [[name, *(number(bar[part]) for part in names), number(sum(bar.values()))] for name, bar in bars.items()]
    return _svg(y + 26, f"{unit} by part", parts), ["", *names, f"together, {unit}"], rows


def strip(pictures: Sequence[tuple[Image.Image, Optional[Image.Image]]], across: int = 4, width: int = 160) -> Image.Image:
    """Puts many small pictures on one sheet, in reading order. White pixels of a picture's mask become red. They stay
    visible when the picture shrinks."""
    if not pictures:
        return Image.new("RGB", (width, 1))
    first = pictures[0][0]
    high = width * first.height // first.width
    sheet = Image.new("RGB", (across * (width + 4) - 4, -(-len(pictures) // across) * (high + 4) - 4), "white")
    for i, (picture, mask) in enumerate(pictures):
        small = picture.convert("RGB").resize((width, high), Image.BILINEAR)
        if mask is not None:
            grown = mask.reduce(max(1, picture.width // width)).point(lambda value: 255 if value else 0)
            small.paste((255, 0, 0), mask=grown.resize((width, high)))
        sheet.paste(small, (i % across * (width + 4), i // across * (high + 4)))
    return sheet
