"""The wheel's frame rate, its screens, and what a frame costs: judged by grade/rate, whose modules say how."""

from __future__ import annotations

from typing import Callable

import known
import pytest

from grade.machine.job import Job
from grade.marking.promise import Broken
from grade.rate import plots, profile, screens
from grade.rate.model import PRICES, Model, model, wall
from grade.rate.screens import RIGHT, STALE, TORN, WRONG, Painter, Screen, look
from grade.rate.watch import Run, watch

TIERS = {30: 1 / 6, 60: 2 / 6, 120: 4 / 6, 240: 1.0}  # modelled frames/s: share of the points
KICKS = {2: 1.0, 4: 0.5}  # kicks a frame, at most
# Screens that are looked at. Where every second frame is wrong, all of so many are right once in thousands of runs.
SHOTS = 16
TURNS = 300  # of one loop of the kernel for each kick: beyond, it spins
Exhibit = Callable[..., None]
Award = Callable[[float, str], None]
Plot = Callable[..., None]


class Judged:
    """A run with all that was found out about it."""

    def __init__(self, job: Job, width: int, height: int, seed: int, shots: int) -> None:
        self.run: Run = watch(job, width, height, seed, shots)
        self.model: Model = model(self.run)
        self.paint = Painter(self.run)
        self.screens: list[Screen] = [look(self.run, shot, self.paint) for shot in self.run.shots]
        assert self.screens and self.run.frames, "nothing was seen, so nothing can be judged"

    def first(self, kind: str) -> list[Screen]:
        return [screen for screen in self.screens if screen.kind == kind]

    def fast_enough(self) -> None:
        """What a frame is like counts from the first tier on."""
        lowest = min(TIERS)
        if self.model.rate < lowest:
            raise Broken(
                seen=f"{self.model.rate:.1f} modelled frames/s; these points begin at {lowest}",
                look="make it faster first: the promise of the frame rate says where the time goes",
            )

    def all_right(self) -> None:
        """Only right frames count."""
        bad = [screen for screen in self.screens if screen.kind != RIGHT]
        if bad:
            raise Broken(seen=f"no frame counts: {len(bad)} of {len(self.screens)} screens are not right. {bad[0].story}")


@pytest.fixture(scope="session")
def seed_of_run(request: pytest.FixtureRequest) -> int:
    return int.from_bytes(str(request.config.getoption("--seed")).encode()[-6:].rjust(6, b"0"), "big")


@pytest.fixture(scope="session")
def vga(job: Job, seed_of_run: int) -> Judged:
    return Judged(job, 640, 480, seed_of_run, SHOTS)


@pytest.fixture(scope="session")
def xga(job: Job, seed_of_run: int) -> Judged:
    return Judged(job, 1024, 768, seed_of_run + 1, SHOTS)


small = pytest.mark.xdist_group("640x480")
large = pytest.mark.xdist_group("1024x768")


def show_screens(judged: Judged, kind: str, exhibit: Exhibit) -> None:
    exhibit("the screens that were looked at; wrong pixels are red", plots.strip([(s.seen, screens.wrong_pixels(s)) for s in judged.screens]))
    for screen in judged.first(kind)[:2]:
        exhibit(f"frame {screen.frame}", screens.marked(screen), screen.wanted)


@small
@pytest.mark.promise("picture")
def test_picture(vga: Judged, exhibit: Exhibit) -> None:
    show_screens(vga, WRONG, exhibit)
    wrong = vga.first(WRONG)
    if wrong:
        raise Broken(seen=f"of {len(vga.screens)} screens {len(wrong)} are wrong. {wrong[0].story}")
    vga.fast_enough()


@small
@pytest.mark.promise("every-frame")
def test_every_frame(vga: Judged, exhibit: Exhibit) -> None:
    run = vga.run
    lost = [i for i, frame in enumerate(run.frames[:-2]) if not frame.flushes]
    if lost:
        raise Broken(seen=f"{len(run.frames) - 2} frames were asked for; {len(lost)} were never flushed, the first is {run.first + lost[0]}")
    stale = vga.first(STALE)
    if stale:
        show_screens(vga, STALE, exhibit)
        raise Broken(seen=f"on {len(stale)} of {len(vga.screens)} screens an older frame is shown: {stale[0].story}")
    for screen in vga.first(RIGHT)[:4]:
        index = screen.frame - run.first
        pixels = screens.unflushed(run, index, vga.paint)
        if pixels:
            raise Broken(seen=f"frame {run.first + index} has {pixels} changed pixels that lie in none of its flushes: {run.frames[index].flushes}")
    vga.fast_enough()


