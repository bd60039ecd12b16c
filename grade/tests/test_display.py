"""What the display shows, pixel by pixel: tests drawing, the framebuffer device and the GPU driver together.

The host draws the correct pictures with the same source code (draw_wheel, draw_fbtest).
"""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Callable, Optional

import pytest
from PIL import Image

from grade.machine.machine import PROMPT, Machine
from grade.machine.screen import Box, compare

STRIP_COLOUR = (0x0B, 0x0E, 0x13)


def drawn(program: Path, *arguments: object) -> Image.Image:
    done = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, check=True)
    return Image.open(io.BytesIO(done.stdout)).convert("RGB")


def same(machine: Machine, wanted: Image.Image, what: str, box: Optional[Box] = None) -> None:
    difference = compare(machine.screendump(), wanted, box)
    assert not difference, f"after {what}: {difference}"


def picture_box(width: int, height: int) -> Box:
    """The wheel's picture without the strip that holds the head-up line."""
    return (0, 0, width, height - max(12, height * 3 // 80))


def test_patterns(machine: Machine, host: Path) -> None:
    for name in ["bars", "gradient", "checker", "border", "rects", "flip", "stress", "middle", "size"]:
        machine.run(f"fbtest {name}", quiet=30)
        same(machine, drawn(host / "draw_fbtest", name), f"fbtest {name}")
    # Different numbers of steps, which end in the other buffer.
    for name, steps in [("flip", 7), ("stress", 333), ("rects", 50)]:
        machine.run(f"fbtest -n {steps} {name}", quiet=30)
        same(machine, drawn(host / "draw_fbtest", "-n", steps, name), f"fbtest -n {steps} {name}")


def test_modes(machine: Machine, host: Path) -> None:
    for size in ["333x217", "17x16", "1023x767", "64x64", "1920x1080"]:
        for name in ["border", "rects", "flip"]:
            machine.run(f"fbtest -r {size} {name}", quiet=30)
            same(machine, drawn(host / "draw_fbtest", "-r", size, name), f"fbtest -r {size} {name}")
    machine.run("fbtest modes", quiet=30)
    same(machine, drawn(host / "draw_fbtest", "-r", "1920x1080", "size"), "fbtest modes")


@pytest.mark.parametrize("size", ["640x480", "333x217", "1920x1080"])
def test_three_frames_of_the_wheel(machine: Machine, host: Path, size: str) -> None:
    for frame in [60, 330, 1700]:
        machine.run(f"roulette -r {size} -s 42 -q -1 {frame}", quiet=30)
        wanted = drawn(host / "draw_wheel", "-r", size, "-s", 42, frame)
        same(machine, wanted, f"frame {frame}")


def test_wheel_after_many_frames(machine: Machine, host: Path) -> None:
    """Frames are drawn over earlier ones, each buffer over its old contents, with the head-up line next to them."""
    for count in [2, 361, 1000]:
        machine.run(f"roulette -s 5 -f 0 -n {count}", quiet=30)
        wanted = drawn(host / "draw_wheel", "-s", 5, count - 1)
        same(machine, wanted, f"{count} frames", picture_box(640, 480))


def test_head_up_line(machine: Machine) -> None:
    box = (0, 462, 640, 480)
    machine.run("roulette -s 1 -n 90", quiet=30)
    colours = machine.screendump().crop(box).getcolors(65536)
    assert colours and len(colours) > 8, "the strip is still empty after 1.5 seconds"
    machine.run("roulette -s 1 -n 90 -q", quiet=30)
    assert machine.screendump().crop(box).getcolors() == [(640 * 18, STRIP_COLOUR)]


def flushes(machine: Machine) -> list[tuple[int, ...]]:
    """The rectangles flushed so far: resource, width, height, x, y."""
    events = [event for event in machine.trace() if event.name == "virtio_gpu_cmd_res_flush"]
    return [tuple(event.number(field) for field in ("res", "w", "h", "x", "y")) for event in events]


def test_all_is_flushed(machine_factory: Callable[..., Machine]) -> None:
    """A screendump shows everything transferred, flushed or not. A real display shows only what was flushed."""
    machine = machine_factory(trace=["virtio_gpu_cmd_res_flush"])
    machine.run("fbtest border")
    assert [flush[1:3] for flush in flushes(machine)] == [(640, 480)]
    machine.run("fbtest -n 150 rects")
    assert len(flushes(machine)) == 1 + 150
    before = len(flushes(machine))
    machine.run("roulette -s 1 -n 40 -q -f 0")
    wheel = flushes(machine)[before:]
    assert [flush[1:3] for flush in wheel].count((640, 480)) == 2  # each buffer's first frame
    assert len(wheel) >= 2 + 38


def test_a_key_ends_the_program(machine: Machine) -> None:
    for key in ["q", " ", "\x03", "\x04", "\x1b[A"]:
        machine.send("roulette\n")
        machine.expect("any key ends it")
        machine.send(key)
        machine.expect(PROMPT)
        # The program has consumed the key, and the console edits lines again.
        assert machine.run("echo he''re") == "here\n"
    machine.send("fbtest -k bars\n")
    machine.expect("1 presents")
    machine.send("x")
    machine.expect(PROMPT)
    assert machine.run("echo he''re") == "here\n"


def test_input_typed_ahead_is_kept(machine: Machine) -> None:
    machine.send("roulette -n 30 -b\necho fol''lowed\n")
    machine.expect("30 frames in")
    machine.expect("followed\n")


@pytest.mark.parametrize("program", ["roulette", "fbtest bars"])
def test_no_display(machine_factory: Callable[..., Machine], program: str) -> None:
    machine = machine_factory(gpu=False)
    status, output = machine.run_status(program)
    assert status == 1
    name = program.split()[0]
    assert output == f"{name}: no display: start QEMU with -device virtio-gpu-device, as `make qemu` does\n"


def test_a_refused_command_is_reported(machine_factory: Callable[..., Machine]) -> None:
    """The device has too little memory for the mode. The console says which command it refused, and how."""
    display = ["-device", "virtio-gpu-device,bus=virtio-mmio-bus.1,max_hostmem=12M"]
    machine = machine_factory(gpu=False, extra=display)
    status, _ = machine.run_status("fbtest -r 1600x900 border")
    assert status == 1
    assert "gpu0: RESOURCE_CREATE_2D was answered 0x1201" in machine.text
    assert machine.run("fbtest border")


def test_bad_arguments(machine: Machine) -> None:
    for arguments, message in {
        "-r 100x100": "bad size 100x100",
        "-r 9999x9999": "bad size",
        "-r 640": "usage",
        "-n": "usage",
        "-n x": "usage",
        "-z": "usage",
    }.items():
        status, output = machine.run_status(f"roulette {arguments}")
        assert status != 0 and message in output, f"roulette {arguments}: {output}"
    status, output = machine.run_status("fbtest -r 0x5 bars")
    assert status == 1 and "bad size 0x5" in output
    status, output = machine.run_status("fbtest -r 1x1 bars")  # QEMU's display supports no size this small
    assert status == 1 and "cannot show this size" in output
    status, output = machine.run_status("fbtest nothing")
    assert status == 1 and "no pattern nothing" in output
