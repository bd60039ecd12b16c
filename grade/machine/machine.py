"""A machine: QEMU with our kernel, a console, a control socket, and a scratch disk.

    with Machine(job, cpus=4, mem="512M") as machine:
        assert "README" in machine.run("ls")

Each machine keeps its files in its own temporary folder; close() removes it. QEMU ends when the machine is closed. On
Linux it also ends when this process dies for any reason.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import Iterable, Optional, Union

from PIL import Image

from grade.machine import patience
from grade.machine.console import Console, ConsoleError
from grade.machine.job import Job
from grade.machine.qmp import Qmp, QmpError
from grade.machine.trace import TraceEvent, TraceReader

PROMPT = r"^\$ "

# Makes virtio-mmio slots follow the VirtIO 1 specification, and makes the hart that writes to the doorbell register do the
# device's work. Without ioeventfd=off, QEMU 8.2 and newer pass that work to another thread: the trace then shows each kick
# late and twice.
SLOTS = ["-global", "virtio-mmio.force-legacy=false", "-global", "virtio-mmio.ioeventfd=off"]

# Virtual time, for a machine with one hart: the clock advances one nanosecond per instruction, so counts repeat exactly.
# While the hart sleeps, the clock jumps from tick to tick: 30 seconds pass within milliseconds of the host's time. The
# kernel must therefore never give up on a slow device.
VIRTUAL_TIME = ["-icount", "shift=0,sleep=off"]
NEVER_GIVE_UP = "blk_timeout=4294967295"

_alive: weakref.WeakSet[Machine] = weakref.WeakSet()


def _die_with_parent() -> None:
    """Asks Linux to kill this child when the thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def copy_sparse(source: Path, target: Path) -> None:
    """Copies a disk image, but not its holes. Most of an image is holes."""
    # The source must be unbuffered: os.lseek() moves its position without telling a buffer.
    with source.open("rb", buffering=0) as src, target.open("wb") as dst:
        size = os.fstat(src.fileno()).st_size
        dst.truncate(size)
        position = 0
        while position < size:
            try:
                start = os.lseek(src.fileno(), position, os.SEEK_DATA)
            except OSError:  # no data from here on
                break
            end = os.lseek(src.fileno(), start, os.SEEK_HOLE)
            src.seek(start)
            dst.seek(start)
            left = end - start
            while left:
                piece = src.read(min(left, 1 << 20))
                dst.write(piece)
                left -= len(piece)
            position = end


