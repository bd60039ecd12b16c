"""make qemu-web: the machine's display and console in a browser.

    web.py -- COMMAND...        the command runs QEMU (grade/show/qemu.sh); it finds the sockets it is to make in $WEB

QEMU listens on two Unix sockets in a folder that only we can enter. websockify passes them on to the browser, on
loopback and a port that was free, to whoever knows the password: a random one for this run, printed once as part of the
address. noVNC shows the display, web/terminal.js the console.
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
    """What has to be installed, in words."""
    lacking = [] if (NOVNC / "core/rfb.js").exists() else ["noVNC"]
    return lacking + ([] if importlib.util.find_spec("websockify") else ["websockify"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(folder: Path, password: str) -> tuple[subprocess.Popen[bytes], int]:
    """Starts websockify for the sockets in the folder; the port it listens on, once it does."""
    site = folder / "site"
    shutil.copytree(HERE / "web", site)
    (site / "novnc").symlink_to(NOVNC)
    tokens = folder / "tokens"
    tokens.write_text("".join(f"{password}-{name}: unix_socket:{folder}/{name}.sock\n" for name in ("display", "console")))
    for _ in range(5):  # somebody may take the port between the look and the use
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
            # A process group of its own: what ^C ends, we end.
            machine = subprocess.Popen(
                command, env={**os.environ, "WEB": name}, stdin=subprocess.DEVNULL, start_new_session=True
            )
            server, port = serve(Path(name), password)
            print(f"qemu-web: http://127.0.0.1:{port}/index.html#{password}", flush=True)
            print("qemu-web: the machine starts when the page is opened; poweroff or ^C here ends it", flush=True)
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
