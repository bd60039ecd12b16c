"""Fixtures of the tests: machines, seeds, and the console of each machine of a test that failed."""

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
    parser.addoption("--seed", default="", help="brings back the random choices of an earlier run")
    parser.addoption("--job", default="", help="a Job as JSON; without it, the environment describes the job")


def pytest_configure(config: pytest.Config) -> None:
    """Being told to end is like ^C: machines are ended and their folders removed."""
    if not config.getoption("--seed", ""):
        given = getattr(config, "workerinput", {})  # by pytest_configure_node()
        config.option.seed = given.get("seed") or f"{random.SystemRandom().randrange(1 << 48):012x}"
    # A shell that starts us in the background makes us ignore ^C: whoever sends the signal all the same means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Gives our seed to a worker of pytest-xdist, which would draw its own."""
    node.workerinput["seed"] = node.config.option.seed


def pytest_report_header(config: pytest.Config) -> str:
    return f"SEED={config.option.seed}"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A number from 1 to 2^30, the test's own, that SEED= brings back. What a test chooses at random, it chooses by this."""
    text = f"{request.config.option.seed} {request.node.name}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") % (1 << 30) + 1


@pytest.fixture(scope="session")
def job(request: pytest.FixtureRequest) -> Job:
    given = request.config.getoption("--job")
    found = Job.from_json(given) if given else Job.from_environment()
    if not (found.build / "kernel.elf").exists():
        pytest.exit(f"{found.build} holds no kernel.elf: run make first", 2)
    return found


@pytest.fixture(scope="session")
def build(job: Job) -> Path:
    """The directory of what `make` has built."""
    return job.build


@pytest.fixture(scope="session")
def host(build: Path) -> Path:
    """The directory of the host programs: mkfs, fsck, fscat, draw_wheel, ..."""
    return build / "host"


@pytest.fixture
def fsck(host: Path) -> Callable[[Path], str]:
    """Checks a disk image and fails if it is not consistent; returns what fsck says."""

    def check(image: Path) -> str:
        done = subprocess.run([host / "fsck", image], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"fsck says of the disk:\n{done.stdout}"
        return done.stdout

    return check


@pytest.fixture
def machine_factory(job: Job, request: pytest.FixtureRequest) -> Iterator[Callable[..., Machine]]:
    """Boots machines with the options of Machine; all end with the test."""
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
    """A machine with everything, at its prompt."""
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
                report.sections.append((f"what QEMU {number} said", machine.stderr()))
