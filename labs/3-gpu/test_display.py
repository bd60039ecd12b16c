"""The display driver, as QEMU's trace and the pixels on the display show it."""

from __future__ import annotations

import io
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Optional

import pytest
from PIL import Image

from grade.machine.console import ConsoleError
from grade.machine.machine import Machine
from grade.machine.screen import compare
from grade.marking.promise import Broken

Boot = Callable[..., Machine]
Exhibit = Callable[..., None]
EVENTS = ["virtio_gpu_cmd_*", "virtio_queue_notify"]
DISPLAY_INFO, SCANOUT = "get_display_info", "set_scanout"
CREATE, ATTACH, UNREF = "res_create_2d", "res_back_attach", "res_unref"
TRANSFER, FLUSH, KICK = "res_xfer_toh_2d", "res_flush", "kick"


@dataclass(frozen=True)
class Event:
    name: str
    resource: int = 0
    size: tuple[int, int] = (0, 0)
    place: tuple[int, int] = (0, 0)  # of its upper left corner; 0 in those whose trace does not tell

    def __str__(self) -> str:
        return f"{self.name} {self.resource}" + (f" ({self.size[0]}x{self.size[1]})" if self.size[0] else "")


def events(machine: Machine) -> list[Event]:
    """The display is the machine's only device with a queue."""
    found = []
    for event in machine.trace():
        if event.name == "virtio_queue_notify":
            found.append(Event(KICK))
        elif event.name.startswith("virtio_gpu_cmd_"):
            res, w, h, x, y = (int(event.fields.get(field, "0"), 0) for field in ("res", "w", "h", "x", "y"))
            found.append(Event(event.name[len("virtio_gpu_cmd_") :], res, (w, h), (x, y)))
    return found


def named(log: list[Event], *names: str) -> list[Event]:
    return [event for event in log if event.name in names]


def boot(factory: Boot, gpu: str = "") -> Machine:
    extra = ["-device", f"virtio-gpu-device,bus=virtio-mmio-bus.1{gpu}"]
    return factory(disk=None, gpu=False, rng=False, extra=extra, trace=EVENTS)


def said(machine: Machine) -> str:
    return machine.said(r"lab 3: .*|gpu0.*")


def unwritten(machine: Machine) -> str:
    """What is to be written before anything else; "" if all is that a picture takes."""
    left = [name for name in ("change_resources", "gpu_present") if f"lab 3: {name} is yours to write" in machine.text]
    return f"{left[0]}(), which is not written yet" if left else ""


def of_no_resource(log: list[Event]) -> str:
    """The first command of a resource that the device does not hold: such a one is answered with an error."""
    made: set[int] = set()
    alive: set[int] = set()
    for event in log:
        if event.name == CREATE:
            made.add(event.resource)
            alive.add(event.resource)
        elif event.resource and event.resource not in alive:
            why = "was given back before, by RESOURCE_UNREF" if event.resource in made else "was never made"
            return f"; the trace shows {event.name} of resource {event.resource}, which {why}"
        elif event.name == UNREF:
            alive.discard(event.resource)
    return ""


def ask(machine: Machine, command: str, fails: Optional[bool] = False) -> list[Event]:
    """Runs a program, which `fails` or must not (None: that does not matter); what the device saw meanwhile."""
    before = len(events(machine))
    try:
        status, output = machine.run_status(command, quiet=30, total=120)
    except ConsoleError:
        raise Broken(seen=f"{command!r} does not end{said(machine)}") from None
    if fails is not None and (status != 0) != fails:
        ending = "succeeds" if fails else "fails"
        raise Broken(
            seen=f"{command!r} {ending}: {output.strip()}{of_no_resource(events(machine))}{said(machine)}",
            look=unwritten(machine),
        )
    for _ in range(2):  # what the main loop has been told to do is done once it has answered
        assert machine.qmp is not None
        machine.qmp.command("query-status")
    return events(machine)[before:]


def drawn(host: Path, *arguments: object) -> Image.Image:
    done = subprocess.run([host / "draw_fbtest", *map(str, arguments)], stdout=subprocess.PIPE, check=True)
    return Image.open(io.BytesIO(done.stdout)).convert("RGB")


