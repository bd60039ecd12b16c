#!/bin/sh
# Runs pytest for `make test`; all arguments are pytest's. The tests' files go to a folder that goes with
# them, also after ^C. Environment: PYTHON, and BUILD, QEMU and GDB for the harness.

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
# A shell runs these once pytest, which gets the signal too, has cleaned up and ended.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

export PYTHONDONTWRITEBYTECODE=1 PYTEST_DEBUG_TEMPROOT="$folder"
"$PYTHON" -m pytest -c grade/pytest.ini --rootdir=. "$@"
