"""make models: checks two protocols of the kernel with spin, each as it is and with each of its known mistakes.

The models are grade/torture/models/*.pml. A mistake is a macro named in the model's head comment. spin must find an error
with it, and none without it. The exit status is 0 if that is so.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

MODELS = Path(__file__).resolve().parent / "models"


@dataclass(frozen=True)
class Verdict:
    model: str
    mistake: str  # "" for the model as it is
    states: int  # how many states spin visited
    error: str  # what spin found; "" for nothing

    @property
    def right(self) -> bool:
        return bool(self.mistake) == bool(self.error)


def mistakes(model: Path) -> list[str]:
    """The macros that the model's head comment lists."""
    return re.findall(r"^     ([A-Z_]+) ", model.read_text().split("*/")[0], re.MULTILINE)


def check(model: Path, mistake: str) -> Verdict:
    """Checks all interleavings of one variant. Raises RuntimeError if spin or the C compiler fails."""
    with tempfile.TemporaryDirectory(prefix="ringfence-model-") as folder:

        def run(*command: str) -> str:
            done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)}:\n{done.stdout[-2000:]}")
            return done.stdout

        run("spin", *([f"-D{mistake}"] if mistake else []), "-a", str(model))
        run("cc", "-O1", "-w", "-DSAFETY", "-o", "pan", "pan.c")
        text = run("./pan", "-m1000000")
    errors = re.search(r"errors: (\d+)", text)
    states = re.search(r"(\d+) states, stored", text)
    if not errors or not states or "truncated" in text:
        raise RuntimeError(text)
    found = re.search(r"pan:1: (.*?) \(at depth", text)
    return Verdict(model.stem, mistake, int(states.group(1)), found.group(1) if found and int(errors.group(1)) else "")


def check_all() -> Iterator[Verdict]:
    for model in sorted(MODELS.glob("*.pml")):
        for mistake in ["", *mistakes(model)]:
            yield check(model, mistake)


def main() -> int:
    wrong = 0
    print(f"{'model':10} {'with the mistake':18} {'states':>7}  spin says")
    try:
        for verdict in check_all():
            said = verdict.error or "no error in any interleaving"
            print(
                f"{verdict.model:10} {verdict.mistake or '-':18} {verdict.states:>7}  {said}{'' if verdict.right else '   WRONG'}"
            )
            wrong += not verdict.right
    except FileNotFoundError as missing:
        print(f"models: {missing.filename} is not installed (Debian: apt-get install spin gcc)", file=sys.stderr)
        return 2
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