class Machine:
    """Boots when constructed and, unless `shell` is false, waits for the prompt. Raises ConsoleError if QEMU or the boot
    fails. The caller must close() the machine, or use it in a `with` statement."""

    def __init__(
        self,
        job: Job,
        cpus: int = 2,
        mem: str = "256M",
        disk: Union[Path, str, None] = "build",  # an image to copy; "build": the build's disk.img; None: no disk
        initrd: bool = True,
        gpu: bool = True,
        rng: bool = True,
        args: str = "",
        kernel: Optional[Path] = None,
        trace: Iterable[str] = (),  # names or patterns of QEMU's trace events
        extra: Iterable[str] = (),  # more arguments for QEMU
        gdb: bool = False,  # wait for GDB at the first instruction; see gdb_socket
        shell: bool = True,
        cache: str = "unsafe",  # never flush to the host's disk: a scratch disk need not survive a host crash
    ) -> None:
        # The name is short because the path of a Unix socket may have only about 100 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="ringfence-"))
        self.console: Optional[Console] = None
        self.qmp: Optional[Qmp] = None
        self.process: Optional[subprocess.Popen[bytes]] = None
        self.disk: Optional[Path] = None
        self.trace_file = self.folder / "trace.log"
        self.trace_reader = TraceReader(self.trace_file)
        self.events: list[TraceEvent] = []
        self.gdb_socket = self.folder / "build" / "gdb.sock"  # .gdbinit looks there
        self.job = job
        self.cpus = cpus
        self.marks = 0
        self.started = 0.0  # monotonic clock when QEMU was started
        _alive.add(self)
        try:
            self._start(cpus, mem, disk, initrd, gpu, rng, args, kernel, list(trace), list(extra), gdb, cache)
            if shell:
                self.expect(PROMPT, quiet=20)
        except BaseException:
            self.close()
            raise

    def _start(
        self,
        cpus: int,
        mem: str,
        disk: Union[Path, str, None],
        initrd: bool,
        gpu: bool,
        rng: bool,
        args: str,
        kernel: Optional[Path],
        trace: list[str],
        extra: list[str],
        gdb: bool,
        cache: str,
    ) -> None:
        command = [self.job.qemu, "-machine", "virt", "-smp", str(cpus), "-m", mem, "-display", "none"]
        command += ["-nodefaults", *SLOTS]
        if disk is not None:
            self.disk = self.folder / "disk.img"
            copy_sparse(self.job.build / "disk.img" if disk == "build" else Path(disk), self.disk)
            command += ["-drive", f"file={self.disk},if=none,format=raw,id=disk,cache={cache}"]
            command += ["-device", "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0"]
        if gpu:
            command += ["-device", "virtio-gpu-device,bus=virtio-mmio-bus.1"]
        if rng:
            command += ["-device", "virtio-rng-device,bus=virtio-mmio-bus.2"]
        command += ["-kernel", str(kernel or self.job.build / "kernel.elf")]
        if initrd:
            command += ["-initrd", str(self.job.build / "initrd.img")]
        if args:
            command += ["-append", args]
        if trace:
            events = self.folder / "trace.events"
            events.write_text("\n".join(trace) + "\n")
            command += ["-msg", "timestamp=on", "-trace", f"events={events},file={self.trace_file}"]
        if gdb:
            self.gdb_socket.parent.mkdir()
            command += ["-S", "-gdb", f"unix:{self.gdb_socket},server=on,wait=off"]
        if self.job.sandbox:
            command += ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
        self.command = command + extra

        # We listen and QEMU connects. The other way round, we would have to wait until QEMU has made its sockets.
        serial = self._listen("serial.sock")
        control = self._listen("qmp.sock")
        self.command += ["-serial", f"unix:{self.folder}/serial.sock", "-qmp", f"unix:{self.folder}/qmp.sock"]
        with (self.folder / "stderr.log").open("wb") as stderr:
            self.started = time.monotonic()
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,  # ^C reaches only us; we end QEMU
                preexec_fn=_die_with_parent,
            )
        with serial, control:
            self.console = Console(self._accept(serial), self.folder / "console.log")
            try:
                self.qmp = Qmp(self._accept(control), timeout=30 * patience.scale())
            except QmpError as error:  # QEMU ended at once: a bad option, or an image in use
                raise ConsoleError(f"QEMU did not start: {error}\n{self.stderr()}") from None

    def _listen(self, name: str) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.folder / name))
        server.listen(1)
        server.settimeout(0.2)
        return server

    def _accept(self, server: socket.socket) -> socket.socket:
        for _ in range(int(100 * patience.scale())):
            try:
                connection = server.accept()[0]
                connection.settimeout(None)
                return connection
            except TimeoutError:
                assert self.process is not None
                if self.process.poll() is not None:
                    break
        raise ConsoleError(f"QEMU did not start:\n{self.stderr()}")

    # ---- the console ----

    def send(self, text: str) -> None:
        assert self.console is not None
        self.console.send(text)

    def expect(self, pattern: str, quiet: float = 10.0, total: float = 300.0) -> re.Match[str]:
        """Waits until the console prints a match for a regular expression; see Console.expect."""
        assert self.console is not None
        return self.console.expect(pattern, quiet, total)

    def run_status(self, command: str, quiet: float = 10.0, total: float = 300.0) -> tuple[int, str]:
        """Types a command at the prompt and waits until it ends. Returns its exit status and what it printed."""
        assert self.console is not None
        self.marks += 1
        # The quotes make the typed line differ from the printed mark, so the echo of the line does not match.
        self.send(f"{command}; echo '<'{self.marks}:$?'>'\n")
        self.expect(r"\n", quiet)
        start = self.console.position
        match = self.expect(rf"<{self.marks}:(-?\d+)>\n", quiet, total)
        output = self.console.text[start : match.start()]
        self.expect(PROMPT, quiet)
        return int(match.group(1)), output

    def run(self, command: str, quiet: float = 10.0, total: float = 300.0) -> str:
        """Like run_status(), for a command that must succeed. Returns what it printed."""
        status, output = self.run_status(command, quiet, total)
        assert status == 0, f"{command!r} ended with status {status}; it printed:\n{output}"
        return output

    @property
    def text(self) -> str:
        """Everything that the console has printed so far."""
        return self.console.text if self.console else ""

    def said(self, pattern: str) -> str:
        """The end of an error message: the kernel's lines that match `pattern` or report a panic. "" if there are none."""
        lines = re.findall(rf"^(?:{pattern}|.*panic.*)$", self.text, re.MULTILINE)
        return "; the kernel said: " + " / ".join(lines[:4]) if lines else ""

    # ---- from outside ----

    def screendump(self) -> Image.Image:
        """Returns the picture that the display shows now."""
        assert self.qmp is not None
        path = self.folder / "screen.ppm"
        self.qmp.command("screendump", filename=str(path))
        # A P6 file starts with three lines of header. QEMU 7.2 pads each row to a multiple of four bytes; Pillow's own PPM
        # reader does not expect that.
        _, size, _, pixels = path.read_bytes().split(b"\n", 3)
        width, height = map(int, size.split())
        return Image.frombytes("RGB", (width, height), pixels, "raw", "RGB", len(pixels) // height)

    def monitor(self, line: str, cpu: int = 0) -> str:
        """Runs a command of QEMU's monitor for the hart `cpu` and returns what it prints."""
        assert self.qmp is not None
        return self.qmp.monitor(line, cpu)

    def hart_stack(self, cpu: int) -> int:
        """The number of the page that the hart's stack pointer points into."""
        found = re.search(r"x2/sp\s+([0-9a-f]+)", self.monitor("info registers", cpu))
        assert found
        return int(found.group(1), 16) >> 12

    def asleep(self) -> bool:
        """True if every hart is waiting for an interrupt now, so the last instruction it executed is `wfi`."""
        for cpu in range(self.cpus):
            pc = re.search(r"pc\s+([0-9a-f]+)", self.monitor("info registers", cpu))
            assert pc
            word = re.search(r": 0x([0-9a-f]{8})", self.monitor(f"x /1wx {int(pc[1], 16) - 4:#x}", cpu))
            if word is None or word[1] != "10500073":
                return False
        return True

    def trace(self) -> list[TraceEvent]:
        """All events in QEMU's trace so far."""
        self.events += self.trace_reader.read()
        return list(self.events)

    def stderr(self) -> str:
        path = self.folder / "stderr.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # ---- the end ----

    @property
    def alive(self) -> bool:
        """True while QEMU runs."""
        return self.process is not None and self.process.poll() is None

    def wait(self, quiet: float = 20.0) -> int:
        """Waits until QEMU ends by itself; returns its exit status. Raises ConsoleError after `quiet` seconds (scaled)."""
        assert self.process is not None
        try:
            return self.process.wait(quiet * patience.scale())
        except subprocess.TimeoutExpired:
            raise ConsoleError(f"the machine does not power off; its console:\n{self.text[-2000:]}") from None

    def power_off(self) -> None:
        """Runs `poweroff` and waits for QEMU's end. The kernel writes everything to the disk first."""
        self.send("poweroff\n")
        status = self.wait()
        assert status == 0, f"QEMU ended with status {status}:\n{self.stderr()}"

    def cut_power(self) -> None:
        """Kills QEMU without warning, like a power cut."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Ends QEMU and removes the machine's folder. You may call it twice."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.qmp is not None:
            self.qmp.close()
            self.qmp = None
        if self.console is not None:
            self.console.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        _alive.discard(self)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@atexit.register
def _close_all() -> None:
    for machine in list(_alive):
        machine.close()


__all__ = ["ConsoleError", "Machine", "PROMPT", "QmpError", "SLOTS", "copy_sparse"]
