"""The serial console of a machine. A thread collects what the machine prints; a test waits for patterns in it."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path

from grade.machine import patience

MAX_BYTES = 32 << 20  # limit on output: a machine that prints more is out of control


class ConsoleError(AssertionError):
    """The console did not print what a test waited for. The text says what was expected and what came instead."""


class Console:
    def __init__(self, connection: socket.socket, log: Path) -> None:
        self.connection = connection
        self.text = ""
        self.position = 0  # expect() searches from here
        self.ended = False
        self.changed = threading.Condition()
        self.log = log.open("wb")
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self) -> None:
        total = 0
        held = b""  # a carriage return at the end of a read: a newline may follow
        while total < MAX_BYTES:
            try:
                data = self.connection.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            total += len(data)
            self.log.write(data)
            self.log.flush()
            data = held + data
            held = data[-1:] if data.endswith(b"\r") else b""
            data = data[: len(data) - len(held)]
            with self.changed:
                self.text += data.decode("utf-8", "replace").replace("\r\n", "\n")
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def send(self, text: str) -> None:
        try:
            self.connection.sendall(text.encode())
        except OSError as error:
            raise ConsoleError(f"the machine has ended; cannot send {text!r}") from error

    def expect(self, pattern: str, quiet: float = 10.0, total: float = 300.0) -> re.Match[str]:
        """Waits until the output matches a regular expression (MULTILINE). The next search starts after the match.

        Raises ConsoleError if the machine ends, if it prints nothing for `quiet` seconds, or after `total` seconds. Both
        limits are scaled to the speed of this host.
        """
        expression = re.compile(pattern, re.MULTILINE)
        start = last = time.monotonic()
        with self.changed:
            while True:
                match = expression.search(self.text, self.position)
                if match:
                    self.position = match.end()
                    return match
                if self.ended:
                    raise ConsoleError(self._complaint(pattern, "the machine ended"))
                size = len(self.text)
                scale = patience.scale()
                now = time.monotonic()
                wait = min(last + quiet * scale, start + total * scale) - now
                if wait <= 0 and patience.scale(again=True) <= scale:
                    what = f"{now - last:.0f} s of silence, {now - start:.0f} s in all"
                    raise ConsoleError(self._complaint(pattern, what))
                self.changed.wait(max(wait, 0.1))
                if len(self.text) != size:
                    last = time.monotonic()

    def _complaint(self, pattern: str, reason: str) -> str:
        tail = self.text[self.position :].splitlines()[-25:]
        return "\n".join(
            [f"waited for {pattern!r} on the console: {reason}. The last lines:"]
            + ["  | " + line for line in tail]
        )

    def close(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close()
        self.thread.join()
        self.log.close()
