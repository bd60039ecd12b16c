"""A test is skipped only for a reason that needs.py lists, and in CI only for one that EXPECTED_SKIPS names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grade import ROOT


CONFTEST = """
from grade.tests.conftest import *
from grade.tests.support import needs
needs.NEEDS["moon"] = (lambda: False, "fly there")
needs.NEEDS["earth"] = (lambda: True, "stay here")
"""
NEEDY = """
import pytest
from grade.tests.support.needs import need

@pytest.mark.needs("earth")
def test_on_earth():
    need("earth")

@pytest.mark.needs("earth", "moon")
def test_on_the_moon():
    assert False

@pytest.fixture
def rocket():
    need("moon")

def test_in_a_rocket(rocket):
    assert False
"""
UNEXPECTED = {  # name: test file
    "skip": "def test(): pytest.skip('no reason')",
    "fixture": "@pytest.fixture\ndef f(): pytest.skip('no reason')\ndef test(f): pass",
    "skipif": "@pytest.mark.skipif(True, reason='no reason')\ndef test(): pass",
    "mark": "@pytest.mark.skip(reason='no reason')\ndef test(): pass",
    "xfail": "@pytest.mark.xfail(reason='no reason')\ndef test(): assert False",
    "xpass": "@pytest.mark.xfail(reason='no reason')\ndef test(): pass",
    "import": "pytest.importorskip('no_reason')\ndef test(): pass",
    "module": "pytest.skip('no reason', allow_module_level=True)",
    "empty": "@pytest.mark.parametrize('x', [])\ndef test(x): pass",
}
HOW = [pytest.param([], id="alone"), pytest.param(["-n", "2"], id="workers", marks=pytest.mark.needs("xdist"))]


def run(folder: Path, sources: dict[str, str], *options: str, **variables: str) -> tuple[int, str]:
    for name, text in {"conftest": CONFTEST, **sources}.items():
        (folder / f"{name}.py").write_text(text)
    inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "EXPECTED_SKIPS") and "XDIST" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", folder, *options, folder],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("options", HOW)
def test_a_need_skips_and_is_listed(tmp_path: Path, options: list[str]) -> None:
    none: dict[str, str] = {}
    for variables in (none, {"CI": "1", "EXPECTED_SKIPS": "sun,moon"}):
        status, output = run(tmp_path, {"test_needy": NEEDY}, *options, **variables)
        assert status == 0 and "1 passed, 2 skipped" in output, output
        assert "2 tests need moon, which is not here: fly there" in output


@pytest.mark.parametrize("expected", ["", "sun"])
def test_ci_has_everything(tmp_path: Path, expected: str) -> None:
    status, output = run(tmp_path, {"test_needy": NEEDY}, CI="1", EXPECTED_SKIPS=expected)
    assert status == 1 and "1 passed, 2 errors" in output, output
    assert "needs moon, and CI has everything: fly there, or set EXPECTED_SKIPS=moon" in output


@pytest.mark.parametrize("options", HOW)
def test_any_other_skip_fails(tmp_path: Path, options: list[str]) -> None:
    sources = {f"test_{name}": f"import pytest\n{text}\n" for name, text in UNEXPECTED.items()}
    status, output = run(tmp_path, sources, "--continue-on-collection-errors", *options)
    assert status == 1, output
    found = re.findall(r"^test_(\w+)\.py\S* skips itself: .*(?:no.reason|empty parameter set)", output, re.MULTILINE)
    assert sorted(found) == sorted(UNEXPECTED), output