def exchanged(picture: Image.Image) -> Image.Image:
    """With red in the place of blue."""
    red, green, blue = picture.convert("RGB").split()
    return Image.merge("RGB", (blue, green, red))


def check(
    machine: Machine, host: Path, exhibit: Optional[Exhibit], arguments: str, but: Optional[tuple[int, int, int, int]] = None
) -> None:
    """The program's last picture is on the display, but for what is inside a box. Red and blue may be exchanged:
    test_picture looks at the colours."""
    ask(machine, f"fbtest {arguments}")
    seen, wanted = machine.screendump(), drawn(host, *arguments.split())
    if seen.size != wanted.size:
        raise Broken(seen=f"after 'fbtest {arguments}' the display is {seen.size[0]}x{seen.size[1]}{said(machine)}")
    for picture in (seen, wanted):
        if but:
            picture.paste((0, 0, 0), but)
    difference = compare(seen, wanted)
    if difference and compare(exchanged(seen), wanted):
        if exhibit:
            exhibit(f"fbtest {arguments}", seen, wanted)
        raise Broken(seen=f"after 'fbtest {arguments}': {difference}")


def by_kick(log: list[Event]) -> list[list[Event]]:
    """The commands that came after each kick."""
    groups: list[list[Event]] = []
    for event in log:
        if event.name == KICK:
            groups.append([])
        elif groups:
            groups[-1].append(event)
    return groups


@pytest.mark.promise("commands")
def test_commands(machine_factory: Boot, seed: int) -> None:
    display = (900 + seed % 300, 700 + seed % 200)
    machine = boot(machine_factory, f",xres={display[0]},yres={display[1]}")
    log = ask(machine, "fbtest -r 640x480 border", fails=None)  # it may be that nothing can be presented yet
    # The first mode is set when the device is opened, the second by the program.
    if not named(log, DISPLAY_INFO):
        raise Broken(seen=f"the display is never asked for its size{said(machine)}", look="ask_display()")
    ask(machine, "fbtest info")
    told = re.search(r"fbtest: display (\d+)x(\d+)", machine.text)
    found = (int(told[1]), int(told[2])) if told else (0, 0)
    if found != display:
        raise Broken(
            seen=f"the display's size is {display[0]}x{display[1]}; 'fbtest info' finds {found[0]}x{found[1]} in gpu.display_width "
            "and gpu.display_height",
            look="ask_display(): what becomes of the answer?",
        )
    created = named(log, CREATE)
    attached = {event.resource for event in named(log, ATTACH)}
    ids = [event.resource for event in created]
    story = ", ".join(map(str, (event for event in log if event.name != KICK)))
    if not ids or len(set(ids)) != len(ids) or 0 in ids or len(ids) % 2:
        raise Broken(seen=f"two modes were set; the resources made are {ids}: {story}")
    if any(event.size != (640, 480) for event in created):
        raise Broken(seen=f"a resource has another size than the mode: {story}")
    if set(ids) != attached:
        raise Broken(seen=f"resources {ids} were made, but backing attached to {sorted(attached)}: {story}")
    shown = named(log, SCANOUT)
    if not shown or shown[-1].resource not in ids:
        raise Broken(seen=f"none of the resources is shown: {story}")
    if shown[-1].size != (640, 480):
        raise Broken(seen=f"SET_SCANOUT shows {shown[-1].size} of a resource of 640x480")


@pytest.mark.promise("picture")
def test_picture(machine_factory: Boot, host: Path, exhibit: Exhibit) -> None:
    machine = boot(machine_factory)
    for arguments in ("bars", "gradient", "border", "-r 333x217 border", "-r 1023x767 gradient"):
        check(machine, host, exhibit, arguments)
    if compare(machine.screendump(), drawn(host, *arguments.split())):
        raise Broken(
            seen="the picture is right but for its colours: red and blue are exchanged",
            look="RESOURCE_CREATE_2D: which format has a pixel that is 0x00RRGGBB as a word?",
        )
    if not named(events(machine), FLUSH):
        raise Broken(seen="pixels were transferred, and none flushed: a screendump shows them, a display does not")


