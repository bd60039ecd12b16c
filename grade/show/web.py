"""make qemu-web: shows the machine's display and console in a browser.

    web.py -- COMMAND...        the command (grade/show/qemu.sh) runs QEMU and makes two sockets in the folder $WEB

QEMU listens on these two Unix sockets; only our user can enter their folder. websockify connects them with the browser, on
a free port of the loopback interface. The browser must send a password. It is random, new for each run, and printed once as
part of the address. noVNC shows the display, and web/terminal.js the console.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOVNC = Path("/usr/share/novnc")
PACKAGES = "novnc websockify"


def missing() -> list[str]:
    """The names of the programs that you must install first."""
    lacking = [] if (NOVNC / "core/rfb.js").exists() else ["noVNC"]
    return lacking + ([] if importlib.util.find_spec("websockify") else ["websockify"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(folder: Path, password: str) -> tuple[subprocess.Popen[bytes], int]:
    """Starts websockify for the sockets in `folder` and waits until it listens. Returns its process, which the caller must
    end, and its port. Raises RuntimeError if it does not start."""
    site = folder / "site"
    shutil.copytree(HERE / "web", site)
    (site / "novnc").symlink_to(NOVNC)
    tokens = folder / "tokens"
    tokens.write_text("".join(f"{password}-{name}: unix_socket:{folder}/{name}.sock\n" for name in ("display", "console")))
    for _ in range(5):  # another program may take the port before websockify does
        port = free_port()
        command = [sys.executable, "-m", "websockify", "--web", str(site), "--token-plugin", "TokenFile"]
        command += ["--token-source", str(tokens), f"127.0.0.1:{port}"]
        with (folder / "websockify.log").open("ab") as log:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return server, port
            time.sleep(0.05)
    raise RuntimeError((folder / "websockify.log").read_text(errors="replace")[-1000:])


def main(command: list[str]) -> int:
    if lacking := missing():
        print(f"qemu-web: {', '.join(lacking)} not found (Debian: apt-get install {PACKAGES})", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    password = secrets.token_urlsafe(12)
    with tempfile.TemporaryDirectory(prefix="ringfence-web-") as name:  # mode 700
        server = machine = None
        try:
            # A session of its own, so ^C reaches only us; we then end the machine.
            machine = subprocess.Popen(
                command, env={**os.environ, "WEB": name}, stdin=subprocess.DEVNULL, start_new_session=True
            )
            server, port = serve(Path(name), password)
            print(f"qemu-web: http://127.0.0.1:{port}/index.html#{password}", flush=True)
            print("qemu-web: the machine starts when you open the page; poweroff there or ^C here ends it", flush=True)
            return machine.wait()
        except KeyboardInterrupt:
            return 130
        except RuntimeError as error:
            print(f"qemu-web: {error}", file=sys.stderr)
            return 1
        finally:
            for process in (machine, server):
                if process is not None:
                    process.kill()
                    process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[sys.argv.index("--") + 1 :]))
