"""Reads QEMU's trace, a text file that grows while the machine runs. No other code reads it.

    reader = TraceReader(machine.trace_file)
    for event in reader.read():          # the events since the last call, in order of time
        if event.name == "virtio_queue_notify":
            print(event.time, event.number("n"))

QEMU up to 10 writes `PID@SECONDS:NAME TEXT`; QEMU 11 writes `DATE NAME TEXT`. One of our plugins may write to the same
file: its lines are `NAME TEXT`, and QEMU 11 puts a date before them. We skip all other lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Iterable

_LINE = re.compile(r"(?:\d+@(?P<seconds>[\d.]+):|(?P<date>\d+-\d+-\d+T[\d:.]+)Z )?(?P<name>[a-z]\w*)(?: (?P<text>.*))?$")
_FIELD = re.compile(r"(\w+)[ =](0x[0-9a-f]+|\d+)\b")


@dataclass(frozen=True)
class TraceEvent:
    time: float  # seconds, from an arbitrary zero; a line without a time gets that of the event before it
    name: str  # "virtio_queue_notify"
    text: str  # "vdev 0x5581 n 0 vq 0x7f01"

    @property
    def fields(self) -> dict[str, str]:
        """Each word that is followed by a number: {"vdev": "0x5581", "n": "0", "vq": "0x7f01"}."""
        return dict(_FIELD.findall(self.text))

    def number(self, field: str) -> int:
        """Returns the value of a field. Raises KeyError if the text has no such field."""
        return int(self.fields[field], 0)

    def __str__(self) -> str:
        return f"{self.name} {self.text}"


def parse(lines: Iterable[str]) -> list[TraceEvent]:
    found: list[TraceEvent] = []
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        if match["seconds"]:
            time = float(match["seconds"])
        elif match["date"]:
            time = datetime.fromisoformat(match["date"] + "+00:00").timestamp()
        else:
            time = found[-1].time if found else 0.0
        found.append(TraceEvent(time, match["name"], match["text"] or ""))
    return found


class TraceReader:
    """Reads a trace as it grows. An incomplete last line stays unread until the rest of it arrives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0  # bytes read so far

    def read(self) -> list[TraceEvent]:
        """Returns the events since the last call. The list is empty if the file does not exist yet."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as trace:
            trace.seek(self.offset)
            data = trace.read()
        data = data[: data.rfind(b"\n") + 1]
        self.offset += len(data)
        return parse(data.decode(errors="replace").splitlines())
