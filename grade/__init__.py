"""The harness: it boots Ringfence in QEMU, watches it, tests it, and marks it.

Each folder serves one audience. Run a module with `python3 -m grade.FOLDER.MODULE` from the root of the tree, or with the
make command that the first line of the module names.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the root of the source tree
