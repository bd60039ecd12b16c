"""A disk that is a program: QEMU's block device asks it for every sector, and it answers as the test wants.

QEMU speaks NBD to it (github.com/NetworkBlockDevice/nbd, doc/proto.md), over a Unix socket of its own:

    with ServedDisk(image.read_bytes()) as disk:
        machine = machine_factory(disk=None, extra=disk.arguments, ...)
        disk.fails = lambda offset, length: offset < 4096    # from now on
"""

from __future__ import annotations

import select
import socket
import struct
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Callable, Optional

from grade.machine import patience

READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
OPTION_EXPORT_NAME, OPTION_ABORT, OPTION_GO = 1, 2, 7
REPLY_ACK, REPLY_INFO, REPLY_UNSUPPORTED = 1, 3, 0x80000001
CAN_FLUSH = 1 | 4  # flags of the export: these are flags; a flush is understood
EIO = 5


@dataclass
class Request:
    kind: int
    cookie: bytes
    offset: int
    length: int
    data: bytes


class ServedDisk:
    """Like a real disk it has a cache: what is written is durable once a flush, which came after the write was
    answered, is answered itself. A power cut leaves `durable`."""

    def __init__(self, image: bytes) -> None:
        self.contents = bytearray(image)  # as a read finds it: with what is in the cache
        self.durable = bytearray(image)
        self.fails: Callable[[int, int], bool] = lambda offset, length: False  # reads that are answered with an error
        self.pairs = 0  # so many times still, it answers the later one of two reads first, and the other a while after
        self.slow_writes = False  # answers a write only a while after it came
        self.slow_reads = 0.0  # answers a read only so many seconds after it came
        self.writes = self.flushes = 0
        self._cached: list[tuple[int, bytes]] = []  # written and answered, not yet durable
        self._open: list[Request] = []  # oldest first
        self._due = 0.0  # when they are answered at the latest, monotonic clock
        self._folder = tempfile.TemporaryDirectory(prefix="ringfence-")  # a short name: those of sockets are limited
        path = f"{self._folder.name}/disk.sock"
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen(1)
        self._connection: Optional[socket.socket] = None
        drive = f"if=none,id=served,format=raw,file.driver=nbd,file.server.type=unix,file.server.path={path}"
        self.arguments = ["-drive", f"{drive},werror=report,rerror=report"]
        # Neighbouring requests stay what they are.
        self.arguments += ["-device", "virtio-blk-device,drive=served,bus=virtio-mmio-bus.0,request-merging=off"]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def holding(self) -> bool:
        """Is there a request that it has not answered yet?"""
        return bool(self._open)

    def close(self) -> None:
        for end in (self._server, self._connection):
            if end is not None:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()
        self._thread.join()
        self._folder.cleanup()

    def __enter__(self) -> ServedDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- the protocol ----

    def _serve(self) -> None:
        try:
            self._connection = self._server.accept()[0]
            self._greet()
            while self._take_request():
                pass
        except (OSError, EOFError):  # QEMU has ended, or we are to
            pass

    def _receive(self, size: int) -> bytes:
        assert self._connection is not None
        data = b""
        while len(data) < size:
            piece = self._connection.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def _send(self, data: bytes) -> None:
        assert self._connection is not None
        self._connection.sendall(data)

    def _greet(self) -> None:
        """The handshake, up to the option that begins the transmission."""
        self._send(b"NBDMAGICIHAVEOPT" + struct.pack(">H", 1))
        self._receive(4)
        export = struct.pack(">QH", len(self.contents), CAN_FLUSH)
        while True:
            _, option, length = struct.unpack(">8sII", self._receive(16))
            self._receive(length)

            def reply(kind: int, data: bytes = b"") -> None:
                self._send(struct.pack(">QIII", 0x0003E889045565A9, option, kind, len(data)) + data)

            if option == OPTION_GO:
                reply(REPLY_INFO, struct.pack(">H", 0) + export)
                reply(REPLY_ACK)
                return
            if option == OPTION_EXPORT_NAME:
                self._send(export + bytes(124))
                return
            reply(REPLY_ACK if option == OPTION_ABORT else REPLY_UNSUPPORTED)

    def _take_request(self) -> bool:
        """Waits for a request, or until those that are held back are due. False: QEMU takes its leave."""
        if self._open and not select.select([self._connection], [], [], max(0.0, self._due - time.monotonic()))[0]:
            self.pairs = 0  # nobody else comes
            for request in list(self._open):
                self._answer(request)
            return True
        _, _, kind, cookie, offset, length = struct.unpack(">IHH8sQI", self._receive(28))
        request = Request(kind, cookie, offset, length, self._receive(length) if kind == WRITE else b"")
        if kind == DISCONNECT:
            return False
        self._open.append(request)
        if kind == WRITE:
            self.contents[offset : offset + length] = request.data
        if kind == READ and self.pairs > 0 and len(self._open) == 1:
            self._hold(5.0)  # for a second one, which most likely comes at once
        elif kind == READ and self.pairs > 0:
            self.pairs -= 1
            self._answer(request)
            self._hold(0.1)  # so that whoever is woken in place of the other has time to look at his buffer
        elif kind == WRITE and self.slow_writes:
            self._hold(0.3)
        elif kind == READ and self.slow_reads > 0:
            self._hold(self.slow_reads)
        else:
            self._answer(request)
        return True

    def _hold(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds * patience.scale()

    def _answer(self, request: Request) -> None:
        self._open.remove(request)
        error, data = 0, b""
        if request.kind == READ:
            error = EIO if self.fails(request.offset, request.length) else 0
            data = b"" if error else bytes(self.contents[request.offset : request.offset + request.length])
        elif request.kind == WRITE:
            self._cached.append((request.offset, request.data))
            self.writes += 1
        elif request.kind == FLUSH:
            for offset, written in self._cached:
                self.durable[offset : offset + len(written)] = written
            self._cached.clear()
            self.flushes += 1
        self._send(struct.pack(">II8s", 0x67446698, error, request.cookie) + data)