@small
@pytest.mark.promise("whole")
def test_whole(vga: Judged, exhibit: Exhibit) -> None:
    torn = vga.first(TORN)
    if torn:
        show_screens(vga, TORN, exhibit)
        raise Broken(seen=f"{len(torn)} of {len(vga.screens)} screens are torn: {torn[0].story}")
    vga.fast_enough()


def explain(judged: Judged) -> str:
    parts = judged.model.parts()
    return ", ".join(f"{name} {ns / 1e6:.3f} ms" for name, ns in sorted(parts.items(), key=lambda item: -item[1]))


def show_costs(judged: Judged, plot: Plot) -> None:
    run = judged.run
    times = [f.instructions + f.kicks * PRICES.kick + f.mib * PRICES.mib for f in run.kept]
    plot("Modelled time of each frame", *plots.line([t / 1e6 for t in times], "frame", "ms"))
    rows = {"start": known.START, "now": judged.model, "reference": known.REFERENCE}
    plot(
        "Where a frame's time goes, on the model machine",
        *plots.stacked({name: {part: ns / 1e6 for part, ns in each.parts().items()} for name, each in rows.items()}, "ms"),
    )
    plot("Instructions of a frame, by what they are for", *plots.stacked({"now": profile.budget(run)}, "instructions"))
    columns = {"modelled frames/s": "rate", "instructions": "instructions", "kicks": "kicks", "polls": "polls", "sleeps": "waits"}
    columns |= {"MiB to the display": "mib", "console bytes": "console", "begun before the one before was shown": "ahead"}
    table = [[title, *(f"{getattr(each, name):,.2f}".rstrip("0").rstrip(".") for each in rows.values())] for title, name in columns.items()]
    plot("A frame's costs", "", ["for each frame", *rows], table)
    top = [[f.name, f.file, f"{f.instructions:,.0f}"] for f in profile.functions(run)[:15]]
    plot("The costliest functions", "", ["function", "file", "instructions a frame"], top)
    clock = wall(run)
    if clock:
        figures = [[key, f"{clock[key]:.1f}"] for key in ("rate", "p50", "p95", "p99")] + [["jank", f"{clock['jank']:.1%}"]]
        plot("By this host's clock, under the judge's counting; not scored", "", ["", "frames/s, and ms from frame to frame"], figures)


@small
@pytest.mark.promise("rate")
def test_rate(vga: Judged, award: Award, plot: Plot, metric: Callable[[str, float], None]) -> None:
    show_costs(vga, plot)
    rate = vga.model.rate
    metric("modelled frames/s", rate)
    vga_rate = f"{rate:.1f} modelled frames/s at 640x480; a frame: {explain(vga)}"
    if rate >= min(TIERS):
        vga.all_right()
    reached = [tier for tier in TIERS if rate >= tier]
    if not reached:
        raise Broken(seen=vga_rate)
    award(TIERS[reached[-1]], vga_rate)
    if len(reached) < len(TIERS):
        raise Broken(seen=f"{vga_rate}. The next step is {list(TIERS)[len(reached)]}")


@small
@pytest.mark.promise("kicks")
def test_kicks(vga: Judged, award: Award) -> None:
    vga.fast_enough()
    kicks = vga.model.kicks
    assert kicks > 0, "QEMU's trace shows no kick, though frames were shown"
    share = max((share for most, share in KICKS.items() if kicks <= most + 0.25), default=0.0)
    award(share, f"{kicks:.1f} kicks a frame")
    if share < 1:
        raise Broken(seen=f"{kicks:.1f} kicks a frame, by QEMU's trace")


@small
@pytest.mark.promise("idle")
def test_idle(vga: Judged) -> None:
    vga.fast_enough()
    busiest = profile.busiest(vga.run)
    assert busiest.name, "which functions ran is not known: is addr2line here (binutils)?"
    if busiest.turns > TURNS:
        raise Broken(
            seen=f"for each kick a loop in {busiest.name}() ({busiest.file}) goes round {busiest.turns:,.0f} times; "
            f"the hart went to sleep {vga.model.waits:.1f} times a frame"
        )


@large
@pytest.mark.promise("large")
def test_large(xga: Judged) -> None:
    rate = xga.model.rate
    if rate >= min(TIERS):
        xga.all_right()
    if rate < max(TIERS):
        raise Broken(seen=f"{rate:.1f} modelled frames/s at 1024x768; a frame: {explain(xga)}")
