"""make qemu-web in a headless browser: the console accepts a command, and the display shows the wheel turning."""

from __future__ import annotations

import http.client
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable, Iterator
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageChops

from grade import ROOT
from grade.machine import patience
from grade.machine.job import Job

pytestmark = [pytest.mark.long, pytest.mark.needs("novnc")]


def wait_for(what: str, look: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Calls `look` until it returns something true, and returns that."""
    end = time.monotonic() + seconds * patience.scale()
    while not (found := look()):
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.1)
    return found


@pytest.fixture
def address(job: Job, tmp_path: Path) -> Iterator[str]:
    """The page's address. The machine behind it ends with the test."""
    disk = tmp_path / "disk.img"
    shutil.copy(job.build / "disk.img", disk)
    environment = {**job.environment(), "CPUS": "2", "MEM": "256M", "DISK": str(disk)}
    server = subprocess.Popen(
        [sys.executable, "-m", "grade.show.web", "--", "sh", "grade/show/qemu.sh"],
        cwd=ROOT,
        env={**environment, "PYTHON": sys.executable, "ARGS": "", "VNC": "", "VQSAN": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield next(match.group(0) for line in server.stdout if (match := re.search(r"http://127\.0\.0\.1:\d+/\S+", line)))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update"):
        options.add_argument(f"--{flag}")
    options.add_argument("--window-size=1700,620")
    options.add_argument(f"--user-data-dir={tmp_path}/profile")
    driver = webdriver.Chrome(service=Service(shutil.which("chromedriver") or ""), options=options)
    yield driver
    driver.quit()


@pytest.mark.needs("chromium", "selenium")
def test_wheel_turns_in_the_browser(address: str, browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By

    browser.get(address)
    wait_for("a prompt", lambda: "\n$ " in browser.find_element(By.ID, "console").text)
    wait_for("the display", lambda: "connected" in browser.find_element(By.ID, "display-state").text)
    browser.find_element(By.CSS_SELECTOR, "#console").send_keys("roulette -s 7\n")

    def picture() -> Image.Image:
        return Image.open(io.BytesIO(browser.find_element(By.ID, "display").screenshot_as_png)).convert("RGB")

    def wheel(image: Image.Image) -> bool:
        """Whether this is a wheel: many red pixels for the pockets, and some for the one green pocket."""
        colours = [image.getpixel((x, y)) for x in range(60, 400, 3) for y in range(60, 400, 3)]
        red = sum(r > 120 and g < 60 and b < 70 for r, g, b in colours)
        green = sum(g > 90 and r < 70 and b < 100 for r, g, b in colours)
        return red > 200 and green > 5

    first = wait_for("the wheel", lambda: (image := picture()) and wheel(image) and image)
    assert isinstance(first, Image.Image)
    second = wait_for("another frame", lambda: (image := picture()) and turned(first, image) and image)
    assert wheel(second)
    browser.save_screenshot(str(tmp_path / "page.png"))
    if target := os.environ.get("KEEP_SCREENSHOT"):
        shutil.copy(tmp_path / "page.png", target)


def turned(first: Image.Image, second: Image.Image) -> bool:
    """Whether the wheel itself has changed, and not only a number next to it."""
    box = (60, 60, 400, 400)
    return (ImageChops.difference(first.crop(box), second.crop(box)).convert("L").point(lambda v: 255 * (v > 40))).histogram()[255] > 2000


def upgrade(page: str, token: str) -> int:
    """The HTTP status of the answer to a websocket request; 0 if the server closes the connection without one."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    connection = http.client.HTTPConnection(urlsplit(page).netloc, timeout=20 * patience.scale())
    try:
        connection.request("GET", f"/{token}", headers=headers)
        return connection.getresponse().status
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return 0
    finally:
        connection.close()


def test_sockets_need_the_password(address: str) -> None:
    """Anyone on this host can load the page. Only people who know the password reach the sockets behind it."""
    page, password = address.split("#")
    assert b"Ringfence" in urllib.request.urlopen(page).read()
    for token in ("", "?token=display", "?token=wrong-display"):
        assert upgrade(page, token) != http.HTTPStatus.SWITCHING_PROTOCOLS, f"token {token!r} is let in"
    assert upgrade(page, f"?token={password}-display") == http.HTTPStatus.SWITCHING_PROTOCOLS
