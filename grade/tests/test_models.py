"""The models of two protocols (grade/torture/models): each is right, and goes wrong with each planted mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from grade.torture.models import MODELS, check, mistakes

CASES = [(model, mistake) for model in sorted(MODELS.glob("*.pml")) for mistake in ["", *mistakes(model)]]


@pytest.mark.long
@pytest.mark.needs("spin")
@pytest.mark.parametrize("model, mistake", CASES, ids=[f"{model.stem}-{mistake or 'right'}" for model, mistake in CASES])
def test_model(model: Path, mistake: str) -> None:
    verdict = check(model, mistake)
    assert verdict.right and verdict.states > 10, verdict
