"""The wheel's picture and fbtest's patterns, drawn on the host with the functions of the guest's programs.

test_display.py compares the guest's display with these pictures. These tests check the pictures themselves.
"""

from __future__ import annotations

import io
import math
import random
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from grade import ROOT

ROUND = 480  # frames

# Odd sizes, tall ones, wide ones, and the smallest.
SIZES = ["640x480", "160x120", "333x217", "161x600", "800x601", "1201x160", "1024x768"]

REDS = {1, 3, 5, 7, 9, 12, 14, 16, 18, 19, 21, 23, 25, 27, 30, 32, 34, 36}
ORDER = [0, 32, 15, 19, 4, 21, 2, 25, 17, 34, 6, 27, 13, 36, 11, 30, 8, 23, 10]
ORDER += [5, 24, 16, 33, 1, 20, 14, 31, 9, 22, 18, 29, 7, 28, 12, 35, 3, 26]


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both drawing programs, built with ASan and UBSan."""
    folder = tmp_path_factory.mktemp("sanitized")
    wheel = [path for path in ROOT.glob("user/roulette/*.c") if path.name not in ("main.c", "show.c")]
    sources = {"draw_wheel": wheel, "draw_fbtest": [ROOT / "user/fbtest/patterns.c"]}
    flags = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}", "-DSOLVED_WHEEL=1", "-DSOLVED_FRAME_RATE=1"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    for program, files in sources.items():
        files = [*ROOT.glob(f"grade/*/{program}.c"), ROOT / "user/lib/font.c", *files]
        subprocess.run(["cc", *flags, "-o", folder / program, *files], check=True)
    return folder


def draw(program: Path, *arguments: object) -> bytes:
    done = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def picture(ppm: bytes) -> Image.Image:
    return Image.open(io.BytesIO(ppm)).convert("RGB")


def frames_near_changes(rng: random.Random) -> list[int]:
    """Frames in an order that jumps, goes back, repeats, and crosses everything that changes within a round."""
    frames = [0, 1, 2, 9, 10, 149, 150, 151, 279, 280, 281, 359, 360, 361, 470, 479, 480, 481]
    frames += [rng.randrange(40 * ROUND) for _ in range(14)] + [4 * ROUND + 300] * 3
    frames += list(range(ROUND + 270, ROUND + 280)) + [2**32 - 1]
    rng.shuffle(frames)
    return frames


@pytest.mark.parametrize("size", SIZES)
def test_frame_over_frame_equals_frame_from_scratch(sanitized: Path, size: str) -> None:
    """draw_wheel -i compares them, and looks for changes outside the damage."""
    frames = frames_near_changes(random.Random(size))
    draw(sanitized / "draw_wheel", "-i", "-r", size, "-s", 5, *frames)


@pytest.mark.parametrize("size", SIZES)
def test_frame_is_as_defined_pixel_by_pixel(host: Path, size: str) -> None:
    """roulette.c draws with tables; the result equals the definition of each pixel."""
    frames = [0, 155, 4 * ROUND + 362, 2**32 - 1]
    first = draw(host / "draw_wheel", "-p", "-r", size, "-s", 6, *frames)
    assert first and draw(host / "draw_wheel", "-r", size, "-s", 6, *frames) == first


@pytest.mark.parametrize("size", ["640x480", "333x217"])
def test_frame_is_a_function_of_its_number(sanitized: Path, host: Path, size: str) -> None:
    """A frame has the same pixels in another process, another build, and after other frames."""
    first = draw(sanitized / "draw_wheel", "-x", "-r", size, "-s", 9, 700, 37)
    second = draw(host / "draw_wheel", "-x", "-r", size, "-s", 9, 37)
    assert second and first[len(second) :] == second


def test_seed_decides_and_frames_move(host: Path) -> None:
    decided = ROUND - 1
    pictures = [draw(host / "draw_wheel", "-x", "-s", seed, decided) for seed in range(4)]
    assert len(set(pictures)) == 4
    moving = [draw(host / "draw_wheel", "-x", frame) for frame in (100, 101, 102)]
    assert len(set(moving)) == 3


@pytest.mark.parametrize("size", ["160x120", "1920x1080", "3840x2160", "2160x2160", "1280x160"])
def test_sizes(host: Path, size: str) -> None:
    image = picture(draw(host / "draw_wheel", "-r", size, 400))
    assert f"{image.width}x{image.height}" == size
    # The strip at the bottom is plain.
    strip = max(12, image.height * 3 // 80)
    assert image.crop((0, image.height - strip, *image.size)).getcolors() == [
        (image.width * strip, (0x0B, 0x0E, 0x13))
    ]


@pytest.mark.parametrize("size", ["159x120", "160x119", "3841x100", "640x2161", "0x0"])
def test_bad_sizes(host: Path, size: str) -> None:
    done = subprocess.run([host / "draw_wheel", "-r", size, "0"], capture_output=True, text=True)
    assert done.returncode == 1 and "bad size" in done.stderr


def test_ball_lies_in_the_pocket_that_the_panel_names(host: Path) -> None:
    """Finds the ball in the picture and computes from the wheel's angle which pocket it is in."""
    rows = 480 - 18
    centre = rows / 2

    def is_pocket(x: int, y: int) -> bool:
        return 515 < math.hypot(x + 0.5 - centre, y + 0.5 - centre) / (centre * 31 / 32) * 1024 < 595

    ring = [(x, y) for x in range(rows) for y in range(rows) if is_pocket(x, y)]
    seen = set()
    for round_ in range(12):
        frame = round_ * ROUND + 400
        image = picture(draw(host / "draw_wheel", "-s", 3, frame))
        # In the pockets, only the ball is bright grey over several pixels.
        ball = [(x, y) for x, y in ring if min(image.getpixel((x, y))) > 205]
        assert len(ball) > 40, "no ball"
        x = sum(point[0] + 0.5 - centre for point in ball) / len(ball)
        y = sum(point[1] + 0.5 - centre for point in ball) / len(ball)
        number = ORDER[round((math.atan2(x, -y) / (2 * math.pi) - frame / 240) * 37) % 37]
        seen.add(number)
        # The card's colour, in a corner without digits.
        card = image.getpixel((rows + 30, 75))
        wanted = "green" if number == 0 else "red" if number in REDS else "black"
        shown = "black" if max(card) < 90 else "red" if card[0] == max(card) else "green"
        assert shown == wanted, f"round {round_}: the ball is at {number}, the card is {shown}: {card}"
    assert len(seen) > 6


PATTERNS = ["bars", "gradient", "checker", "border", "rects", "flip", "stress", "size"]


@pytest.mark.parametrize("size", ["640x480", "333x217", "64x64", "1x1", "3x1000"])
def test_patterns(sanitized: Path, host: Path, size: str) -> None:
    """Each pattern has no undefined behaviour and is the same in two builds. All patterns differ."""
    pictures = [draw(sanitized / "draw_fbtest", "-r", size, name) for name in PATTERNS]
    assert pictures == [draw(host / "draw_fbtest", "-r", size, name) for name in PATTERNS]
    if size == "640x480":
        assert len(set(pictures)) == len(PATTERNS)
