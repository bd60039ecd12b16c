"""QEMU's trace: a file of lines that grows while the machine runs. This is the only reader of it.

    reader = TraceReader(machine.trace_file)
    for event in reader.read():          # what is new since the last call, in the order of time
        if event.name == "virtio_queue_notify":
            print(event.time, event.number("n"))

QEMU up to 10 writes `PID@SECONDS:NAME TEXT`, QEMU 11 writes `DATE NAME TEXT`. A plugin of ours may write to the same file;
its lines are `NAME TEXT`, in QEMU 11 after a date too. Lines that are neither are left out.
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
    time: float  # seconds since some moment; of a plugin's line before QEMU 11, the time of the event before it
    name: str  # "virtio_queue_notify"
    text: str  # "vdev 0x5581 n 0 vq 0x7f01"

    @property
    def fields(self) -> dict[str, str]:
        """The words of the text that a number follows: {"vdev": "0x5581", "n": "0", "vq": "0x7f01"}."""
        return dict(_FIELD.findall(self.text))

    def number(self, field: str) -> int:
        """Raises KeyError if the text has no such field."""
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
    """Reads a trace as it grows. A line that is only half written waits for its other half."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0  # bytes that were read

    def read(self) -> list[TraceEvent]:
        """The events since the last call; none if there is no file yet."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as trace:
            trace.seek(self.offset)
            data = trace.read()
        data = data[: data.rfind(b"\n") + 1]
        self.offset += len(data)
        return parse(data.decode(errors="replace").splitlines())
