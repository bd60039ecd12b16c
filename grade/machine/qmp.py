"""A small client for QMP, the protocol that controls QEMU (docs/interop/qmp-spec in QEMU)."""

from __future__ import annotations

import json
import socket
from typing import Any


class QmpError(Exception):
    """QEMU refused a command, did not answer in time, or ended before it answered."""


class Qmp:
    """One connection to QEMU. `timeout` is in seconds. Use it from one thread only."""

    def __init__(self, connection: socket.socket, timeout: float) -> None:
        self.connection = connection
        self.connection.settimeout(timeout)
        self.stream = connection.makefile("rb")
        self.events: list[dict[str, Any]] = []
        self._read()  # the greeting
        self.command("qmp_capabilities")

    def _read(self) -> dict[str, Any]:
        try:
            line = self.stream.readline()
        except TimeoutError as error:
            raise QmpError("QEMU does not answer") from error
        except OSError as error:
            raise QmpError(f"lost QEMU: {error}") from error
        if not line:
            raise QmpError("QEMU has ended")
        return json.loads(line)

    def command(self, name: str, **arguments: Any) -> Any:
        """Runs a command, waits, and returns its result. Events that arrive meanwhile go to `events`. Raises QmpError."""
        message: dict[str, Any] = {"execute": name}
        if arguments:
            message["arguments"] = {key.replace("_", "-"): arguments[key] for key in arguments}
        try:
            self.connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise QmpError(f"lost QEMU: {error}") from error
        while True:
            answer = self._read()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise QmpError(f"{name}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def monitor(self, line: str, cpu: int = 0) -> str:
        """Runs a command of the human monitor, such as `info mem`, and returns what it prints."""
        text = self.command("human-monitor-command", command_line=line, cpu_index=cpu)
        return text.replace("\r\n", "\n")

    def close(self) -> None:
        self.stream.close()
        self.connection.close()
