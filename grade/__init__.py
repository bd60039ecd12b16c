"""The harness: it boots Ringfence from outside, looks at it, tests it, and marks it.

Each folder here is for one audience. Run a module as `python3 -m grade.FOLDER.MODULE` from the root of the tree, or use
the make command that its first line names.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # of the tree
