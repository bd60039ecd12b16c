"""Runs QEMU with its console on our standard input and output, if these are not a terminal: feed.py QEMU ARGUMENTS...

Input waits until the shell prints its prompt: the serial port loses everything that arrives before the firmware has set it
up. When the input ends, we send ^D to the console: the shell ends, and init powers the machine off. A program that reads
the console may take that ^D for itself, so we repeat it every second. The exit status is QEMU's, or 1 after a kernel panic,
because the firmware can only make QEMU end with status 0.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

PROMPT = b"\n$ "
PANIC = b"\npanic: "
END_OF_INPUT = b"\x04"


def converse(qemu: subprocess.Popen[bytes]) -> bool:
    """Passes bytes both ways until QEMU closes its output. Returns false if the kernel panicked."""
    assert qemu.stdin is not None and qemu.stdout is not None
    inward, outward = qemu.stdin.fileno(), qemu.stdout.fileno()
    pending = b""  # input that QEMU has not taken yet
    last = b"\n"  # the last byte of the input
    seen = b""  # the end of the output so far
    prompted = panicked = False
    input_ended = False
    while True:
        readers = [outward]
        if prompted and not pending and not input_ended:
            readers.append(0)
        writers = [inward] if pending else []
        readable, writable, _ = select.select(readers, writers, [], 1.0)
        if outward in readable:
            data = os.read(outward, 65536)
            if not data:
                return not panicked
            os.write(1, data)
            seen = (seen + data.replace(b"\r", b""))[-4096:]
            prompted = prompted or PROMPT in seen
            panicked = panicked or PANIC in seen
        if 0 in readable:
            pending = os.read(0, 4096)
            if pending:
                last = pending[-1:]
            else:
                input_ended = True
                pending = END_OF_INPUT if last == b"\n" else b"\n" + END_OF_INPUT
        elif writable:
            try:
                pending = pending[os.write(inward, pending) :]
            except BrokenPipeError:
                pending = b""
        elif input_ended and not readable and not pending:
            pending = END_OF_INPUT


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        os.fstat(0)
    except OSError:  # started with its input closed
        os.open(os.devnull, os.O_RDONLY)
    # No buffers: select() cannot see bytes in a buffer.
    qemu = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        fine = converse(qemu)
        return qemu.wait() or (0 if fine else 1)
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    finally:
        qemu.kill()
        qemu.wait()


if __name__ == "__main__":
    sys.exit(main())