@pytest.mark.promise("rectangles")
def test_rectangles(machine_factory: Boot, host: Path, exhibit: Exhibit, seed: int) -> None:
    machine = boot(machine_factory)
    check(machine, host, exhibit, "-n 2 rects")  # the first of them is the whole picture
    for size in ("640x480", "333x217", "17x16", f"{400 + seed % 400}x{200 + seed % 311}"):
        check(machine, host, exhibit, f"-r {size} -n {60 + seed % 50} rects")


@pytest.mark.promise("only-what-changed")
def test_only_what_changed(machine_factory: Boot, host: Path, exhibit: Exhibit) -> None:
    machine = boot(machine_factory)
    log = ask(machine, "fbtest -n 100 rects")
    transfers, flushes = named(log, TRANSFER), named(log, FLUSH)
    if len(transfers) != 100 or len(flushes) not in (0, 100):
        raise Broken(seen=f"100 rectangles were presented; {len(transfers)} were transferred, {len(flushes)} flushed{said(machine)}")
    # The first one, which paints the background, is the whole picture.
    whole = sum(event.size == (640, 480) for event in flushes)
    if whole > 1:
        raise Broken(seen=f"each rectangle is at most a quarter as wide and as high as the picture; {whole} of 100 FLUSH are of all of it")
    for width, height in ((640, 480), (333, 217)):
        box = (width // 4, height // 4, width // 4 + (width + 1) // 2, height // 4 + (height + 1) // 2)
        try:
            check(machine, host, exhibit, f"-r {width}x{height} middle", but=box)
        except Broken as broken:
            raise Broken(
                seen=f"the buffer was drawn anew, and its middle presented; around it pixels are seen that were not: {broken.seen}",
                look="gpu_present(): what does each TRANSFER say about its rectangle?",
            ) from None
        last = named(events(machine), FLUSH)[-1:]
        wanted = Event(FLUSH, size=(box[2] - box[0], box[3] - box[1]), place=box[:2])
        if last and (last[0].size, last[0].place) != (wanted.size, wanted.place):
            raise Broken(
                seen=f"{rectangle(wanted)}, the middle of the picture, was presented; FLUSH says {rectangle(last[0])}: a display "
                "shows that part of it anew, and no other",
                look="gpu_present(): what does each FLUSH say about its rectangle?",
            )


def rectangle(event: Event) -> str:
    return f"{event.size[0]}x{event.size[1]} at {event.place[0]},{event.place[1]}"


def present_sizes(steps: int) -> Iterator[int]:
    """How many rectangles fbtest presents together: 32 singly, then 1, 2, 3 up to 15 (FB_MAX_RECTS), and again."""
    n, group = 0, 1
    for step in range(steps):
        n += 1
        if n < group and step + 1 < steps:
            continue
        yield n
        n = 0
        if step >= 32:
            group = group % 15 + 1


@pytest.mark.promise("one-kick")
def test_one_kick(machine_factory: Boot) -> None:
    machine = boot(machine_factory)
    log = ask(machine, "fbtest -n 32 rects")
    first = next((i for i, event in enumerate(log) if event.name in (TRANSFER, FLUSH)), 0)
    kicks = len(named(log[first:], KICK)) + 1
    if not named(log, TRANSFER):
        raise Broken(seen=f"nothing was transferred{said(machine)}")
    if kicks > 32:
        raise Broken(seen=f"32 presents were made; the device was kicked {kicks} times for them")
    log = named(ask(machine, "fbtest -n 200 rects"), TRANSFER, FLUSH)
    stream, at = "".join("T" if event.name == TRANSFER else "F" for event in log), 0
    for n in present_sizes(200):
        if "F" in stream and stream[at : at + 2 * n] != "T" * n + "F" * n:
            raise Broken(
                seen=f"of a present of {n} rectangles the device saw, in this order, {stream[at : at + 2 * n]} (T a transfer, "
                "F a flush); all transfers come first, else a picture half new is shown"
            )
        at += 2 * n


@pytest.mark.promise("waits")
def test_waits(machine_factory: Boot) -> None:
    """A large picture keeps the device busy, and bench draws nothing in between."""
    machine = boot(machine_factory)
    ask(machine, "fbtest border")
    groups = by_kick(ask(machine, "bench -q show-1920 show-1024"))
    presents = [len(named(group, TRANSFER)) for group in groups]
    if sum(presents) < 4:
        raise Broken(seen=f"hardly anything was transferred{said(machine)}")
    # If nobody waits, the next present is there before the device has begun: it finds the work of both.
    early = sum(n > 1 for n in presents)
    if early:
        raise Broken(seen=f"of {sum(presents)} presents that should wait, {early} times the next one came before the device was done")


@pytest.mark.promise("two-buffers")
def test_two_buffers(machine_factory: Boot, host: Path, exhibit: Exhibit) -> None:
    machine = boot(machine_factory)
    log = ask(machine, "fbtest -n 20 flip")
    last = [event.resource for event in named(log, SCANOUT)][-19:]
    if len(set(last)) != 2 or any(a == b for a, b in zip(last, last[1:])):
        raise Broken(
            seen=f"20 presents of the two buffers in turn; SET_SCANOUT named the resources {last}, where two are to take turns",
            look="gpu_present(): whose resource does SET_SCANOUT name, and when does gpu.shown change?",
        )
    shown = 0
    for event, before in zip(log[1:], log):
        if event.name == SCANOUT:
            shown = event.resource
        elif event.name == FLUSH and event.resource != shown:
            raise Broken(seen=f"resource {event.resource} is flushed while the display shows resource {shown}: nobody sees it")
        elif event.name == TRANSFER and before.name == SCANOUT:
            raise Broken(
                seen="within a present, SET_SCANOUT comes before a TRANSFER: for a moment the display shows what the buffer "
                "held two pictures ago"
            )
    for arguments in ("-n 8 flip", "-n 7 flip"):
        check(machine, host, exhibit, arguments)


def leftover(log: list[Event]) -> set[int]:
    """Resources that the device still holds."""
    alive: set[int] = set()
    for event in log:
        if event.name == CREATE:
            alive.add(event.resource)
        elif event.name == UNREF:
            alive.discard(event.resource)
    return alive


@pytest.mark.promise("no-leak")
def test_no_leak(machine_factory: Boot) -> None:
    machine = boot(machine_factory)
    ask(machine, "fbtest modes size size size", fails=None)
    log = events(machine)
    shown = 0
    for event in log:
        if event.name == SCANOUT:
            shown = event.resource
        elif event.name == UNREF and event.resource == shown:
            raise Broken(
                seen=f"resource {shown} is given back while the display shows it: the screen is dark until the next SET_SCANOUT",
                look="change_resources(): what does the display show when the old mode's resources are given back?",
            )
    alive = leftover(log)
    if len(alive) != 2:
        made = len(named(log, CREATE))
        raise Broken(seen=f"after several changes of mode the device holds {len(alive)} of the {made} resources made{said(machine)}")


@pytest.mark.promise("refused")
def test_refused(machine_factory: Boot, host: Path) -> None:
    """A display with memory for the old mode and one of the two new resources, but not for both."""
    machine = boot(machine_factory, ",max_hostmem=12M")
    check(machine, host, None, "border")
    before = machine.screendump()
    for _ in range(2):
        ask(machine, "fbtest -r 1600x900 border", fails=True)
    after = machine.screendump()
    if after.size != before.size or compare(after, before):
        raise Broken(
            seen="the device refused a mode; the picture of the old mode is no longer on the display",
            look="change_resources(): when is it certain that the old mode's resources are not needed any more?",
        )
    # There is room for this one only if what was made of the other is gone.
    try:
        check(machine, host, None, "-r 1024x768 border")
    except Broken as broken:
        raise Broken(
            seen=f"after the device refused a mode, a smaller one, for which it has room, does not come: {broken.seen}",
            look="change_resources(): which resources does the device hold when it returns an error?",
        ) from None
