"""Fixtures for tests: machines, seeds, and folders of the build. When a test fails, its report shows the consoles."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from grade.machine.job import Job
from grade.machine.machine import Machine


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", default="", help="repeat the random choices of the run with this seed")
    parser.addoption("--job", default="", help="a Job as JSON; by default the environment describes the job")


def pytest_configure(config: pytest.Config) -> None:
    """Makes SIGTERM and SIGHUP act like ^C: the machines end and their folders are removed."""
    if not config.getoption("--seed", ""):
        given = getattr(config, "workerinput", {})  # by pytest_configure_node()
        config.option.seed = given.get("seed") or f"{random.SystemRandom().randrange(1 << 48):012x}"
    # A shell that starts a job in the background makes it ignore SIGINT. We end if somebody sends it anyway.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Gives our seed to a worker of pytest-xdist. Otherwise each worker would draw its own."""
    node.workerinput["seed"] = node.config.option.seed


def pytest_report_header(config: pytest.Config) -> str:
    return f"SEED={config.option.seed}"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A number from 1 to 2^30 for this test. Derive every random choice from it, so that SEED= repeats the choice."""
    text = f"{request.config.option.seed} {request.node.name}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") % (1 << 30) + 1


@pytest.fixture(scope="session")
def job(request: pytest.FixtureRequest) -> Job:
    given = request.config.getoption("--job")
    found = Job.from_json(given) if given else Job.from_environment()
    if not (found.build / "kernel.elf").exists():
        pytest.exit(f"{found.build} has no kernel.elf: run make first", 2)
    return found


@pytest.fixture(scope="session")
def build(job: Job) -> Path:
    """The directory that `make` builds into."""
    return job.build


@pytest.fixture(scope="session")
def host(build: Path) -> Path:
    """The directory with the programs that run on the host: mkfs, fsck, fscat, draw_wheel, ..."""
    return build / "host"


@pytest.fixture
def fsck(host: Path) -> Callable[[Path], str]:
    """Checks a disk image. The test fails if the image is inconsistent. Returns the output of fsck."""

    def check(image: Path) -> str:
        done = subprocess.run([host / "fsck", image], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"fsck found errors on the disk:\n{done.stdout}"
        return done.stdout

    return check


@pytest.fixture
def machine_factory(job: Job, request: pytest.FixtureRequest) -> Iterator[Callable[..., Machine]]:
    """Boots machines; takes the options of Machine. The fixture closes all of them when the test ends."""
    machines: list[Machine] = []

    def boot(**options: Any) -> Machine:
        machine = Machine(job, **options)
        machines.append(machine)
        return machine

    request.node.machines = machines
    yield boot
    for machine in machines:
        machine.close()


@pytest.fixture
def machine(machine_factory: Callable[..., Machine]) -> Machine:
    """A machine with all devices. It has booted and shows the prompt."""
    return machine_factory()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed and "seed" in getattr(item, "fixturenames", ()):
        report.sections.append(("to make the same choices again", f"SEED={item.config.option.seed}"))
    if report.when == "call" and report.failed:
        for number, machine in enumerate(getattr(item, "machines", []), 1):
            lines = machine.text.splitlines()[-100:]
            report.sections.append((f"console of machine {number} (last lines)", "\n".join(lines)))
            if machine.stderr():
                report.sections.append((f"messages of QEMU {number}", machine.stderr()))
